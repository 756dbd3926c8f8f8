//! Webhooks: refused before an agent wakes, or kept once and handled, also over a `kill -9`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use hostel::{Delivery, Options, Retry, Target, Webhook, prelude::*};
use ring::hmac;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::process::{DIRECTORY, Process, http};

const SECRET: &str = "It's a Secret to Everybody";

#[derive(Default, Serialize, Deserialize)]
struct Repository {
    events: Vec<String>,
}

#[agent]
impl Repository {
    fn on_request(&self, cx: &Cx<Self>) -> Result<Response> {
        let letters = cx.dead_letters()?;
        let codes: Vec<_> = letters.iter().map(|letter| (letter.code.clone(), letter.source.clone())).collect();
        Ok(Response::new(Body::from(serde_json::to_string(&(&self.events, codes))?)))
    }

    #[task]
    fn on_webhook(&mut self, delivery: Delivery) -> Result<()> {
        if delivery.pointer("/fail").is_some() {
            return Err(Error::msg("it fails on purpose"));
        }
        assert!(
            !delivery.headers.contains_key("x-hub-signature-256") && !delivery.headers.contains_key("authorization")
        );
        self.events.push(delivery.event.unwrap_or_default());
        Ok(())
    }
}

fn application() -> App {
    let secret = || hostel::SecretValue::outright(SECRET);
    let github = Webhook::github(secret())
        .to::<Repository>(|delivery| match delivery.pointer("/repository/full_name") {
            Some(name) => Target::agent(name),
            None => Target::ignore("no repository"),
        })
        .retry(Retry { attempts: 2, first: Duration::from_millis(1), longest: Duration::from_millis(1) });
    let stripe = Webhook::stripe(secret()).to_named("repository", "{/account}").unwrap().most_bytes(1000);
    App::new().agent::<Repository>().options(Options::default()).webhook("github", github).webhook("stripe", stripe)
}

/// Serves until the process ends; says where.
async fn serve(app: App) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let home = app.start().await.unwrap();
    println!("\nat {address}");
    home.serve(listener, CancellationToken::new()).await.unwrap();
}

async fn in_memory() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let home = application().in_memory().start().await.unwrap();
    tokio::spawn(home.serve(listener, CancellationToken::new()));
    address
}

fn tag(body: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), body.as_bytes());
    data_encoding::HEXLOWER.encode(tag.as_ref())
}

/// Sends what GitHub would.
fn github(address: SocketAddr, id: &str, event: &str, body: &str) -> (u16, String) {
    let signature = format!("sha256={}", tag(body));
    let headers = [
        ("X-Hub-Signature-256", &*signature),
        ("X-GitHub-Delivery", id),
        ("X-GitHub-Event", event),
        ("Content-Type", "application/json"),
    ];
    http(address, "POST", "/hooks/github", &headers, body)
}

fn seen(address: SocketAddr, name: &str) -> (Vec<String>, Value) {
    let (status, body) = http(address, "GET", &format!("/agents/repository/{name}"), &[], "");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// Looks until the agent has seen so many.
fn until_seen(address: SocketAddr, name: &str, count: usize) -> Vec<String> {
    loop {
        let (events, _) = seen(address, name);
        if events.len() >= count {
            return events;
        }
    }
}

/// As the child of the test below: serves until it is killed.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(serve(application().data(PathBuf::from(directory))));
}

