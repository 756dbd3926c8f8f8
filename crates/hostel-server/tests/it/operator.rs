//! A notebook with rows, asked over the operator's endpoints.

use std::path::Path;

use hostel::axum::body::{Body, Bytes};
use hostel::http::{Method, Request, Response};
use hostel::{App, ConnInfo, Home, Identity, prelude::*};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

#[derive(Default, Serialize, Deserialize)]
struct Notebook {
    title: String,
}

#[agent]
impl Notebook {
    fn on_start(&mut self, cx: &Cx<Self>) -> Result<()> {
        cx.sql("create table if not exists notes (id integer primary key, text text not null)", ())?;
        Ok(())
    }

    #[callable]
    fn write(&mut self, cx: &Cx<Self>, text: &str) -> Result<()> {
        cx.sql("insert into notes (text) values (?)", (text,))?;
        Ok(())
    }

    #[task(every = "1h")]
    fn tidy(&mut self) {}

    #[task]
    fn send(&mut self, to: String) -> Result<()> {
        if to == "nobody" {
            return Err(Error::msg("there is nobody"));
        }
        self.title = to;
        Ok(())
    }

    #[callable]
    fn send_to(&self, cx: &Cx<Self>, to: String) -> Result<ScheduleId> {
        cx.tasks().send(to).retry(hostel::Retry::ONCE).now()
    }

    #[callable]
    fn title(&self) -> String {
        self.title.clone()
    }

