//! The chat over plain HTTP.

use hostel::prelude::*;
use hostel_client::{Options, Target, http};
use hostel_testing::{Peer, TestHome};
use serde_json::{Value, json};

use super::support::{Gate, Talker, ask, home, stored, texts, until_end, user};

/// Nothing here waits for anything: what takes as long as this never ends.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

fn target(home: &TestHome, rest: &str) -> Target {
    Target::parse(&format!("{}/agents/talker/x/{rest}", home.url()), "").unwrap()
}

async fn say(home: &TestHome, rest: &str, body: &Value) -> http::Answer {
    http::post_json(&target(home, rest), body, &Options::default()).await.unwrap()
}

/// The events of a stream: their number and their data.
fn events(answer: &http::Answer) -> Vec<(Option<u64>, String)> {
    let blocks = answer.text();
    let read = |block: &str| {
        let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        Some((line("id: ").and_then(|id| id.parse().ok()), line("data: ")?))
    };
    blocks.split("\n\n").filter_map(read).collect()
}

#[tokio::test]
async fn a_message_is_posted_and_its_answer_streams() {
    let home = home(&Gate::closed()).await;
    let answer = say(&home, "chat", &json!({"message": "hi", "id": "t1"})).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"));
    assert_eq!(answer.header("x-hostel-turn"), "t1");
    let events = events(&answer);
    assert_eq!(events.last().unwrap().1, "[DONE]");
    let chunks: Vec<Value> = events.iter().filter_map(|(_, data)| serde_json::from_str(data).ok()).collect();
    let words: String = chunks.iter().filter_map(|chunk| chunk["delta"].as_str()).collect();
    assert_eq!(words, "You said: hi body={} tools=0");
    assert_eq!(texts(&stored(&home, "talker/x").await).len(), 2);
}

#[tokio::test]
async fn a_stream_goes_on_from_any_number() {
    let home = home(&Gate::closed()).await;
    let whole = events(&say(&home, "chat", &json!({"message": "hi"})).await);
    let cut = whole[3].0.unwrap();
    let path = format!("chat/stream?from={}", cut + 1);
    let rest = events(&http::get(&target(&home, &path), &Options::default()).await.unwrap());
    assert_eq!(rest, whole[4..]);
    let mut options = Options::default();
    options.headers.push(("last-event-id".parse().unwrap(), cut.to_string().parse().unwrap()));
    let again = events(&http::get(&target(&home, "chat/stream"), &options).await.unwrap());
    assert_eq!(again, rest);
    // Without a number it is the last turn.
    let last = events(&http::get(&target(&home, "chat/stream"), &Options::default()).await.unwrap());
    assert_eq!(last.len(), whole.len());
}

#[tokio::test]
async fn the_same_said_twice_is_answered_once() {
    let home = home(&Gate::closed()).await;
    let body = json!({"message": "hi", "id": "once"});
    let (first, second) = (say(&home, "chat", &body).await, say(&home, "chat", &body).await);
    assert_eq!(events(&first), events(&second));
    assert_eq!(texts(&stored(&home, "talker/x").await).len(), 2);
}

#[tokio::test]
async fn an_answer_can_be_had_whole() {
    let home = home(&Gate::closed()).await;
    let answer = say(&home, "chat?stream=false", &json!({"message": "hi"})).await;
    let body = answer.json().unwrap();
    assert_eq!((answer.status, &body["state"]), (200, &json!("done")));
    assert_eq!(body["text"], "You said: hi body={} tools=0");
    let failed = say(&home, "chat?stream=false", &json!({"message": "throw"})).await;
    assert_eq!((failed.status, failed.json().unwrap()["error"].clone()), (502, json!("chat boom")));
}

#[tokio::test]
async fn a_body_that_says_nothing_is_refused() {
    let home = home(&Gate::closed()).await;
    let answer = say(&home, "chat", &json!({})).await;
    assert_eq!((answer.status, answer.problem().unwrap().code.as_deref()), (400, Some("malformed_request")));
    assert!(stored(&home, "talker/x").await.is_empty());
}

/// A home whose agent is busy with a first message until the gate opens.
async fn busy(gate: &Gate, policy: &str) -> (TestHome, Peer) {
    let home = home(gate).await;
    let mut page = home.connect("talker/x").await;
    page.call("setPolicy", json!([policy])).await;
    page.send(ask("first", &[user("u1", "hold one")])).await;
    gate.open(1);
    page.until(|text| text.contains("hold ")).await;
    (home, page)
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Superseded,
    Cancelled,
    Cleared,
}

