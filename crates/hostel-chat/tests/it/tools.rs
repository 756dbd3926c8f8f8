//! Tools of the page, approvals, and the agent going on by itself.

use std::time::Duration;

use serde_json::{Value, json};

use super::support::{Gate, ack, ask, chunks, home, next, probe, stored, texts, until_end, user};

fn result(call: &str, go_on: bool) -> String {
    json!({"type": "cf_agent_tool_result", "toolCallId": call, "toolName": "getLocation", "output": {"city": "Paris"},
        "autoContinue": go_on, "clientTools": [{"name": "getLocation"}]})
    .to_string()
}

#[tokio::test]
async fn a_result_of_the_page_has_the_agent_go_on_with_the_same_message() {
    let home = home(&Gate::closed()).await;
    let (mut a, mut b) = (home.connect("talker/x").await, home.connect("talker/x").await);
    a.send(ask("t1", &[user("u1", "tool")])).await;
    until_end(&mut a, "t1").await;
    until_end(&mut b, "t1").await;
    let asked = stored(&home, "talker/x").await;

    a.send(result("tc1", true)).await;
    a.send(probe("tp")).await;
    let updated = next(&mut a).await;
    assert_eq!(updated["type"], "cf_agent_message_updated");
    let part = &updated["message"]["parts"][1];
    assert_eq!((&part["state"], &part["output"]), (&json!("output-available"), &json!({"city": "Paris"})));
    assert_eq!(next(&mut b).await, updated);
    let pending = next(&mut a).await;
    assert_eq!((&pending["type"], &pending["probeId"]), (&json!("cf_agent_stream_pending"), &json!("tp")));
    let id = pending["id"].as_str().unwrap().to_owned();
    home.advance(Duration::from_millis(50)).await;

    let at_b = until_end(&mut b, &id).await;
    let said = chunks(&at_b, &id);
    assert_eq!(said[0], (0, json!({"type": "start"})));
    assert!(at_b.iter().filter(|frame| frame["id"] == id.as_str()).all(|frame| frame["continuation"] == true));
    let end = json!({"body": "", "done": true, "id": id, "type": "cf_agent_use_chat_response", "continuation": true});
    assert_eq!(at_b.last(), Some(&end));
    let at_a = until_end(&mut a, &id).await;
    assert_eq!((at_a.len(), &at_a[0]), (2, &json!({"type": "cf_agent_stream_resuming", "id": id})));
    assert_eq!(next(&mut a).await["type"], "cf_agent_chat_messages");
    a.send(ack(&id)).await;
    let end = json!({"body": "", "done": true, "id": id, "type": "cf_agent_use_chat_response", "replay": true});
    assert_eq!(next(&mut a).await, end);

    let kept = stored(&home, "talker/x").await;
    assert_eq!((kept.len(), &kept[1]["id"]), (2, &asked[1]["id"]));
    let kinds: Vec<_> = kept[1]["parts"].as_array().unwrap().iter().map(|part| part["type"].clone()).collect();
    assert_eq!(kinds, ["step-start", "tool-getLocation", "step-start", "text"]);
}

#[tokio::test]
async fn a_page_that_acknowledges_an_answer_that_is_over_loses_nothing_it_has_said_since() {
    let home = home(&Gate::closed()).await;
    let mut page = home.connect("talker/x").await;
    page.send(ask("t1", &[user("u1", "tool")])).await;
    until_end(&mut page, "t1").await;
    page.send(result("tc1", true)).await;
    page.send(probe("tp")).await;
    page.until(|text| text.contains("cf_agent_stream_pending")).await;
    home.advance(Duration::from_millis(50)).await;
    let told = next(&mut page).await;
    assert_eq!(told["type"], "cf_agent_stream_resuming");
    // The whole answer, its end and the transcript are on their way before the acknowledgement arrives.
    let id = told["id"].as_str().unwrap().to_owned();
    until_end(&mut page, &id).await;
    let shown = next(&mut page).await["messages"].clone();
    assert_eq!(texts(shown.as_array().unwrap())[1].1, "continued");
    let mut said = shown.as_array().unwrap().clone();
    said.push(user("u2", "hello"));
    page.send(ack(&id)).await;
    page.send(ask("t2", &said)).await;
    let frames = until_end(&mut page, "t2").await;
    let transcripts: Vec<_> = frames.iter().filter(|frame| frame["type"] == "cf_agent_chat_messages").collect();
    assert_eq!(transcripts, Vec::<&Value>::new(), "the page shows its question already");
    // Of another, it is shown what there is: a page makes an empty message of a stream with nothing in it.
    page.send(ack("t1")).await;
    until_end(&mut page, "t1").await;
    assert_eq!(next(&mut page).await["type"], "cf_agent_chat_messages");
}