    #[callable]
    fn replace(&mut self, cx: &Cx<Self>, id: i64, text: &str) -> Result<()> {
        cx.sql("update notes set text = ? where id = ?", (text, id))?;
        Ok(())
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Clerk {}

#[agent]
impl Clerk {
    #[task]
    async fn refund(cx: &Cx<Self>, cents: u64) -> Result<String> {
        let answer = cx.approval("refund", &cents, None).await?.approved()?;
        let receipt: String = cx.wait_for("paid", None).await?.unwrap_or_default();
        Ok(format!("{receipt} by {}", answer.by.unwrap_or_default()))
    }
}

async fn open(dir: &Path) -> Home {
    let data = dir.to_owned();
    let app = App::new()
        .agent::<Notebook>()
        .agent::<Clerk>()
        .data(dir)
        .routes(move |edge| hostel_server::operator(edge, &data));
    app.start().await.unwrap()
}

/// What `GET /_hostel/agents` answers to `peer`, with or without the token of an operator.
async fn status_for(app: App, dir: &Path, peer: &str, token: Option<&str>) -> u16 {
    let data = dir.to_owned();
    let app = app.agent::<Notebook>().in_memory().routes(move |edge| hostel_server::operator(edge, &data));
    let home = app.start().await.unwrap();
    let mut request = Request::builder().uri("/_hostel/agents").header("host", "localhost:1");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let mut request = request.body(Body::empty()).unwrap();
    let peer = (peer.parse::<std::net::IpAddr>().unwrap(), 1).into();
    request.extensions_mut().insert(ConnInfo::plain(peer));
    home.service().oneshot(request).await.unwrap().status().as_u16()
}

/// Knows one operator.
fn badge(head: &mut hostel::http::request::Parts) -> Result<Option<Identity>, hostel::Refusal> {
    Ok(head.headers.remove("authorization").map(|_| Identity::new("root").as_operator()))
}

#[tokio::test]
async fn threat_6_who_connects_from_this_machine_is_an_operator_only_where_nobody_can_prove_to_be_one() {
    let dir = tempfile::tempdir().unwrap();
    let proxies = |net: &str| App::new().proxies(vec![net.parse().unwrap()]);
    for (app, peer, token, status) in [
        (App::new(), "127.0.0.1", None, 200),
        (App::new(), "203.0.113.9", None, 403),
        (App::new().authenticator(badge), "127.0.0.1", None, 401),
        (App::new().authenticator(badge), "127.0.0.1", Some("root"), 200),
        (App::new().authenticator(badge), "203.0.113.9", Some("root"), 200),
        (proxies("127.0.0.0/8"), "127.0.0.1", None, 403),
        (proxies("10.0.0.0/8"), "127.0.0.1", None, 200),
        (proxies("10.0.0.0/8"), "10.0.0.1", None, 403),
    ] {
        assert_eq!(status_for(app, dir.path(), peer, token).await, status, "{peer} {token:?}");
    }
}

/// A page of `mine` that was written to twice and changed once, and the numbers of its turns, newest first.
async fn with_notes(home: &Home) -> Vec<i64> {
    let stub = home.edge().node().agent::<Notebook>("mine");
    stub.write("milk").await.unwrap();
    stub.write("bread").await.unwrap();
    stub.replace(1, "oat milk").await.unwrap();
    let turns = get(home, "history").await["turns"].clone();
    turns.as_array().unwrap().iter().map(|turn| turn["turn"].as_i64().unwrap()).collect()
}

async fn ask(home: &Home, method: Method, path: &str, body: impl Into<Body>) -> Response<Body> {
    let request = Request::builder().method(method).uri(path).header("host", "localhost:1");
    home.service().oneshot(request.body(body.into()).unwrap()).await.unwrap()
}

async fn read(response: Response<Body>) -> (u16, Bytes) {
    let status = response.status().as_u16();
    (status, response.into_body().collect().await.unwrap().to_bytes())
}

fn mine(rest: &str) -> String {
    format!("/_hostel/agents/notebook/mine/{rest}")
}

async fn get(home: &Home, rest: &str) -> Value {
    let (status, body) = read(ask(home, Method::GET, &mine(rest), Body::empty()).await).await;
    assert_eq!(status, 200, "{body:?}");
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn turns_and_differences_have_rows_by_table() {
    let dir = tempfile::tempdir().unwrap();
    let home = open(dir.path()).await;
    let turns = with_notes(&home).await;
    let history = get(&home, "history?changes=true&limit=2").await;
    let newest = &history["turns"][0];
    assert_eq!((&newest["cause"]["event"], &newest["cause"]["what"]), (&json!("call"), &json!("replace")));
    assert_eq!(newest["changes"]["tables"], json!([{"name": "notes", "added": 0, "removed": 0, "changed": 1}]));
    assert_eq!(history["next"], json!(turns[1]));
    let difference = get(&home, &format!("diff?from={}&to={}", turns[2], turns[0])).await;
    let table = &difference["tables"][0];
    assert_eq!(table["added"], json!([{"id": 2, "text": "bread"}]));
    assert_eq!(table["changed"], json!([[{"id": 1, "text": "milk"}, {"id": 1, "text": "oat milk"}]]));
    let one = get(&home, &format!("diff?from={}&rows=1", turns[3])).await;
    assert_eq!(one["tables"][0]["more"], json!(1), "{one}");
}

#[tokio::test]
async fn an_agent_goes_back_and_is_copied_with_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    let home = open(dir.path()).await;
    let turns = with_notes(&home).await;
    let first = json!({"at": turns[2].to_string()});
    let (status, body) = read(ask(&home, Method::POST, &mine("restore"), first.to_string()).await).await;
    assert_eq!(status, 200, "{body:?}");
    let now = get(&home, &format!("diff?from={}", turns[2])).await;
    assert_eq!((&now["state"], &now["tables"]), (&json!([]), &json!([])));
    let fork = json!({"name": "copy", "at": turns[0].to_string()});
    let (status, body) = read(ask(&home, Method::POST, &mine("fork"), fork.to_string()).await).await;
    assert_eq!(status, 200, "{body:?}");
    let (status, body) = read(ask(&home, Method::POST, &mine("fork"), fork.to_string()).await).await;
    let refused: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &refused["code"]), (409, &json!("agent_exists")), "{refused}");
}

#[tokio::test]
async fn an_export_can_be_imported_under_another_name() {
    let dir = tempfile::tempdir().unwrap();
    let home = open(dir.path()).await;
    with_notes(&home).await;
    let response = ask(&home, Method::GET, &mine("export"), Body::empty()).await;
    assert_eq!(response.headers()["content-type"], "application/x-tar");
    let (_, file) = read(response).await;
    let arrive = ask(&home, Method::POST, "/_hostel/import?as=Notebook/other", file).await;
    let (status, body) = read(arrive).await;
    assert_eq!(status, 200, "{body:?}");
    let arrived: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(arrived, json!({"agent": "notebook/other", "turns": 4, "replaced": []}));
    let unfinished = std::fs::read_dir(dir.path().join("tmp")).unwrap().count();
    assert_eq!(unfinished, 0, "the uploaded file is left");
}

