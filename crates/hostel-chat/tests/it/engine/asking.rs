//! Questions and answers.

use super::*;

#[tokio::test]
async fn a_tool_that_asks_waits_for_a_yes_from_a_page_and_the_answer_goes_on_in_the_same_message() {
    let (home, till) = home().await;
    let mut page = home.connect("clerk/x").await;
    page.send(ask("r1", &[user("u1", "refund 17")])).await;
    let said = chunks(&until_end(&mut page, "r1").await, "r1");
    let asked = said.iter().find(|(_, chunk)| chunk["type"] == "tool-approval-request").unwrap().1.clone();
    assert_eq!(till.0.load(Ordering::SeqCst), 0);
    let known = approvals(&mut page).await;
    // printf '{"cents":500}' | sha256sum
    let hash = "bb185f9448bf07202ca794fb2d89004a3912438ce06edf566193ffc72b3d8867";
    assert_eq!(known[0].input_sha256, hash);
    assert_eq!(
        (known[0].id.as_str(), &known[0].input),
        (asked["approvalId"].as_str().unwrap(), &json!({"cents": 500}))
    );
    page.send(approve(asked["toolCallId"].as_str().unwrap(), true)).await;
    until_continued(&home, &mut page).await;
    assert_eq!(parts(&home).await, WHOLE);
    assert_eq!(till.0.load(Ordering::SeqCst), 1);
    assert!(approvals(&mut page).await[0].settled_at.is_some());
}

#[tokio::test]
async fn an_approval_outlives_a_crash_and_is_answered_once_from_anywhere() {
    let (mut home, till) = home().await;
    let mut page = home.connect("clerk/x").await;
    page.send(ask("r1", &[user("u1", "refund 17")])).await;
    until_end(&mut page, "r1").await;
    home.crash().await;
    home.advance(Duration::from_secs(6 * 24 * 60 * 60)).await;
    let mut page = home.connect("clerk/x").await;
    let id = approvals(&mut page).await[0].id.clone();
    let first: Decided = serde_json::from_value(page.call("decide", json!([id, true, false])).await).unwrap();
    let second: Decided = serde_json::from_value(page.call("decide", json!([id, false, false])).await).unwrap();
    assert!(first.accepted && !second.accepted);
    assert_eq!(
        (second.approval.state.as_str(), second.approval.answered_by.as_deref()),
        ("approved", Some("the boss"))
    );
    // The frame of a page that had not heard of it changes nothing.
    page.send(approve(&first.approval.tool_call_id, false)).await;
    home.advance(Duration::from_secs(1)).await;
    assert_eq!(parts(&home).await, WHOLE);
    assert_eq!(till.0.load(Ordering::SeqCst), 1);
    let unknown = page.try_call("decide", json!(["nope", true, false])).await.unwrap_err();
    assert!(
        unknown.to_string().contains("approval_unknown") || unknown.to_string().contains("no approval"),
        "{unknown}"
    );
}

