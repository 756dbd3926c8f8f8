//! Signing in at MCP servers that ask for it: a server with an authorization server beside it, a browser, and an agent.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Arc,
};

use hostel::{
    App, Edge, Identity,
    auth::{Auth, StaticToken, TokenHash},
    axum::{
        Json, Router,
        extract::{Query, Request, State},
        middleware::{self, Next},
        response::{IntoResponse, Redirect, Response},
        routing::{get, post},
    },
    http::StatusCode,
    mcp::{McpServer, McpSettings},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use super::{
    mcp_client::{Adder, Served, User, any, settings},
    support::{Answer, exchange},
};

/// What the fake authorization server knows.
#[derive(Debug, Default)]
pub(super) struct Knows {
    registered: BTreeMap<String, String>,
    /// Challenge and redirect by the code.
    codes: HashMap<String, (String, String)>,
    pub(super) access: Vec<String>,
    refresh: Vec<String>,
    pub(super) refreshed: usize,
    given: usize,
}

pub(super) type Fake = Arc<Mutex<Knows>>;

fn random(kind: &str, knows: &mut Knows) -> String {
    knows.given += 1;
    format!("{kind}-{}-0123456789abcdef", knows.given)
}

/// The tools of an agent.
fn adder(edge: &Edge) -> Router {
    McpServer::of::<Adder>(edge, "one").mount("/tools")
}

/// An MCP server that lets in nobody without a token, and the authorization server that gives them.
pub(super) async fn guarded(fake: Fake, tools: impl FnOnce(&Edge) -> Router + Send + 'static) -> Served {
    let app = App::new().in_memory().agent::<Adder>().routes(move |edge| {
        let guard = middleware::from_fn_with_state(fake.clone(), let_in);
        Router::new()
            .route("/.well-known/oauth-protected-resource/tools", get(resource))
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .route("/register", post(register))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(fake)
            .merge(tools(edge).layer(guard))
    });
    Served::start(app, any()).await
}

fn origin(request: &Request) -> String {
    format!("http://{}", request.headers()["host"].to_str().unwrap())
}

async fn let_in(State(fake): State<Fake>, request: Request, next: Next) -> Response {
    let header = request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = header.strip_prefix("Bearer ").unwrap_or_default().to_owned();
    if fake.lock().await.access.contains(&token) {
        return next.run(request).await;
    }
    let at = format!("{}/.well-known/oauth-protected-resource/tools", origin(&request));
    let challenge = format!("Bearer resource_metadata=\"{at}\", scope=\"add\"");
    (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response()
}

async fn resource(request: Request) -> Json<Value> {
    let origin = origin(&request);
    Json(json!({"resource": format!("{origin}/tools"), "authorization_servers": [origin]}))
}

async fn metadata(request: Request) -> Json<Value> {
    let origin = origin(&request);
    Json(json!({
        "issuer": origin,
        "authorization_endpoint": format!("{origin}/authorize"),
        "token_endpoint": format!("{origin}/token"),
        "registration_endpoint": format!("{origin}/register"),
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
    }))
}

async fn register(State(fake): State<Fake>, Json(asked): Json<Value>) -> (StatusCode, Json<Value>) {
    let mut knows = fake.lock().await;
    let id = random("client", &mut knows);
    let redirect = asked["redirect_uris"][0].as_str().unwrap().to_owned();
    knows.registered.insert(id.clone(), redirect.clone());
    (StatusCode::CREATED, Json(json!({"client_id": id, "redirect_uris": [redirect]})))
}

async fn authorize(State(fake): State<Fake>, Query(asked): Query<HashMap<String, String>>) -> Response {
    let mut knows = fake.lock().await;
    let redirect = asked["redirect_uri"].clone();
    let is_good = knows.registered.get(&asked["client_id"]) == Some(&redirect)
        && asked["code_challenge_method"] == "S256"
        && asked["scope"] == "add"
        && asked["resource"].ends_with("/tools");
    if !is_good {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let code = random("code", &mut knows);
    knows.codes.insert(code.clone(), (asked["code_challenge"].clone(), redirect.clone()));
    Redirect::to(&format!("{redirect}?code={code}&state={}", asked["state"])).into_response()
}

async fn token(State(fake): State<Fake>, body: String) -> Response {
    let Query(asked) = Query::<HashMap<String, String>>::try_from_uri(&format!("/?{body}").parse().unwrap()).unwrap();
    let mut knows = fake.lock().await;
    let is_good = match asked["grant_type"].as_str() {
        "authorization_code" => knows.codes.remove(&asked["code"]).is_some_and(|(challenge, redirect)| {
            let hash = Sha256::digest(asked["code_verifier"].as_bytes());
            data_encoding::BASE64URL_NOPAD.encode(&hash) == challenge && asked["redirect_uri"] == redirect
        }),
        _ => {
            let at = knows.refresh.iter().position(|known| *known == asked["refresh_token"]);
            knows.refreshed += usize::from(at.is_some());
            at.map(|at| knows.refresh.remove(at)).is_some()
        }
    };
    if !is_good {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"}))).into_response();
    }
    let (access, refresh) = (random("access", &mut knows), random("refresh", &mut knows));
    knows.access.push(access.clone());
    knows.refresh.push(refresh.clone());
    let given = json!({"access_token": access, "token_type": "Bearer", "expires_in": 3600, "refresh_token": refresh});
    Json(given).into_response()
}

/// One request of a browser, which does not follow redirects by itself.
async fn browse(url: &str) -> Answer {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let stream = tokio::net::TcpStream::connect(host).await.unwrap();
    exchange(stream, &format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await
}

/// Agents that nobody reaches without a token.
pub(super) async fn home(data: &Path) -> Served {
    let me = StaticToken::new(TokenHash::of("a-token-of-enough-length").unwrap(), Identity::new("ada"));
    let settings = McpSettings { after_sign_in: Some("/done".to_owned()), ..settings() };
    let auth = Auth::new().token(me).build().unwrap();
    Served::start(App::new().data(data).agent::<User>().auth(auth).mcp(settings), any()).await
}

pub(super) async fn add(home: &Served, tools: &Served, agent: &str) -> Value {
    let url = format!("http://{}/tools", tools.address);
    home.call(agent, "addServer", json!(["adder", url])).await.unwrap()
}

/// The link that an agent's server shows to sign in.
async fn link(home: &Served, agent: &str) -> String {
    let states = home.call(agent, "states", json!([])).await.unwrap();
    assert_eq!(states["adder"][0], "authenticating", "{states}");
    let links = home.call(agent, "links", json!([])).await.unwrap();
    links["adder"].as_str().unwrap_or_else(|| panic!("{links}")).to_owned()
}

/// Signs in like a browser whose user agrees, and waits for the server.
pub(super) async fn sign_in(home: &Served, agent: &str) {
    let login = browse(&link(home, agent).await).await;
    browse(login.header("location")).await;
    ready(home, agent).await;
}

/// Waits until the server has answered whoever came back.
async fn ready(home: &Served, agent: &str) {
    loop {
        let states = home.call(agent, "states", json!([])).await.unwrap();
        match states["adder"][0].as_str().unwrap() {
            "ready" => return,
            "failed" | "authenticating" => panic!("{states}"),
            _ => {}
        }
    }
}

fn files_with(directory: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if std::fs::read(&path).unwrap().windows(text.len()).any(|part| part == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_for_it_is_signed_in_to_once_and_its_tokens_are_renewed_and_sealed() {
    let (fake, data) = (Fake::default(), tempfile::tempdir().unwrap());
    let (tools, home_) = (guarded(fake.clone(), adder).await, home(data.path()).await);
    let id = add(&home_, &tools, "a").await;
    let refused = home_.call("a", "useTool", json!([id, "add", {"by": 1}])).await.unwrap_err();
    assert_eq!(refused.label(), Some("mcp_unavailable"));
    let link = link(&home_, "a").await;
    let login = browse(&link).await;
    assert_eq!(login.status, 303, "{login:?}");
    let back = login.header("location").to_owned();
    assert!(back.starts_with(&format!("http://{}/agents/user/a/callback?code=", home_.address)), "{back}");
    let done = browse(&back).await;
    assert_eq!((done.status, done.header("location")), (302, "/done"), "{done:?}");
    assert_eq!(browse(&back).await.status, 401, "nobody is expected twice");
    ready(&home_, "a").await;
    let sum = home_.call("a", "useTool", json!([id, "add", {"by": 1}])).await.unwrap();
    assert_eq!(sum["structuredContent"]["result"], 1);

    fake.lock().await.access.clear();
    let sum = home_.call("a", "useTool", json!([id, "add", {"by": 1}])).await.unwrap();
    assert_eq!(sum["structuredContent"]["result"], 2, "a token that is not good any more is renewed");
    assert_eq!(fake.lock().await.refreshed, 1);

    home_.stop().await;
    let knows = fake.lock().await;
    assert!(!knows.access.is_empty());
    for secret in knows.access.iter().chain(&knows.refresh) {
        assert_eq!(files_with(data.path(), secret), Vec::<String>::new(), "{secret}");
    }
    drop(knows);
    let home_ = home(data.path()).await;
    let sum = home_.call("a", "useTool", json!([id, "add", {"by": 1}])).await.unwrap();
    assert_eq!(sum["structuredContent"]["result"], 3, "a restart forgets no token");

    let mut knows = fake.lock().await;
    (knows.access, knows.refresh) = (Vec::new(), Vec::new());
    drop(knows);
    let asked = home_.call("a", "useTool", json!([id, "add", {"by": 1}])).await.unwrap_err();
    assert_eq!(asked.label(), Some("mcp_unavailable"), "{asked:?}");
    sign_in(&home_, "a").await;
    home_.stop().await;
    tools.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_whoever_is_expected_gets_in_without_a_token_and_only_where_he_is_expected() {
    let (fake, data) = (Fake::default(), tempfile::tempdir().unwrap());
    let (tools, home_) = (guarded(fake.clone(), adder).await, home(data.path()).await);
    add(&home_, &tools, "a").await;
    let link = link(&home_, "a").await;
    let back = browse(&link).await.header("location").to_owned();
    let elsewhere = [
        back.replace("/agents/user/a/", "/agents/user/b/"),
        back.replace("state=", "state=x"),
        format!("{back}x"),
        back.split("&state=").next().unwrap().to_owned(),
    ];
    for url in elsewhere {
        let answer = browse(&url).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"), "{url}");
    }
    let (before, state) = back.split_once("code=").unwrap();
    let state = state.split_once('&').unwrap().1;
    let denied = browse(&format!("{before}error=access_denied&{state}")).await;
    assert_eq!(denied.status, 302);
    assert!(denied.header("location").starts_with("/done?error="), "{denied:?}");
    let states = home_.call("a", "nowWithErrors", json!([])).await.unwrap();
    assert_eq!(states["adder"][0], "failed");
    assert!(states["adder"][1].as_str().unwrap().contains("access_denied"), "{states}");
    assert_eq!(browse(&back).await.status, 401, "the code of a refused sign-in is worth nothing");
    home_.stop().await;
    tools.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_somebody_may_have_open_stays_good_and_nobody_is_registered_twice() {
    let (fake, data) = (Fake::default(), tempfile::tempdir().unwrap());
    let (tools, home_) = (guarded(fake.clone(), adder).await, home(data.path()).await);
    add(&home_, &tools, "a").await;
    let first = link(&home_, "a").await;
    assert_eq!(link(&home_, "a").await, first);
    home_.stop().await;
    let address = tools.address;
    assert!(first.starts_with(&format!("http://{address}/authorize?")), "{first}");
    assert_eq!(fake.lock().await.registered.len(), 1);
    tools.stop().await;
}
