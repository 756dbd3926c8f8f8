//! The built-in ways to say who one is, over real sockets: what comes in, what is refused, and that no token gets further than
//! the door.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hostel::{
    App, Permissions, Rate, Rates, Refusal, Timestamp, allow,
    auth::{Auth, StaticToken, TokenHash, new_token},
    http::request::Parts,
    prelude::*,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{Client, Ending, Server, exchange};

/// Keeps notes, and shows what it saw of whoever comes.
#[derive(Default, Serialize, Deserialize)]
struct Notes {
    seen: Vec<String>,
}

#[agent(allow = "owner | role:editor", state_write = "owner")]
impl Notes {
    fn on_connect(&mut self, connection: &Connection, request: &ConnectRequest) {
        self.seen.push(format!("{} {:?}", connection.uri(), request.headers));
    }

    async fn on_request(_cx: &Cx<Self>, request: Request) -> Result<Response> {
        Ok(Response::new(format!("{} {:?}", request.uri(), request.headers()).into()))
    }

    #[callable]
    fn seen(&self) -> Vec<String> {
        self.seen.clone()
    }

    #[callable(allow = "owner")]
    fn clear(&mut self) {
        self.seen.clear();
    }

    #[callable(allow = "internal")]
    fn audit(&self) -> usize {
        self.seen.len()
    }

    /// For other agents every rule is open.
    #[callable]
    async fn audited(cx: &Cx<Self>, other: &str) -> Result<u64> {
        cx.agent::<Notes>(other).audit().await.map(|count| count as u64)
    }
}

/// Everybody may look.
#[derive(Default, Serialize, Deserialize)]
struct Board {}

#[agent(allow = "public")]
impl Board {
    #[callable]
    fn hello(&self) -> &'static str {
        "hello"
    }
}

struct Tokens {
    ada: String,
    eve: String,
}

fn auth() -> (Auth, Tokens) {
    let tokens = Tokens { ada: new_token().unwrap(), eve: new_token().unwrap() };
    let known = |token: &str, identity| StaticToken::new(TokenHash::of(token).unwrap(), identity);
    let auth = Auth::new()
        .token(known(&tokens.ada, Identity::new("ada")))
        .token(known(&tokens.eve, Identity::new("eve").with_roles(["editor"])))
        .cookie("session")
        .query("token")
        .tickets();
    (auth.build().unwrap(), tokens)
}

fn app() -> (App, Tokens) {
    let (auth, tokens) = auth();
    (App::new().agent::<Notes>().agent::<Board>().in_memory().auth(auth), tokens)
}

async fn start() -> (Server, Tokens) {
    let (app, tokens) = app();
    (Server::start(app).await, tokens)
}

async fn post(server: &Server, path: &str, headers: &[(&str, &str)]) -> super::support::Answer {
    let head = server.head(path, headers, "Content-Length: 0\r\nConnection: close\r\n").replacen("GET", "POST", 1);
    exchange(server.connect().await, &head).await
}

#[tokio::test]
async fn a_token_comes_in_by_every_way_and_nothing_behind_sees_it() {
    let (server, tokens) = start().await;
    let (bearer, offer) = (format!("Bearer {}", tokens.ada), format!("hostel, bearer.{}", tokens.ada));
    let (cookie, origin) = (format!("a=1; session={}", tokens.ada), format!("http://{}", server.address));
    let query = format!("/agents/notes/me?x=1&token={}", tokens.ada);
    let ways: [(&str, Vec<(&str, &str)>); 4] = [
        ("/agents/notes/me?x=1", vec![("Authorization", &bearer)]),
        ("/agents/notes/me?x=1", vec![("Sec-WebSocket-Protocol", &offer)]),
        ("/agents/notes/me?x=1", vec![("Cookie", &cookie), ("Origin", &origin)]),
        (&query, vec![]),
    ];
    for (path, headers) in &ways {
        let mut client = server.socket_with(path, headers).await;
        assert_eq!(client.greeted().await["name"], "ada", "{headers:?}");
        let seen = client.call("seen", json!([])).await.to_string();
        assert!(seen.contains("/agents/notes/me?x=1") && !seen.contains(&tokens.ada), "{seen}");
    }
    for (path, headers) in [&ways[0], &ways[2], &ways[3]] {
        let answer = server.get_with(path, headers).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.contains("/agents/notes/me?x=1 ") && !answer.body.contains(&tokens.ada), "{answer:?}");
    }
}

