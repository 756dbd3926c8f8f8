//! Messages that come while another is being answered.

use std::time::Duration;

use hostel_testing::{Peer, TestHome};
use serde_json::{Value, json};

use super::support::{Gate, anew, ask, cancel, home, next, stored, texts, until_end, user};

async fn busy(gate: &Gate, policy: &str) -> (TestHome, Peer, Peer) {
    let home = home(gate).await;
    let (mut a, b) = (home.connect("talker/x").await, home.connect("talker/x").await);
    a.call("setPolicy", json!([policy])).await;
    a.send(ask("A", &[user("u1", "hold one")])).await;
    if policy == "debounce" {
        home.advance(Duration::from_secs(1)).await;
    }
    gate.open(1);
    a.until(|text| text.contains("hold ")).await;
    (home, a, b)
}

fn order(messages: &[Value]) -> Vec<String> {
    texts(messages).into_iter().map(|(_, text)| text.split(' ').take(3).collect::<Vec<_>>().join(" ")).collect()
}

#[tokio::test]
async fn each_is_answered_in_its_place() {
    let gate = Gate::closed();
    let (home, mut a, mut b) = busy(&gate, "queue").await;
    b.send(ask("B", &[user("u1", "hold one"), user("u2", "second")])).await;
    a.until(|text| text.contains("second")).await;
    a.send(ask("C", &[user("u1", "hold one"), user("u3", "third")])).await;
    b.until(|text| text.contains("third")).await;
    gate.open(5);
    until_end(&mut a, "A").await;
    until_end(&mut a, "B").await;
    until_end(&mut a, "C").await;
    let kept = order(&stored(&home, "talker/x").await);
    assert_eq!(kept, ["hold one", "hold one", "second", "You said: second", "third", "You said: third"]);
}

#[tokio::test]
async fn the_newest_supersedes_those_that_wait() {
    let gate = Gate::closed();
    let (home, mut a, mut b) = busy(&gate, "latest").await;
    b.send(ask("B", &[user("u1", "hold one"), user("u2", "second")])).await;
    a.until(|text| text.contains("second")).await;
    a.send(ask("C", &[user("u1", "hold one"), user("u3", "third")])).await;
    let end = until_end(&mut b, "B").await.pop().unwrap();
    assert_eq!((&end["outcome"], &end["messageIds"]), (&json!("skipped"), &json!(["u1", "u2"])));
    gate.open(5);
    until_end(&mut b, "C").await;
    assert_eq!(order(&stored(&home, "talker/x").await), ["hold one", "hold one", "second", "third", "You said: third"]);
}

#[tokio::test]
async fn those_that_wait_become_one_message() {
    let gate = Gate::closed();
    let (home, mut a, mut b) = busy(&gate, "merge").await;
    b.send(ask("B", &[user("u1", "hold one"), user("u2", "second ")])).await;
    a.until(|text| text.contains("second")).await;
    a.send(ask("C", &[user("u1", "hold one"), user("u3", "third")])).await;
    assert_eq!(until_end(&mut b, "B").await.last().unwrap()["outcome"], "skipped");
    gate.open(5);
    until_end(&mut b, "C").await;
    let kept = stored(&home, "talker/x").await;
    assert_eq!(texts(&kept)[2].1, "second third");
    assert_eq!(kept.len(), 4);
}

#[tokio::test]
async fn what_is_not_taken_is_told_so_and_leaves_no_trace() {
    let gate = Gate::closed();
    let (home, mut a, mut b) = busy(&gate, "drop").await;
    b.send(ask("B", &[user("u1", "hold one"), user("u2", "second")])).await;
    let frames = until_end(&mut b, "B").await;
    // The transcript as it stands, which takes the message back on the page, and the end right behind it: what the SDK's own
    // server sends (0.32.0-chat-concurrency-drop).
    let [.., shown, end] = frames.as_slice() else { panic!("{frames:?}") };
    let partial = json!([{"type": "step-start"}, {"type": "text", "text": "hold ", "state": "streaming"}]);
    assert_eq!((&shown["type"], &shown["messages"][1]["parts"]), (&json!("cf_agent_chat_messages"), &partial));
    assert_eq!(shown["messages"].as_array().unwrap().len(), 2);
    let skipped = json!({"body": "", "done": true, "id": "B", "type": "cf_agent_use_chat_response",
        "outcome": "skipped", "messageIds": ["u1", "u2"]});
    assert_eq!(*end, skipped);
    gate.open(5);
    until_end(&mut a, "A").await;
    assert_eq!(order(&stored(&home, "talker/x").await), ["hold one", "hold one"]);
}