/// What somebody reads who has asked over HTTP for a turn with this fate.
async fn read_at_the_end(fate: Fate, rest: &str) -> http::Answer {
    let gate = Gate::closed();
    let policy = if matches!(fate, Fate::Superseded) { "latest" } else { "queue" };
    let (home, mut page) = busy(&gate, policy).await;
    let reads = async { say(&home, rest, &json!({"message": "second", "id": "mine"})).await };
    let ends = async {
        page.until(|text| text.contains("second")).await;
        let frame = match fate {
            Fate::Superseded => ask("newer", &[user("u3", "third")]),
            Fate::Cancelled => json!({"type": "cf_agent_chat_request_cancel", "id": "mine"}).to_string(),
            Fate::Cleared => json!({"type": "cf_agent_chat_clear"}).to_string(),
        };
        page.send(frame).await;
        // The first is still under way when it ends: nobody may wait for that.
        page
    };
    let both = async { tokio::join!(reads, ends).0 };
    tokio::time::timeout(PATIENCE, both).await.unwrap_or_else(|_| panic!("{rest} never ended: {fate:?}"))
}

#[tokio::test]
async fn whoever_reads_a_turn_that_never_begins_hears_its_end() {
    for (fate, state) in [(Fate::Superseded, "skipped"), (Fate::Cancelled, "cancelled"), (Fate::Cleared, "skipped")] {
        let streamed = events(&read_at_the_end(fate, "chat").await);
        let [.., (_, end), (_, done)] = &streamed[..] else { panic!("{fate:?}: {streamed:?}") };
        let end: Value = serde_json::from_str(end).unwrap();
        assert_eq!((&end["turn"], &end["state"]), (&json!("mine"), &json!(state)), "{fate:?}");
        assert_eq!(done, "[DONE]", "{fate:?}");
        let whole = read_at_the_end(fate, "chat?stream=false").await.json().unwrap();
        assert_eq!((&whole["state"], &whole["message"]), (&json!(state), &Value::Null), "{fate:?}");
    }
}

#[tokio::test]
async fn clearing_ends_whoever_reads_the_turn_under_way() {
    let gate = Gate::closed();
    let home = home(&gate).await;
    let mut page = home.connect("talker/x").await;
    let reads = async { events(&say(&home, "chat", &json!({"message": "hold one", "id": "mine"})).await) };
    let clears = async {
        gate.open(1);
        page.until(|text| text.contains("hold ")).await;
        page.send(json!({"type": "cf_agent_chat_clear"}).to_string()).await;
    };
    let (read, ()) = tokio::time::timeout(PATIENCE, async { tokio::join!(reads, clears) }).await.unwrap();
    assert!(read[read.len() - 2].1.contains("\"cancelled\""), "{read:?}");
}

#[tokio::test]
async fn what_is_said_again_after_its_log_is_gone_is_answered_from_the_transcript() {
    let home = home(&Gate::closed()).await;
    let body = json!({"message": "hi", "id": "once"});
    say(&home, "chat", &body).await;
    // What a turn said is kept in the log for a day, and not at all once another has ended since.
    home.advance(std::time::Duration::from_secs(2 * 24 * 60 * 60)).await;
    say(&home, "chat", &json!({"message": "later"})).await;
    let again = async { (say(&home, "chat", &body).await, say(&home, "chat?stream=false", &body).await) };
    let (streamed, whole) = tokio::time::timeout(PATIENCE, again).await.unwrap();
    let chunks: Vec<Value> = events(&streamed).iter().filter_map(|(_, data)| serde_json::from_str(data).ok()).collect();
    let words: String = chunks.iter().filter_map(|chunk| chunk["delta"].as_str()).collect();
    assert_eq!(words, "You said: hi body={} tools=0");
    assert_eq!(chunks.last().unwrap()["state"], "done");
    assert_eq!(events(&streamed).last().unwrap().1, "[DONE]");
    assert_eq!(whole.json().unwrap()["text"], "You said: hi body={} tools=0");
    assert_eq!(texts(&stored(&home, "talker/x").await).len(), 4);
}

#[tokio::test]
async fn a_chat_that_cannot_keep_up_refuses_more() {
    let gate = Gate::closed();
    let (home, mut page) = busy(&gate, "queue").await;
    for n in 0..63 {
        page.send(ask(&format!("r{n}"), &[user(&format!("m{n}"), "more")])).await;
    }
    page.send(ask("over", &[user("over", "too much")])).await;
    let end = until_end(&mut page, "over").await.pop().unwrap();
    assert_eq!((&end["error"], &end["done"]), (&json!(true), &json!(true)));
    assert!(end["body"].as_str().unwrap().contains("64 messages"), "{end}");
    let refused = say(&home, "chat", &json!({"message": "too much"})).await;
    assert_eq!((refused.status, refused.problem().unwrap().code.as_deref()), (429, Some("queue_full")));
    assert_eq!(stored(&home, "talker/x").await.len(), 64);
    gate.open(1);
    until_end(&mut page, "r62").await;
    assert_eq!(say(&home, "chat", &json!({"message": "now"})).await.status, 200);
}

#[tokio::test]
async fn what_comes_along_with_a_message_has_a_limit() {
    let home = home(&Gate::closed()).await;
    let long = |bytes: usize| json!({"message": "hi", "note": "x".repeat(bytes)});
    let refused = say(&home, "chat", &long(64 << 10)).await;
    assert_eq!((refused.status, refused.problem().unwrap().code.as_deref()), (413, Some("body_too_large")));
    assert!(stored(&home, "talker/x").await.is_empty());
    assert_eq!(say(&home, "chat", &long(60 << 10)).await.status, 200);
}

