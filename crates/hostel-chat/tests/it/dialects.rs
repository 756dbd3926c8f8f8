//! Clients of other times, side by side with those of today.

use hostel_testing::{CrashPoint, Peer, TestHome};
use serde_json::{Value, json};

use super::support::{Gate, ack, ask, home, next, probe, until_end, user};

/// As the first clients ask.
fn old(id: &str, text: &str) -> String {
    let message = json!({"id": "u1", "role": "user", "content": text, "parts": [{"type": "text", "text": text}]});
    let body = json!({"id": "chat", "messages": [message]}).to_string();
    json!({"id": id, "url": "/api/chat", "type": "cf_agent_use_chat_request",
        "init": {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": body}})
    .to_string()
}

fn stream_of(frames: &[Value], id: &str) -> String {
    let of_turn = frames.iter().filter(|frame| frame["id"] == id);
    of_turn.map(|frame| frame["body"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_client_of_the_first_generation_gets_its_own_stream_while_others_get_theirs() {
    let home = home(&Gate::closed()).await;
    let (mut first, mut today) = (home.connect("talker/x").await, home.connect("talker/x").await);
    // A page that has not shown what it understands is taken for one of those that talk here.
    today.send(probe("p")).await;
    next(&mut today).await;
    first.send(old("r1", "hi")).await;
    let frames = until_end(&mut first, "r1").await;
    let stream = stream_of(&frames, "r1");
    assert!(stream.starts_with("f:{\"messageId\":\""), "{stream}");
    assert!(stream.contains("0:\"You \"\n") && stream.contains("d:{\"finishReason\":\"stop\""), "{stream}");
    assert!(frames.iter().all(|frame| frame["seq"].is_null()));
    let frames = until_end(&mut today, "r1").await;
    assert!(stream_of(&frames, "r1").contains(r#"{"type":"text-delta""#));
    // Another's turn: its transcript has messages as it knows them.
    today.send(ask("r2", &[user("u2", "again")])).await;
    let transcript = loop {
        let frame = next(&mut first).await;
        if frame["type"] == "cf_agent_chat_messages" {
            break frame;
        }
    };
    assert!(transcript["messages"].as_array().unwrap().iter().all(|message| message["content"].is_string()));
}

/// As the clients of the AI SDK 5 ask.
fn strict(id: &str, text: &str) -> String {
    let mut frame: Value = serde_json::from_str(&ask(id, &[user("u1", text)])).unwrap();
    frame["url"] = json!("/agents/talker/x");
    frame.to_string()
}

/// The states of the calls in the transcripts that a page gets as it comes back, and those of its end among them.
async fn shown(page: &mut Peer) -> Vec<Value> {
    let mut states = Vec::new();
    page.send(probe("p")).await;
    loop {
        let frame: Value = serde_json::from_str(&page.until(|_| true).await).unwrap();
        let calls =
            frame["messages"][1]["parts"].as_array().into_iter().flatten().filter(|part| !part["toolCallId"].is_null());
        match frame["type"].as_str().unwrap_or_default() {
            "cf_agent_chat_messages" => states.push(calls.map(|call| call["state"].clone()).collect()),
            "cf_agent_use_chat_response" => states.push(json!("end")),
            "cf_agent_stream_resume_none" => return states,
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_call_is_offered_again_to_a_page_of_the_second_generation_that_comes_back() {
    let mut home = home(&Gate::closed()).await;
    let mut page = home.connect("talker/x?_pk=page").await;
    page.send(strict("r1", "tool")).await;
    until_end(&mut page, "r1").await;
    // It has run the tool and said so, which nobody heard: it says it again once the call was gone from its messages.
    home.crash().await;
    let mut page = home.connect("talker/x?_pk=page").await;
    assert_eq!(shown(&mut page).await, [json!("end"), json!([]), json!(["input-available"])]);
    let mut today = home.connect("talker/x?_pk=today").await;
    today.send(probe("p")).await;
    today
        .send(
            json!({"type": "cf_agent_tool_result", "toolCallId": "tc1", "toolName": "getLocation", "output": 1})
                .to_string(),
        )
        .await;
    page.until_frame("cf_agent_message_updated").await;
    let mut page = home.connect("talker/x?_pk=page").await;
    assert_eq!(shown(&mut page).await, [json!("end"), json!(["output-available"])]);
}

/// What a page of today is told of the message with the call as it comes to `at`: the frame, and the states of the calls in it.
async fn told(home: &TestHome, at: &str) -> Vec<(String, Value)> {
    let mut page = home.connect(at).await;
    let mut told = Vec::new();
    loop {
        let frame: Value = serde_json::from_str(&page.until(|_| true).await).unwrap();
        let kind = frame["type"].as_str().unwrap_or_default();
        let message = if frame["message"].is_null() { &frame["messages"][1] } else { &frame["message"] };
        let calls = message["parts"].as_array().into_iter().flatten().filter(|part| !part["toolCallId"].is_null());
        match kind {
            "cf_agent_message_updated" | "cf_agent_chat_messages" => {
                told.push((kind.to_owned(), calls.map(|call| call["state"].clone()).collect()));
            }
            // The first that is not of the chat: what comes before anything else has come.
            "cf_agent_identity" => return told,
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_call_is_offered_again_to_a_page_of_today_that_has_seen_it() {
    let mut home = home(&Gate::closed()).await;
    let (mut page, mut other) = (home.connect("talker/x?_pk=page").await, home.connect("talker/x?_pk=other").await);
    page.send(ask("r1", &[user("u1", "tool")])).await;
    until_end(&mut page, "r1").await;
    until_end(&mut other, "r1").await;
    // Both have run the tool and said so, which nobody heard.
    home.crash().await;
    let shown = |state: &[&str]| ("cf_agent_chat_messages".to_owned(), json!(state));
    let again = || vec![("cf_agent_message_updated".to_owned(), json!([])), shown(&["input-available"])];
    assert_eq!(told(&home, "talker/x?_pk=page").await, again());
    assert_eq!(told(&home, "talker/x?_pk=other").await, again());
    // One that is loaded now has run nothing yet: what it is to forget it would do twice.
    // Nor does it write anything as it comes: the host would die of it.
    home.crash_at(CrashPoint::Committed, 1);
    assert_eq!(told(&home, "talker/x?_pk=new").await, [shown(&["input-available"])]);
    assert!(home.call_off_crash(), "a page that comes only reads");
    assert_eq!(told(&home, "talker/x?_pk=new").await, again());
    let mut page = home.connect("talker/x?_pk=page").await;
    let result = json!({"type": "cf_agent_tool_result", "toolCallId": "tc1", "toolName": "getLocation", "output": 1});
    page.send(result.to_string()).await;
    page.until(|text| text.contains("message_updated") && text.contains("output-available")).await;
    // What has arrived is not asked for again.
    assert_eq!(told(&home, "talker/x?_pk=other").await, [shown(&["output-available"])]);
}

#[tokio::test]
async fn a_call_is_offered_again_to_whoever_asked_and_was_away_at_the_end() {
    let gate = Gate::closed();
    let home = home(&gate).await;
    let mut page = home.connect("talker/x?_pk=page").await;
    page.send(ask("r1", &[user("u1", "gated-tool")])).await;
    while page.call("begun", json!([])).await == 0 {}
    page.leave().await;
    let mut other = home.connect("talker/x?_pk=other").await;
    gate.open(1);
    until_end(&mut other, "r1").await;
    // Some run a call as soon as they read it, in the middle of the answer.
    let told = told(&home, "talker/x?_pk=page").await;
    assert_eq!(told[0], ("cf_agent_message_updated".to_owned(), json!([])));
}

/// A page that comes back in the middle of an answer, which has made its call by then or makes it now: whether it is to forget that.
async fn forgets(home: &TestHome, gate: &Gate, at: &str, is_before: bool) -> bool {
    let at = format!("{at}?_pk=page");
    let mut page = home.connect(&at).await;
    page.send(ask("r1", &[user("u1", "slow-tool")])).await;
    page.until(|text| text.contains("start-step")).await;
    let is_call = |text: &str| text.contains("cf_agent_use_chat_response") && text.contains("tool-input-available");
    if is_before {
        gate.open(1);
        page.until(is_call).await;
    }
    page.leave().await;
    let mut page = home.connect(&at).await;
    page.send(ack("r1")).await;
    if !is_before {
        page.until(|text| text.contains("replayComplete")).await;
        gate.open(1);
    }
    page.until(is_call).await;
    gate.open(1);
    let frames = until_end(&mut page, "r1").await;
    frames.iter().any(|frame| frame["type"] == "cf_agent_message_updated")
}

#[tokio::test]
async fn a_page_that_comes_in_the_middle_forgets_only_the_calls_that_were_made_before() {
    let gate = Gate::closed();
    let home = home(&gate).await;
    assert!(forgets(&home, &gate, "talker/a", true).await, "what it said of it may be lost");
    assert!(!forgets(&home, &gate, "talker/b", false).await, "it would run it twice");
    // The call would be taken away, and a transcript that gives it back is not sent.
    let mut page = home.connect("talker/c").await;
    for id in ["l1", "l2", "l3"] {
        page.send(ask(id, &[user(id, &format!("none {}", "x".repeat(700 << 10)))])).await;
        until_end(&mut page, id).await;
    }
    page.leave().await;
    assert!(!forgets(&home, &gate, "talker/c", true).await, "it would never see it again");
}

#[tokio::test]
async fn a_question_is_not_offered_again() {
    let home = home(&Gate::closed()).await;
    let mut page = home.connect("talker/x?_pk=page").await;
    page.send(strict("r1", "approval")).await;
    until_end(&mut page, "r1").await;
    let mut page = home.connect("talker/x?_pk=page").await;
    assert_eq!(shown(&mut page).await, [json!("end"), json!(["input-available"])]);
}

#[tokio::test]
async fn a_failure_reaches_the_first_generation_as_a_line_of_its_stream() {
    let home = home(&Gate::closed()).await;
    let mut page = home.connect("talker/x").await;
    for (id, text, line) in [("r1", "throw", "3:\"chat boom\"\n"), ("r2", "errchunk", "3:\"ERR:mid stream\"\n")] {
        page.send(old(id, text)).await;
        let stream = stream_of(&until_end(&mut page, id).await, id);
        assert!(stream.ends_with(line), "{stream}");
    }
}