#[test]
fn threat_28_a_webhook_that_is_sent_again_after_kill_9_is_handled_once() {
    let directory = tempfile::tempdir().unwrap();
    for round in 1..=5 {
        let process = Process::start("it::webhooks::child", directory.path(), 1);
        let body = format!(r#"{{"repository":{{"full_name":"a"}},"n":{round}}}"#);
        let (status, first) = github(process.addresses[0], &format!("delivery-{round}"), "push", &body);
        assert_eq!(status, 202, "{first}");
        process.kill();
        let process = Process::start("it::webhooks::child", directory.path(), 1);
        let again = github(process.addresses[0], &format!("delivery-{round}"), "push", &body);
        assert_eq!(again, (202, first.clone()), "the same answer");
        let replayed = github(process.addresses[0], "another-id", "push", &body);
        assert_eq!(replayed, (202, first), "the id is not signed: what is signed decides");
        assert_eq!(until_seen(process.addresses[0], "a", round).len(), round);
        process.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_is_refused_before_any_agent_wakes() {
    let address = in_memory().await;
    let work = move || {
        let body = r#"{"repository":{"full_name":"a"}}"#;
        let code = |(status, body): (u16, String)| {
            let body: Value = serde_json::from_str(&body).unwrap();
            (status, body["code"].as_str().unwrap().to_owned())
        };
        let post = |path: &str, headers: &[(&str, &str)], body: &str| code(http(address, "POST", path, headers, body));
        assert_eq!(post("/hooks/github", &[], body), (401, "hook_signature".into()));
        assert_eq!(
            post("/hooks/github", &[("X-Hub-Signature-256", "sha256=00")], body),
            (401, "hook_signature".into())
        );
        assert_eq!(post("/hooks/gitlab", &[], body), (404, "hook_unknown".into()));
        let old = "t=1492774577";
        let signature = format!("{old},v1={}", tag(&format!("1492774577.{body}")));
        assert_eq!(post("/hooks/stripe", &[("Stripe-Signature", &signature)], body), (401, "hook_stale".into()));
        assert_eq!(post("/hooks/stripe", &[], &"x".repeat(1001)), (413, "body_too_large".into()));
        let now = jiff::Timestamp::now().as_second();
        let signature = format!("t={now},v1={}", tag(&format!("{now}.{body}")));
        assert_eq!(post("/hooks/stripe", &[("Stripe-Signature", &signature)], body), (422, "hook_unroutable".into()));
        let names = http(address, "GET", "/agents/repository", &[], "");
        assert_ne!(names.0, 200);
        let bad = (0..30).map(|_| post("/hooks/github", &[], body)).collect::<Vec<_>>();
        assert_eq!(bad.last().unwrap(), &(429, "hook_too_many".into()));
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_for_nobody_is_taken_and_left_and_one_that_fails_is_given_up_with_its_source() {
    let address = in_memory().await;
    let work = move || {
        assert_eq!(github(address, "1", "ping", "{}").0, 200);
        let body = r#"{"repository":{"full_name":"b"},"fail":1}"#;
        assert_eq!(github(address, "bad-one", "push", body).0, 202);
        let letters = loop {
            let (_, letters) = seen(address, "b");
            if letters != serde_json::json!([]) {
                break letters;
            }
        };
        assert_eq!(letters, serde_json::json!([["task_failed", "webhook github bad-one"]]));
        let form = "payload=%7B%22repository%22%3A%7B%22full_name%22%3A%22b%22%7D%7D";
        let signature = format!("sha256={}", tag(form));
        let headers = [
            ("X-Hub-Signature-256", &*signature),
            ("X-GitHub-Event", "star"),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        assert_eq!(http(address, "POST", "/hooks/github", &headers, form).0, 202);
        assert_eq!(until_seen(address, "b", 1), ["star"]);
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}

#[tokio::test]
async fn a_webhook_that_goes_nowhere_stops_the_start_with_what_to_do() {
    let nowhere = |hook: Webhook| App::new().agent::<Repository>().in_memory().webhook("x", hook).start();
    let hook = || Webhook::github(hostel::SecretValue::outright(SECRET));
    for (hook, word) in [
        (hook(), "goes nowhere"),
        (hook().to_named("repositry", "x").unwrap(), "repositry"),
        (hook().to::<Repository>(|_| Target::agent("x")).task("onPush"), "onPush"),
    ] {
        let error = nowhere(hook).await.unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