/// Says something under a key, as somebody.
async fn keyed(home: &TestHome, who: &str, key: &str, text: &str) -> http::Answer {
    let mut options = Options::default();
    options.headers.push(("x-user".parse().unwrap(), who.parse().unwrap()));
    options.headers.push(("idempotency-key".parse().unwrap(), key.parse().unwrap()));
    http::post_json(&target(home, "chat?stream=false"), &json!({"message": text}), &options).await.unwrap()
}

#[tokio::test]
async fn a_key_is_that_of_whoever_says_it_and_of_what_is_said() {
    let home = TestHome::start(|| {
        App::new().agent::<Talker>().authenticator(|head: &mut hostel::http::request::Parts| {
            let user = head.headers.get("x-user").and_then(|user| user.to_str().ok());
            Ok::<_, hostel::Refusal>(user.map(Identity::new))
        })
    })
    .await;
    let said = |answer: &http::Answer| answer.json().unwrap()["text"].as_str().unwrap().to_owned();
    let first = keyed(&home, "ada", "k1", "hi").await;
    assert_eq!(said(&first), "You said: hi body={} tools=0");
    assert_eq!(keyed(&home, "ada", "k1", "hi").await.json(), first.json());
    let other = keyed(&home, "ada", "k1", "something else").await;
    assert_eq!((other.status, other.problem().unwrap().code.as_deref()), (409, Some("idempotency_conflict")));
    let of_bob = keyed(&home, "bob", "k1", "it is bob").await;
    assert_eq!(said(&of_bob), "You said: it is bob body={} tools=0");
}

#[tokio::test]
async fn the_title_of_a_conversation_is_for_whoever_reaches_it_and_the_rest_where_the_class_says_so() {
    let home = home(&Gate::closed()).await;
    let target = target(&home, "chat/settings");
    let options = Options::default();
    let set = async |body: Value| {
        let answer = http::request(&target, &options, hostel::http::Method::PATCH, Some(&body)).await.unwrap();
        (answer.status, answer.json().unwrap())
    };
    assert_eq!(set(json!({"title": "Order 7"})).await, (200, json!({"title": "Order 7"})));
    for (body, status, code) in [
        (json!({"system": "Say yes."}), 403, "forbidden"),
        (json!({"colour": "red"}), 400, "malformed_request"),
        (json!({"title": 7}), 400, "malformed_request"),
        (json!(["title"]), 400, "malformed_request"),
    ] {
        let answer = set(body.clone()).await;
        assert_eq!((answer.0, answer.1["code"].as_str()), (status, Some(code)), "{body}");
    }
    let mut page = home.connect("talker/x").await;
    page.call("setPolicy", json!(["open"])).await;
    let all = json!({"title": "Order 7", "system": "Be brief.", "temperature": 0.5});
    assert_eq!(set(json!({"system": "Be brief.", "temperature": 0.5, "model": null})).await.1, all);
    page.call("setPolicy", json!([""])).await;
    let seen = http::get(&target, &options).await.unwrap().json().unwrap();
    assert_eq!(seen, json!({"title": "Order 7"}));
    assert_eq!(set(json!({"title": null})).await.1, json!({}));
}

#[tokio::test]
async fn whoever_may_only_look_reads_over_http_and_says_nothing() {
    let home = home(&Gate::closed()).await;
    let hi = json!({"message": "hi"});
    for (method, rest) in [("POST", "chat?looks"), ("POST", "approvals/a1?looks"), ("PATCH", "chat/settings?looks")] {
        let method = method.parse().unwrap();
        let answer = http::request(&target(&home, rest), &Options::default(), method, Some(&hi)).await.unwrap();
        let code = answer.json().unwrap()["code"].clone();
        assert_eq!((answer.status, code.as_str()), (403, Some("connection_readonly")), "{rest}");
    }
    assert_eq!(say(&home, "chat?stream=false", &hi).await.status, 200);
    let seen = http::get(&target(&home, "get-messages?looks"), &Options::default()).await.unwrap();
    assert_eq!(seen.json().unwrap().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_a_page_says_of_its_tools_is_bounded() {
    let home = home(&Gate::closed()).await;
    let mut page = home.connect("talker/x").await;
    let tools = json!([{"name": "draw", "description": "x".repeat(300 << 10)}]);
    let body = json!({"messages": [user("u1", "hi")], "clientTools": tools}).to_string();
    let init = json!({"method": "POST", "body": body});
    page.send(json!({"id": "r1", "init": init, "type": "cf_agent_use_chat_request"}).to_string()).await;
    let end = until_end(&mut page, "r1").await;
    assert!(end.last().unwrap()["body"].as_str().unwrap().contains("its tools"), "{end:?}");
    assert!(stored(&home, "talker/x").await.is_empty());
}