#[tokio::test]
async fn an_agent_under_another_is_reached_by_its_address() {
    let dir = tempfile::tempdir().unwrap();
    let home = open(dir.path()).await;
    with_notes(&home).await;
    let (_, file) = read(ask(&home, Method::GET, &mine("export"), Body::empty()).await).await;
    let arrive = "/_hostel/import?as=Notebook/mine/sub/Notebook/c%25201";
    let (status, body) = read(ask(&home, Method::POST, arrive, file).await).await;
    assert_eq!(status, 200, "{body:?}");
    let arrived: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(arrived, json!({"agent": "notebook/mine/sub/notebook/c%201", "turns": 4, "replaced": []}));
    let inner = |rest: &str| format!("/_hostel/agents/notebook/mine%2Fsub%2Fnotebook%2Fc%25201/{rest}");
    let fetch = async |path: &str| {
        let (status, body) = read(ask(&home, Method::GET, path, Body::empty()).await).await;
        assert_eq!(status, 200, "{path}: {body:?}");
        serde_json::from_slice::<Value>(&body).unwrap()
    };
    assert_eq!(fetch(&inner("history")).await["turns"][0]["cause"]["event"], "import");
    assert_eq!(fetch(&inner("state")).await["awake"], false);
    let listed = fetch("/_hostel/agents/notebook").await;
    let inner = listed["agents"].as_array().unwrap().iter().find(|agent| agent["name"] == "c 1").unwrap();
    assert_eq!(inner["parent"], "notebook/mine");
}

#[tokio::test]
async fn what_cannot_be_understood_is_a_problem_document() {
    let dir = tempfile::tempdir().unwrap();
    let home = open(dir.path()).await;
    with_notes(&home).await;
    let get = |path: &str| (Method::GET, path.to_owned(), String::new());
    let post = |path: &str, body: &str| (Method::POST, path.to_owned(), body.to_owned());
    for ((method, path, body), code) in [
        (get(&mine("history?limit=many")), "malformed_request"),
        (get(&mine("diff")), "malformed_request"),
        (get(&mine("diff?from=soon")), "moment_invalid"),
        (get(&mine("export?format=zip")), "malformed_request"),
        (get("/_hostel/agents/notebook/nobody/export"), "agent_not_found"),
        (get("/_hostel/agents/nobook/mine/history"), "unknown_agent"),
        (post(&mine("restore"), "{}"), "malformed_request"),
        (post("/_hostel/import?as=notebook", ""), "malformed_request"),
        (post("/_hostel/import?as=notebook/a", "no tar"), "export_invalid"),
        (post("/_hostel/import?format=durable-object", ""), "malformed_request"),
        (post("/_hostel/backup", r#"{"dir": "here"}"#), "malformed_request"),
    ] {
        let response = ask(&home, method, &path, body).await;
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
        let (_, body) = read(response).await;
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["code"], code, "{path}: {problem}");
    }
}

#[tokio::test]
async fn only_this_machine_may_ask() {
    let dir = tempfile::tempdir().unwrap();
    let home = open(dir.path()).await;
    with_notes(&home).await;
    for path in [mine("history"), mine("export"), "/_hostel/agents".to_owned()] {
        let request = Request::get(&path).header("host", "localhost:1").header("x-forwarded-for", "203.0.113.9");
        let response = home.service().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 403, "{path}");
    }
}