#[tokio::test]
async fn an_approval_goes_on_too_and_only_the_first_answer_counts() {
    let home = home(&Gate::closed()).await;
    let mut page = home.connect("talker/x").await;
    page.send(ask("t1", &[user("u1", "approval")])).await;
    until_end(&mut page, "t1").await;
    let answer = |approved: bool, go_on: bool| json!({"type": "cf_agent_tool_approval", "toolCallId": "ap1", "approved": approved, "autoContinue": go_on});
    page.send(answer(true, true).to_string()).await;
    let part = next(&mut page).await["message"]["parts"][1].clone();
    assert_eq!(part["approval"], json!({"id": "appr-1", "approved": true}));
    page.send(answer(false, true).to_string()).await;
    page.send(result("nope", true)).await;
    home.advance(Duration::from_millis(50)).await;
    // A page that never asked for streams to resume hears the continuation as it comes.
    let mut frames = vec![next(&mut page).await];
    let id = frames[0]["id"].as_str().unwrap().to_owned();
    frames.extend(until_end(&mut page, &id).await);
    assert_eq!(chunks(&frames, &id).len(), 7);
    let kept = stored(&home, "talker/x").await;
    assert_eq!(kept[1]["parts"][1]["state"], "approval-responded");
    assert_eq!(texts(&kept)[1].1, "continued");
    assert_eq!(page.call("begun", json!([])).await, 2);
}

/// What a page sends by itself that was told to once all calls of its last message are answered.
fn by_itself(id: &str, mut messages: Vec<Value>) -> String {
    messages[1]["parts"].as_array_mut().unwrap().truncate(2);
    ask(id, &messages)
}

#[tokio::test]
async fn a_page_that_asks_to_go_on_as_well_gets_no_second_answer() {
    let home = home(&Gate::closed()).await;
    let mut page = home.connect("talker/x").await;
    page.send(ask("t1", &[user("u1", "tool")])).await;
    until_end(&mut page, "t1").await;
    page.send(result("tc1", true)).await;
    let updated = next(&mut page).await["message"].clone();
    // The agent is to go on in a moment, and is asked to before that.
    page.send(by_itself("t2", vec![user("u1", "tool"), updated])).await;
    home.advance(Duration::from_millis(50)).await;
    until_end(&mut page, "t2").await;
    let kept = stored(&home, "talker/x").await;
    // And once more, when it has: the page had not heard of it yet.
    page.send(by_itself("t3", kept.clone())).await;
    let end = until_end(&mut page, "t3").await;
    assert_eq!(end.last().unwrap()["outcome"], "skipped");
    assert_eq!(stored(&home, "talker/x").await, kept);
    let texts: Vec<_> = kept[1]["parts"].as_array().unwrap().iter().filter(|part| part["type"] == "text").collect();
    assert_eq!(texts.len(), 1);
    assert_eq!(page.call("begun", json!([])).await, 2);
}

#[tokio::test]
async fn a_page_that_asks_to_go_on_while_the_agent_does_hears_that_it_did() {
    let gate = Gate::closed();
    let home = home(&gate).await;
    let mut page = home.connect("talker/x").await;
    let body = json!({"messages": [user("u1", "tool")], "trigger": "submit-message", "gated": true}).to_string();
    page.send(
        json!({"id": "t1", "init": {"method": "POST", "body": body}, "type": "cf_agent_use_chat_request"}).to_string(),
    )
    .await;
    until_end(&mut page, "t1").await;
    page.send(result("tc1", true)).await;
    home.advance(Duration::from_millis(50)).await;
    while page.call("begun", json!([])).await != 2 {}
    page.send(by_itself("t2", stored(&home, "talker/x").await)).await;
    gate.open(1);
    let end = until_end(&mut page, "t2").await;
    assert_eq!(end.last().unwrap()["outcome"], "skipped");
    assert_eq!(texts(&stored(&home, "talker/x").await)[1].1, "continued");
    assert_eq!(page.call("begun", json!([])).await, 2);
}

