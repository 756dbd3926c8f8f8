//! The list of conversations, as a page that follows it sees it.

use hostel_testing::Peer;
use serde_json::{Value, json};

use super::scene::Scene;

/// The list once it is like this.
async fn list_until(list: &mut Peer, wanted: impl Fn(&Value) -> bool) -> Value {
    let first = |text: &str| -> Value {
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        frame["state"]["conversations"][0].clone()
    };
    first(&list.until(|text| text.contains("cf_agent_state") && wanted(&first(text))).await)
}

#[tokio::test]
async fn a_conversation_is_in_the_list_while_it_works_waits_and_rests() {
    let mut scene = Scene::without_model().await;
    let mut list = scene.home.connect("conversations/default").await;
    scene.ask("/write a.txt\nx").await;
    let call = scene.asked().await;
    let waiting = list_until(&mut list, |one| one["waiting"] == true && one["working"] == false).await;
    assert_eq!(
        (&waiting["agent"], &waiting["name"], &waiting["title"]),
        (&json!("coder"), &json!("default"), &json!("/write a.txt"))
    );
    assert!(waiting["at"].as_i64().is_some(), "{waiting}");
    scene.answer(&call, true).await;
    scene.until_the_end().await;
    // It may have been so all along for whoever looked late: a new page sees how it is.
    scene.home.settle().await;
    let mut list = scene.home.connect("conversations/default").await;
    list_until(&mut list, |one| one["waiting"] == false && one["working"] == false).await;
}

#[tokio::test]
async fn the_list_is_right_after_a_crash_in_the_middle_of_an_answer() {
    let script =
        "on *\n  call run_command {\"command\": \"echo begun; sleep 1000\", \"seconds\": 1800}\nthen\n  say ok\n";
    let mut scene = Scene::new(script).await;
    scene.ask("work").await;
    scene.until_shown(|chunk| chunk["preliminary"] == true).await;
    let mut list = scene.home.connect("conversations/default").await;
    list_until(&mut list, |one| one["working"] == true).await;
    scene.home.crash().await;
    let mut list = scene.home.connect("conversations/default").await;
    // The command is not run again, and the answer ends.
    list_until(&mut list, |one| one["working"] == false && one["title"] == "work").await;
}

#[tokio::test]
async fn a_title_can_be_given_and_a_conversation_forgotten_and_nobody_writes_the_list_from_outside() {
    let mut scene = Scene::without_model().await;
    let mut list = scene.home.connect("conversations/default").await;
    scene.say("/help", true).await;
    list_until(&mut list, |one| one["title"] == "/help" && one["working"] == false).await;
    list.call("rename", json!([{"name": "default", "title": " The shop \nof tea"}])).await;
    list_until(&mut list, |one| one["title"] == "The shop").await;
    scene.say("/status", true).await;
    scene.home.settle().await;
    let mut list = scene.home.connect("conversations/default").await;
    list_until(&mut list, |one| one["title"] == "The shop" && one["working"] == false).await;
    let error = format!("{:?}", list.try_call("rename", json!([{"name": "other", "title": "x"}])).await.unwrap_err());
    assert!(error.contains("conversation_unknown"), "{error}");
    let error = format!("{:?}", list.try_call("rename", json!([{"name": "default", "title": " "}])).await.unwrap_err());
    assert!(error.contains("invalid_arguments"), "{error}");
    let error =
        format!("{:?}", list.try_call("note", json!([{"at": 0, "working": true, "waiting": true}])).await.unwrap_err());
    assert!(error.contains("forbidden") || error.contains("unauthorized"), "{error}");
    let _ = list.set_state(&json!({"conversations": []})).await;
    assert_eq!(list.state().await["conversations"][0]["title"], "The shop");
    list.call("forget", json!([{"name": "default"}])).await;
    assert_eq!(list.state().await, json!({"conversations": []}));
}