async fn post(home: &Home, rest: &str, sent: Value) -> (u16, Value) {
    let (status, body) = read(ask(home, Method::POST, &mine(rest), sent.to_string()).await).await;
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn what_is_on_order_is_listed_and_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let home = open(dir.path()).await;
    home.edge().node().agent::<Notebook>("mine").write("milk").await.unwrap();
    let listed = get(&home, "schedules").await["schedules"].clone();
    assert_eq!(
        (&listed[0]["callback"], &listed[0]["type"], &listed[0]["intervalSeconds"], &listed[0]["declared"]),
        (&json!("tidy"), &json!("interval"), &json!(3600), &json!(true))
    );
    assert_eq!(get(&home, "schedules?type=cron").await["schedules"], json!([]));
    let (status, refused) = post(&home, "schedules/cancel", json!({"id": "nothing"})).await;
    assert_eq!((status, &refused["code"]), (404, &json!("run_unknown")), "{refused}");
    let (status, answer) = post(&home, "schedules/cancel", json!({"id": listed[0]["id"]})).await;
    assert_eq!((status, &answer["cancelled"]), (200, &listed[0]["id"]), "{answer}");
    assert_eq!(get(&home, "schedules").await["schedules"], json!([]));
    let path = "/_hostel/agents/notebook/min/schedules";
    let (status, body) = read(ask(&home, Method::GET, path, Body::empty()).await).await;
    let refused: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &refused["fix"]), (404, &json!("did you mean notebook/mine?")), "{refused}");
}

#[tokio::test]
async fn a_run_that_was_given_up_is_mended_and_run_again_or_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let home = open(dir.path()).await;
    let stub = home.edge().node().agent::<Notebook>("mine");
    let id = stub.send_to("nobody".into()).await.unwrap();
    let letters = until(&home, |letters| !letters.is_empty()).await;
    assert_eq!(
        (&letters[0]["id"], &letters[0]["args"], &letters[0]["code"], &letters[0]["reason"]),
        (&json!(id), &json!(["nobody"]), &json!("task_failed"), &json!("there is nobody"))
    );
    let (status, refused) = post(&home, "dead-letters/retry", json!({"id": id, "args": "ann"})).await;
    assert_eq!((status, &refused["code"]), (400, &json!("invalid_arguments")), "{refused}");
    let (status, answer) = post(&home, "dead-letters/retry", json!({"id": id, "args": ["ann"]})).await;
    assert_eq!((status, &answer["retried"]), (200, &json!(id)), "{answer}");
    while stub.title().await.unwrap() != "ann" {
        tokio::task::yield_now().await;
    }
    let id = stub.send_to("nobody".into()).await.unwrap();
    until(&home, |letters| !letters.is_empty()).await;
    let (status, _) = post(&home, "dead-letters/discard", json!({"id": id})).await;
    assert_eq!(status, 200);
    let (status, refused) = post(&home, "dead-letters/discard", json!({"id": id})).await;
    assert_eq!((status, &refused["code"]), (404, &json!("run_unknown")), "{refused}");
    assert_eq!(get(&home, "dead-letters").await["deadLetters"], json!([]));
}

/// The runs that were given up, as soon as they are as wished.
async fn until(home: &Home, wished: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    loop {
        let letters = get(home, "dead-letters").await["deadLetters"].as_array().unwrap().clone();
        if wished(&letters) {
            return letters;
        }
        tokio::task::yield_now().await;
    }
}

async fn clerk(home: &Home, method: Method, rest: &str, body: Value) -> (u16, Value) {
    let sent = if body.is_null() { String::new() } else { body.to_string() };
    let path = format!("/_hostel/agents/clerk/main/runs{rest}");
    let (status, answer) = read(ask(home, method, &path, sent).await).await;
    (status, serde_json::from_slice(&answer).unwrap())
}