#[tokio::test]
async fn a_no_and_its_reason_are_told_to_the_model() {
    let (home, till) = home().await;
    let mut page = home.connect("clerk/x").await;
    page.send(ask("r1", &[user("u1", "refund 17")])).await;
    until_end(&mut page, "r1").await;
    let id = approvals(&mut page).await[0].id.clone();
    page.call("decide", json!([id, false, false])).await;
    home.advance(Duration::from_secs(1)).await;
    let parts = parts(&home).await;
    assert_eq!(parts[4], "tool-refund output-denied");
    assert!(parts[6].contains("too much"), "{parts:?}");
    assert_eq!(till.0.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_no_that_a_page_writes_into_its_message_is_a_no() {
    let (home, till) = home().await;
    let mut page = home.connect("clerk/x").await;
    page.send(ask("r1", &[user("u1", "refund 17")])).await;
    until_end(&mut page, "r1").await;
    let mut answer = stored(&home, "clerk/x").await[1].clone();
    let part = answer["parts"].as_array_mut().unwrap().iter_mut().find(|part| part["type"] == "tool-refund").unwrap();
    part["state"] = json!("approval-responded");
    part["approval"]["approved"] = json!(false);
    let messages = [user("u1", "refund 17"), answer];
    page.send(json!({"type": "cf_agent_chat_messages", "messages": messages}).to_string()).await;
    page.send(ask("r2", &messages)).await;
    until_end(&mut page, "r2").await;
    assert_eq!((approvals(&mut page).await[0].state.as_str(), till.0.load(Ordering::SeqCst)), ("denied", 0));
    let parts = parts(&home).await;
    assert!(parts[6].contains("Somebody said no"), "{parts:?}");
}

#[tokio::test]
async fn a_yes_of_a_turn_that_fails_is_none() {
    let gate = Gate::closed();
    let (home, till) = home_with(&gate).await;
    let mut page = home.connect("clerk/x").await;
    page.send(ask("r1", &[user("u1", "both")])).await;
    while approvals(&mut page).await.is_empty() {}
    let id = approvals(&mut page).await[0].id.clone();
    page.try_call("decideAndFail", json!([id])).await.unwrap_err();
    gate.open(1);
    until_end(&mut page, "r1").await;
    assert_eq!((approvals(&mut page).await[0].state.as_str(), till.0.load(Ordering::SeqCst)), ("waiting", 0));
    let kept = parts(&home).await;
    assert_eq!(kept[1..], ["tool-refund approval-requested", "tool-wait_there output-available"]);
    page.call("decide", json!([id, true, false])).await;
    home.advance(Duration::from_secs(1)).await;
    assert_eq!(till.0.load(Ordering::SeqCst), 1);
    assert!(parts(&home).await.last().unwrap().starts_with("Both:"));
}

#[tokio::test]
async fn an_answer_that_is_stopped_asks_nobody_any_more() {
    let (home, _) = home().await;
    let mut page = home.connect("clerk/x").await;
    page.send(ask("r1", &[user("u1", "both")])).await;
    while approvals(&mut page).await.is_empty() {}
    page.send(json!({"type": "cf_agent_chat_request_cancel", "id": "r1"}).to_string()).await;
    until_end(&mut page, "r1").await;
    assert_eq!(approvals(&mut page).await[0].state.as_str(), "withdrawn");
}

#[tokio::test]
async fn an_answer_that_is_given_anew_asks_anew() {
    let (home, _) = home().await;
    let mut page = home.connect("clerk/x").await;
    page.send(ask("r1", &[user("u1", "refund 17")])).await;
    until_end(&mut page, "r1").await;
    let old = approvals(&mut page).await[0].id.clone();
    let body = json!({"messages": [user("u1", "refund 17")], "trigger": "regenerate-message"}).to_string();
    let init = json!({"method": "POST", "body": body});
    page.send(json!({"id": "r2", "init": init, "type": "cf_agent_use_chat_request"}).to_string()).await;
    until_end(&mut page, "r2").await;
    let states = approvals(&mut page).await.into_iter().map(|approval| (approval.id == old, approval.state.as_str()));
    let mut states: Vec<_> = states.collect();
    states.sort_unstable();
    assert_eq!(states, [(false, "waiting"), (true, "withdrawn")]);
}

#[tokio::test]
async fn two_questions_of_one_step_are_both_answered_before_the_model_goes_on() {
    let (home, till) = home().await;
    let mut page = home.connect("clerk/x").await;
    page.send(ask("r1", &[user("u1", "twice")])).await;
    until_end(&mut page, "r1").await;
    let asked = approvals(&mut page).await;
    assert_eq!(asked.len(), 2);
    page.call("decide", json!([asked[0].id, true, false])).await;
    home.advance(Duration::from_secs(1)).await;
    assert_eq!(till.0.load(Ordering::SeqCst), 0);
    page.call("decide", json!([asked[1].id, false, false])).await;
    home.advance(Duration::from_secs(1)).await;
    assert_eq!(till.0.load(Ordering::SeqCst), 1);
    assert!(parts(&home).await.last().unwrap().starts_with("Both:"));
}