#[tokio::test]
async fn threat_1_a_cookie_without_the_word_of_the_browser_is_nobodys() {
    let (server, tokens) = start().await;
    let cookie = format!("session={}", tokens.ada);
    let path = "/agents/notes/ada";
    assert_eq!(server.socket_with(path, &[("Cookie", &cookie)]).await.refusal().await, ("unauthorized".into(), 4401));
    assert_eq!(server.get_with(path, &[("Cookie", &cookie)]).await.code(), "unauthorized");
    let evil = [("Cookie", cookie.as_str()), ("Origin", "https://evil.test")];
    assert_eq!(server.socket_with(path, &evil).await.refusal().await, ("origin_refused".into(), 4403));
    let same = [("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "same-origin")];
    assert_eq!(server.get_with(path, &same).await.status, 200);
    let cross = [("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "cross-site")];
    assert_eq!(server.get_with(path, &cross).await.code(), "unauthorized");
}

#[tokio::test]
async fn a_ticket_opens_one_socket_and_nothing_else() {
    let (server, tokens) = start().await;
    assert_eq!(post(&server, "/_hostel/ticket", &[]).await.code(), "unauthorized");
    let bearer = format!("Bearer {}", tokens.ada);
    let given = post(&server, "/_hostel/ticket", &[("Authorization", &bearer)]).await;
    assert_eq!((given.status, given.header("cache-control")), (200, "no-store"));
    let ticket = given.json()["ticket"].as_str().unwrap().to_owned();
    let path = format!("/agents/notes/me?ticket={ticket}");
    assert_eq!(server.get(&path).await.code(), "token_invalid");
    assert_eq!(server.socket(&path).await.greeted().await["name"], "ada");
    assert_eq!(server.socket(&path).await.refusal().await, ("token_invalid".into(), 4401));
}

#[tokio::test]
async fn a_socket_that_offers_a_token_as_a_subprotocol_hears_another_one_back() {
    let (server, tokens) = start().await;
    let offer = format!("bearer.{}, hostel", tokens.ada);
    let mut head = server.head("/agents/notes/me", &[("Sec-WebSocket-Protocol", &offer)], "");
    head.truncate(head.len() - 2);
    head += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut stream = server.connect().await;
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let length = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 101") && answer.contains("sec-websocket-protocol: hostel\r\n"), "{answer}");
    assert!(!answer.contains("bearer"), "{answer}");
}

#[tokio::test]
async fn methods_and_the_state_have_rules_of_their_own() {
    let (server, tokens) = start().await;
    let as_eve = format!("/agents/notes/ada?token={}", tokens.eve);
    let mut eve = server.socket(&as_eve).await;
    eve.greeted().await;
    assert_eq!(eve.call("clear", json!([])).await["code"], "forbidden");
    assert_eq!(eve.call("audit", json!([])).await["code"], "forbidden");
    assert_eq!(eve.call("audited", json!(["bob"])).await["result"], 0);
    eve.send(&json!({"type": "cf_agent_state", "state": {"seen": ["mine"]}}).to_string()).await;
    let refused = eve.json().await;
    assert_eq!(
        (&refused["type"], &refused["code"]),
        (&json!("cf_agent_state_error"), &json!("forbidden")),
        "{refused}"
    );
    let mut ada = server.socket(&format!("/agents/notes/me?token={}", tokens.ada)).await;
    ada.greeted().await;
    ada.send(&json!({"type": "cf_agent_state", "state": {"seen": ["mine"]}}).to_string()).await;
    assert_eq!(ada.call("seen", json!([])).await["result"], json!(["mine"]));
    assert_eq!(ada.call("clear", json!([])).await["success"], true);
    let mut anybody = server.socket("/agents/board/x").await;
    anybody.greeted().await;
    assert_eq!(anybody.call("hello", json!([])).await["result"], "hello");
}

/// What came of a request: whom it reached, or the code of a refusal.
async fn over_http(server: &Server, path: &str, headers: &[(&str, &str)]) -> Result<(), String> {
    let answer = server.get_with(path, headers).await;
    match answer.header("x-hostel-code") {
        "" => Ok(()),
        code => Err(code.to_owned()),
    }
}

async fn over_socket(server: &Server, path: &str, headers: &[(&str, &str)]) -> Result<(), String> {
    let mut client = server.socket_with(path, headers).await;
    let first = client.json().await;
    match first["type"].as_str() {
        Some("hostel_error") => Err(first["code"].as_str().unwrap().to_owned()),
        _ => Ok(()),
    }
}

#[tokio::test]
async fn threat_2_requests_and_sockets_of_anybody_get_the_same_decision() {
    let (app, tokens) = app();
    let rates = Rates { wrong_tokens: None, ..Rates::default() };
    let server = Server::start(app.rates(rates)).await;
    let bearer = |token: &str| format!("Bearer {token}");
    let (ada, eve, wrong) = (bearer(&tokens.ada), bearer(&tokens.eve), bearer("hst_wrong"));
    let (cookie, origin) = (format!("session={}", tokens.ada), format!("http://{}", server.address));
    let credentials: [Vec<(&str, &str)>; 9] = [
        vec![],
        vec![("Authorization", &ada)],
        vec![("Authorization", &eve)],
        vec![("Authorization", &wrong)],
        vec![("Authorization", "Basic YTpi")],
        vec![("Authorization", "Bearer a.b.c")],
        vec![("Cookie", &cookie)],
        vec![("Cookie", &cookie), ("Origin", &origin)],
        vec![("Cookie", &cookie), ("Origin", "https://evil.test")],
    ];
    let paths = [
        "/agents/notes/ada",
        "/agents/notes/me",
        "/agents/notes/x",
        "/agents/board/x",
        "/agents/board/me",
        "/agents/nope/x",
    ];
    let mut decisions = BTreeSet::new();
    for path in paths {
        for headers in &credentials {
            let http = over_http(&server, path, headers).await;
            assert_eq!(http, over_socket(&server, path, headers).await, "{path} {headers:?}");
            decisions.insert(http);
        }
    }
    let codes = ["forbidden", "origin_refused", "token_invalid", "unauthorized", "unknown_agent"];
    let expected: BTreeSet<_> = codes.iter().map(|code| Err((*code).to_owned())).chain([Ok(())]).collect();
    assert_eq!(decisions, expected);
}

/// Sends the same head again and again over one connection; what is answered is counted by status.
async fn hammer(server: &Server, count: usize, head: impl Fn(usize) -> String) -> Vec<(u16, String)> {
    let mut stream = server.connect().await;
    let mut answers = Vec::new();
    let mut buffer = Vec::new();
    for number in 0..count {
        stream.write_all(head(number).as_bytes()).await.unwrap();
        answers.push(answer(&mut stream, &mut buffer).await);
    }
    answers
}

async fn answer(stream: &mut tokio::net::TcpStream, buffer: &mut Vec<u8>) -> (u16, String) {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            let whole = end + 4 + length.unwrap();
            if buffer.len() >= whole {
                let body = String::from_utf8_lossy(&buffer[end + 4..whole]).into_owned();
                buffer.drain(..whole);
                return (head[9..12].parse().unwrap(), body);
            }
        }
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).await.unwrap();
        assert_ne!(read, 0, "the server closed");
        buffer.extend_from_slice(&bytes[..read]);
    }
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

/// Sends these heads, each over a connection of its own, many at a time; what is answered is counted by status.
async fn guess(server: &Server, heads: impl Iterator<Item = String>) -> BTreeMap<u16, usize> {
    let (heads, told) = (RefCell::new(heads), RefCell::new(BTreeMap::new()));
    let guesser = async || {
        while let Some(head) = { heads.borrow_mut().next() } {
            let answer = exchange(server.connect().await, &head).await;
            assert_eq!(answer.header("connection"), "close", "{answer:?}");
            *told.borrow_mut().entry(answer.status).or_default() += 1;
        }
    };
    futures_util::future::join_all((0..48).map(|_| guesser())).await;
    told.into_inner()
}

#[tokio::test]
async fn threat_5_ten_thousand_wrong_tokens_are_refused_and_closed_on_and_few_of_them_looked_at() {
    let (server, tokens) = start().await;
    let head =
        |number: usize| server.head("/agents/notes/x", &[("Authorization", &format!("Bearer wrong-{number}"))], "");
    let first = guess(&server, (0..500).map(head)).await;
    let before = resident();
    let answers = guess(&server, (500..10_000).map(head)).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more");
    let count = |status: u16| first.get(&status).unwrap_or(&0) + answers.get(&status).unwrap_or(&0);
    // The minute's sixty, and one more for each second that this takes.
    assert!((60..600).contains(&count(401)), "{first:?} {answers:?}");
    assert_eq!(count(401) + count(429), 10_000);
    // Not even the right one gets in from there now: or guessing would go on.
    let right = [("Authorization", format!("Bearer {}", tokens.ada))];
    let right: Vec<_> = right.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let held_back = server.get_with("/agents/notes/me", &right).await;
    assert!([200, 429].contains(&held_back.status), "{held_back:?}");
    let stream = server.connect_from(7).await;
    let elsewhere = exchange(stream, &server.head("/agents/notes/me", &right, "Connection: close\r\n")).await;
    assert_eq!(elsewhere.status, 200, "another address is not concerned");
    // Who shows nothing guesses nothing.
    assert_eq!(server.socket("/agents/board/x").await.greeted().await["name"], "x");
}

#[tokio::test]
async fn threat_5_a_socket_with_a_wrong_token_is_told_so_and_closed_and_a_right_one_stays_on_its_connection() {
    let (server, tokens) = start().await;
    let wrong = server.socket("/agents/notes/x?token=wrong").await.refusal().await;
    assert_eq!(wrong, ("token_invalid".into(), 4401));
    let answers = hammer(&server, 3, |_| {
        server.head("/agents/notes/me", &[("Authorization", &format!("Bearer {}", tokens.ada))], "")
    });
    assert!(answers.await.iter().all(|(status, _)| *status == 200));
}

#[tokio::test]
async fn threat_8_ten_thousand_names_asked_for_by_nobody_make_nothing_and_sound_alike() {
    let data = tempfile::tempdir().unwrap();
    let (app, tokens) = app();
    let server = Server::start(app.data(data.path())).await;
    let mut ada = server.socket(&format!("/agents/notes/ada?token={}", tokens.ada)).await;
    ada.greeted().await;
    let files = super::identity::files(data.path());
    let name = |number: usize| if number == 5_000 { "ada".to_owned() } else { format!("n{number}") };
    let answers =
        hammer(&server, 10_000, |number| server.head(&format!("/agents/notes/{}", name(number)), &[], "")).await;
    let plain = |body: &str| {
        let mut problem: Value = serde_json::from_str(body).unwrap();
        problem.as_object_mut().unwrap().remove("request_id").expect("every refusal has a number");
        problem.to_string()
    };
    let bodies: BTreeSet<_> = answers.iter().map(|(status, body)| (*status, plain(body))).collect();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!(bodies.first().unwrap().0, 401);
    assert_eq!(super::identity::files(data.path()), files);
}

/// Knows everybody, for a moment.
fn for_a_moment(_: &mut Parts) -> Result<Option<Identity>, Refusal> {
    let soon = Timestamp::now() + Duration::from_secs(2);
    Ok(Some(Identity::new("ada").with_expiry(soon)))
}

#[tokio::test]
async fn a_socket_that_outlives_its_token_is_closed_with_a_code_that_is_not_final() {
    let server = Server::start(App::new().agent::<Board>().in_memory().authenticator(for_a_moment)).await;
    let mut client = server.socket("/agents/board/x").await;
    let Ending { frames, code, reason } = client.ending().await;
    assert_eq!(code, 3000);
    let told = frames.last().is_some_and(|last| last.contains("token_expired"));
    assert!(reason.starts_with("token_expired: ") && told, "{reason} {frames:?}");
}

#[tokio::test]
async fn who_connects_too_often_is_told_when_to_come_back() {
    let rates = Rates { connects: Some(Rate::new(2, Duration::from_secs(3600))), ..Rates::default() };
    let rates = Rates { requests: Some(Rate::new(1, Duration::from_secs(3600))), ..rates };
    let server = Server::start(App::new().agent::<Board>().in_memory().rates(rates)).await;
    for _ in 0..2 {
        server.socket("/agents/board/x").await.greeted().await;
    }
    assert_eq!(server.socket("/agents/board/x").await.refusal().await, ("rate_limited".into(), 1013));
    let stream = server.connect_from(9).await;
    Client::open(stream, server.upgrade("/agents/board/x", &[])).await.greeted().await;
    assert_eq!(server.get("/agents/board/x").await.status, 404, "not implemented, but let in");
    let again = server.get("/agents/board/x").await;
    assert_eq!((again.status, again.code().as_str()), (429, "rate_limited"));
    assert!(again.header("retry-after").parse::<u32>().unwrap() > 3000, "{again:?}");
}

#[tokio::test]
async fn who_says_too_much_is_heard_more_slowly_and_loses_nothing() {
    let rates = Rates { messages: Some(Rate::new(4, Duration::from_secs(1))), ..Rates::default() };
    let server = Server::start(App::new().agent::<Board>().in_memory().rates(rates)).await;
    let mut client = server.socket("/agents/board/x").await;
    client.greeted().await;
    let begun = std::time::Instant::now();
    for id in 0..8 {
        client.send(&json!({"type": "rpc", "id": id.to_string(), "method": "hello", "args": []}).to_string()).await;
    }
    for id in 0..8 {
        assert_eq!(client.json().await["id"], id.to_string());
    }
    assert!(begun.elapsed() > Duration::from_millis(700), "four come at once, and the other four within a second");
}

#[tokio::test]
async fn the_operators_rules_stand_in_for_those_of_the_class() {
    let (app, tokens) = app();
    let rules = Permissions::default().allow("board", allow::parse("subject:eve").unwrap());
    let server = Server::start(app.permissions(rules)).await;
    assert_eq!(server.get("/agents/board/x").await.code(), "unauthorized");
    let with = |token: &str| format!("/agents/board/x?token={token}");
    assert_eq!(server.get(&with(&tokens.ada)).await.code(), "forbidden");
    assert_eq!(server.get(&with(&tokens.eve)).await.status, 404);
}

#[tokio::test]
async fn threat_3_with_an_authenticator_any_address_may_be_listened_on() {
    let (app, _) = app();
    let stop = tokio_util::sync::CancellationToken::new();
    stop.cancel();
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    app.start().await.unwrap().serve(listener, stop).await.unwrap();
}