#[tokio::test]
async fn runs_are_started_listed_answered_and_ended() {
    let dir = tempfile::tempdir().unwrap();
    let home = open(dir.path()).await;
    let (status, refused) = clerk(&home, Method::GET, "", Value::Null).await;
    assert_eq!((status, &refused["code"]), (404, &json!("agent_not_found")));
    let wanted = json!({"task": "refund", "args": [500], "key": "one"});
    let (status, started) = clerk(&home, Method::POST, "", wanted.clone()).await;
    assert_eq!((status, &started["accepted"]), (200, &json!(true)), "{started}");
    assert_eq!(clerk(&home, Method::POST, "", wanted).await.1["accepted"], false);
    let run = format!("/{}", started["id"].as_str().unwrap());
    let until = async |wanted: &str| loop {
        let (_, shown) = clerk(&home, Method::GET, &run, Value::Null).await;
        if shown["status"] == wanted {
            break shown;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    let shown = until("waiting").await;
    assert_eq!((&shown["steps"][0]["kind"], &shown["steps"][0]["payload"]), (&json!("approval"), &json!(500)));
    let (_, page) = clerk(&home, Method::GET, "?status=waiting&limit=5", Value::Null).await;
    assert_eq!(page["runs"].as_array().unwrap().len(), 1);
    let yes = json!({"request": "refund", "approved": true, "by": "ann"});
    assert_eq!(clerk(&home, Method::POST, &format!("{run}/answer"), yes.clone()).await.1["accepted"], true);
    let (status, second) = clerk(&home, Method::POST, &format!("{run}/answer"), yes).await;
    assert_eq!((status, &second["accepted"], &second["answer"]["by"]), (200, &json!(false), &json!("ann")));
    let paid = json!({"event": "paid", "value": "receipt"});
    assert_eq!(clerk(&home, Method::POST, &format!("{run}/send"), paid).await.0, 200);
    assert_eq!(until("completed").await["result"], "receipt by ann");
    for (what, code) in [("cancel", "run_over"), ("pause", "run_over"), ("dance", "malformed_request")] {
        assert_eq!(clerk(&home, Method::POST, &format!("{run}/{what}"), Value::Null).await.1["code"], code, "{what}");
    }
    let (_, again) = clerk(&home, Method::POST, &format!("{run}/restart"), Value::Null).await;
    assert_eq!(again["status"], "queued");
    assert_eq!(clerk(&home, Method::POST, &format!("{run}/cancel"), json!({"reason": "no"})).await.1["error"], "no");
    assert_eq!(clerk(&home, Method::POST, &format!("{run}/delete"), Value::Null).await.1["deleted"], true);
    assert_eq!(clerk(&home, Method::GET, &run, Value::Null).await.1["code"], "run_unknown");
}

#[tokio::test]
async fn what_is_on_order_can_be_listed_while_the_server_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let home = open(dir.path()).await;
    let stub = home.edge().node().agent::<Notebook>("mine");
    stub.write("milk").await.unwrap();
    stub.send_to("nobody".into()).await.unwrap();
    until(&home, |letters| !letters.is_empty()).await;
    let (_, started) = clerk(&home, Method::POST, "", json!({"task": "refund", "args": [500]})).await;
    let run = started["id"].as_str().unwrap().to_owned();
    while clerk(&home, Method::GET, &format!("/{run}"), Value::Null).await.1["status"] != "waiting" {
        tokio::task::yield_now().await;
    }
    let (schedules, letters) = (get(&home, "schedules").await, get(&home, "dead-letters").await);
    let (_, shown) = clerk(&home, Method::GET, &format!("/{run}"), Value::Null).await;
    home.edge().node().shutdown(std::time::Duration::from_secs(10)).await;
    drop((stub, home));
    let stopped = loop {
        match hostel_server::offline::Offline::open(dir.path()) {
            Err(refused) if refused.code == "storage_locked" => tokio::task::yield_now().await,
            opened => break opened.unwrap(),
        }
    };
    assert_eq!(stopped.schedules("notebook", "mine").unwrap(), schedules);
    assert_eq!(stopped.dead_letters("notebook", "mine").unwrap(), letters);
    assert_eq!(stopped.run("clerk", "main", &run).unwrap(), shown);
    let waiting = stopped.runs("clerk", "main", json!({"status": "waiting", "limit": 5})).unwrap();
    assert_eq!(waiting["runs"][0]["id"], json!(run));
    assert_eq!(stopped.runs("clerk", "main", json!({"status": "failed"})).unwrap()["runs"], json!([]));
    let refused = stopped.schedules("notebook", "min").unwrap_err();
    assert_eq!((&*refused.code, refused.fix.as_deref()), ("agent_not_found", Some("did you mean notebook/mine?")));
    assert_eq!(stopped.run("clerk", "main", "none").unwrap_err().code, "run_unknown");
}