#[tokio::test]
async fn the_newest_is_answered_once_nothing_more_comes() {
    let home = home(&Gate::closed()).await;
    let mut page = home.connect("talker/x").await;
    page.call("setPolicy", json!(["debounce"])).await;
    page.send(ask("A", &[user("u1", "one")])).await;
    page.send(ask("B", &[user("u1", "one"), user("u2", "two")])).await;
    assert_eq!(until_end(&mut page, "A").await.last().unwrap()["outcome"], "skipped");
    assert_eq!(page.call("begun", json!([])).await, 0);
    home.advance(Duration::from_secs(1)).await;
    until_end(&mut page, "B").await;
    assert_eq!(order(&stored(&home, "talker/x").await), ["one", "two", "You said: two"]);
}

#[tokio::test]
async fn a_message_that_waits_for_its_answer_is_not_answered_twice() {
    let gate = Gate::closed();
    let (home, mut a, mut b) = busy(&gate, "queue").await;
    b.send(ask("again", &[user("u1", "hold one")])).await;
    assert_eq!(until_end(&mut b, "again").await.last().unwrap()["outcome"], "skipped");
    gate.open(5);
    until_end(&mut a, "A").await;
    assert_eq!(stored(&home, "talker/x").await.len(), 2);
    assert_eq!(a.call("begun", json!([])).await, 1);
}

#[tokio::test]
async fn one_that_waits_can_be_stopped() {
    let gate = Gate::closed();
    let (home, mut a, mut b) = busy(&gate, "queue").await;
    b.send(ask("B", &[user("u1", "hold one"), user("u2", "second")])).await;
    a.until(|text| text.contains("second")).await;
    b.send(cancel("B")).await;
    assert_eq!(until_end(&mut b, "B").await.last().unwrap()["outcome"], "aborted");
    gate.open(5);
    until_end(&mut a, "A").await;
    assert_eq!(a.call("begun", json!([])).await, 1);
    assert_eq!(stored(&home, "talker/x").await.len(), 3);
}

#[tokio::test]
async fn one_that_waits_and_is_wanted_anew_is_answered_once() {
    let gate = Gate::closed();
    let (home, mut a, mut b) = busy(&gate, "queue").await;
    let said = [user("u1", "hold one"), user("u2", "second")];
    b.send(ask("B", &said)).await;
    a.until(|text| text.contains("second")).await;
    b.send(anew("C", &said)).await;
    assert_eq!(until_end(&mut b, "B").await.last().unwrap()["outcome"], "skipped");
    gate.open(5);
    until_end(&mut b, "C").await;
    let kept = order(&stored(&home, "talker/x").await);
    assert_eq!(kept, ["hold one", "hold one", "second", "You said: second"]);
    assert_eq!(a.call("begun", json!([])).await, 2);
}

#[tokio::test]
async fn what_is_taken_away_with_an_answer_is_not_answered() {
    let gate = Gate::closed();
    let (home, mut a, mut b) = busy(&gate, "queue").await;
    b.send(ask("B", &[user("u1", "hold one"), user("u2", "second")])).await;
    a.until(|text| text.contains("second")).await;
    // A page that has not seen it yet.
    a.send(anew("C", &[user("u1", "hold one")])).await;
    assert_eq!(until_end(&mut b, "B").await.last().unwrap()["outcome"], "skipped");
    gate.open(5);
    until_end(&mut a, "C").await;
    assert_eq!(order(&stored(&home, "talker/x").await), ["hold one", "hold one"]);
    assert_eq!(a.call("begun", json!([])).await, 2);
}

#[tokio::test]
async fn an_answer_that_is_taken_away_is_not_gone_on_with() {
    let gate = Gate::closed();
    let home = home(&gate).await;
    let mut page = home.connect("talker/x").await;
    page.send(ask("A", &[user("u1", "tool")])).await;
    until_end(&mut page, "A").await;
    page.send(ask("B", &[user("u2", "hold one two")])).await;
    gate.open(1);
    page.until(|text| text.contains("hold ")).await;
    // The first answer is to go on once the second is through.
    let result = json!({"type": "cf_agent_tool_result", "toolCallId": "tc1", "toolName": "getLocation", "output": 1, "autoContinue": true});
    page.send(result.to_string()).await;
    while next(&mut page).await["type"] != "cf_agent_message_updated" {}
    home.advance(Duration::from_millis(50)).await;
    page.send(anew("C", &[user("u1", "tool")])).await;
    until_end(&mut page, "C").await;
    let kept = stored(&home, "talker/x").await;
    assert_eq!((kept.len(), &kept[1]["parts"][1]["state"]), (2, &json!("input-available")));
    assert_eq!(page.call("begun", json!([])).await, 3);
}