#[tokio::test]
async fn without_being_asked_to_the_agent_does_not_go_on() {
    let home = home(&Gate::closed()).await;
    let mut page = home.connect("talker/x").await;
    page.send(ask("t1", &[user("u1", "tool")])).await;
    until_end(&mut page, "t1").await;
    page.send(result("tc1", false)).await;
    let updated = next(&mut page).await["message"].clone();
    home.advance(Duration::from_secs(1)).await;
    assert_eq!(page.call("begun", json!([])).await, 1);
    // The page asks by itself, with the message that is to go on: its answer is part of that message.
    page.send(ask("t2", &[user("u1", "tool"), updated.clone()])).await;
    let frames = until_end(&mut page, "t2").await;
    assert_eq!(chunks(&frames, "t2")[0].1, json!({"type": "start", "messageId": updated["id"]}));
    assert!(frames.last().unwrap()["continuation"].is_null());
    let kept = stored(&home, "talker/x").await;
    assert_eq!((kept.len(), texts(&kept)[1].1.as_str()), (2, "continued"));
}

#[tokio::test]
async fn a_continuation_is_coalesced_across_a_crash() {
    let mut home = home(&Gate::closed()).await;
    let mut page = home.connect("talker/x").await;
    page.send(ask("t1", &[user("u1", "tool")])).await;
    until_end(&mut page, "t1").await;
    page.send(result("tc1", true)).await;
    assert_eq!(next(&mut page).await["type"], "cf_agent_message_updated");
    home.crash().await;
    home.advance(Duration::from_secs(1)).await;
    assert_eq!(texts(&stored(&home, "talker/x").await)[1].1, "continued");
}

#[tokio::test]
async fn two_tabs_that_answer_at_once_have_the_agent_go_on_once() {
    let home = home(&Gate::closed()).await;
    let (mut a, mut b) = (home.connect("talker/x").await, home.connect("talker/x").await);
    a.send(ask("t1", &[user("u1", "tool")])).await;
    until_end(&mut a, "t1").await;
    until_end(&mut b, "t1").await;
    a.send(result("tc1", true)).await;
    b.send(result("tc1", true)).await;
    assert_eq!(next(&mut a).await["type"], "cf_agent_message_updated");
    home.advance(Duration::from_secs(1)).await;
    assert_eq!(a.call("begun", json!([])).await, 2);
    assert_eq!(stored(&home, "talker/x").await[1]["parts"].as_array().map(Vec::len), Some(4));
}

#[tokio::test]
async fn two_messages_that_are_answered_at_once_are_both_gone_on_with() {
    let home = home(&Gate::closed()).await;
    let mut page = home.connect("talker/x").await;
    page.send(ask("t1", &[user("u1", "tool")])).await;
    until_end(&mut page, "t1").await;
    page.send(ask("t2", &[user("u1", "tool"), user("u2", "approval")])).await;
    until_end(&mut page, "t2").await;
    page.send(result("tc1", true)).await;
    assert_eq!(next(&mut page).await["type"], "cf_agent_message_updated");
    page.send(
        json!({"type": "cf_agent_tool_approval", "toolCallId": "ap1", "approved": true, "autoContinue": true})
            .to_string(),
    )
    .await;
    assert_eq!(next(&mut page).await["type"], "cf_agent_message_updated");
    home.advance(Duration::from_secs(1)).await;
    let said: Vec<_> = texts(&stored(&home, "talker/x").await).into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["tool", "continued", "approval", "continued"]);
}

#[tokio::test]
async fn a_continuation_is_for_whoever_asked_the_question_that_it_goes_on_with() {
    let home = home(&Gate::closed()).await;
    let mut page = home.connect("talker/x").await;
    let with = |id: &str, messages: &[serde_json::Value], whose: &str| {
        let body = json!({"messages": messages, "trigger": "submit-message", "whose": whose}).to_string();
        json!({"id": id, "init": {"method": "POST", "body": body}, "type": "cf_agent_use_chat_request"}).to_string()
    };
    page.send(with("t1", &[user("u1", "tool")], "the first's")).await;
    until_end(&mut page, "t1").await;
    page.send(with("t2", &[user("u1", "tool"), user("u2", "hi")], "the last's")).await;
    until_end(&mut page, "t2").await;
    page.send(result("tc1", true)).await;
    assert_eq!(next(&mut page).await["type"], "cf_agent_message_updated");
    home.advance(Duration::from_secs(1)).await;
    assert_eq!(texts(&stored(&home, "talker/x").await)[1].1, "continued for the first's");
}
