//! Autonomous runs: turn after turn, until the goal is reached or the budget is used up.

use std::time::Duration;

use serde_json::{Value, json};

use super::scene::{Scene, text};

const WORKS: &str = r#"
on An autonomous run begins*
  call next_step {"text": "write the file"}
then
  call write_file {"path": "a", "content": "b"}
then
  say The first turn is over.
on Go on with the run (turn 2)*
  call finish_run {"reached": true, "reason": "the file is there"}
then
  say Done.
on *
  say You said: $text
"#;

const BUSY: &str = r#"
on *
  call list_files {}
then
  usage 1000 100
  say On and on.
"#;

async fn begin(scene: &mut Scene, run: Value) -> Value {
    scene.page.call("startContinuousRun", json!([run])).await
}

#[tokio::test]
async fn a_run_goes_on_turn_after_turn_waits_for_a_yes_and_ends_with_a_reason() {
    let mut scene = Scene::new(WORKS).await;
    let run = begin(&mut scene, json!({"goal": "There is a file a.", "budget": {"steps": 20}})).await;
    assert_eq!((&run["state"], &run["turns"]), (&json!("running"), &json!(1)), "{run}");
    let state = scene.until_state(|state| state["work"]["run"]["state"] == "paused").await;
    let run = &state["work"]["run"];
    assert!(run["reason"].as_str().unwrap().contains("write_file"), "{run}");
    assert_eq!(run["next"], "write the file");
    // It waits as long as it takes, also over a restart; its clock stands still.
    scene.restart().await;
    scene.home.advance(Duration::from_secs(100_000)).await;
    scene.answer_pending(true).await;
    let state = scene.until_state(|state| state["work"]["run"]["state"] == "over").await;
    let run = &state["work"]["run"];
    assert_eq!(run["reason"], "The goal is reached: the file is there", "{run}");
    assert_eq!(std::fs::read_to_string(scene.workspace().join("a")).unwrap(), "b");
    assert!(run["used"]["seconds"].as_u64().unwrap() < 1000, "{run}");
    assert_eq!(scene.page.call("getRun", json!([])).await["state"], "over");
}

#[tokio::test]
async fn a_run_whose_budget_is_used_up_is_over_whatever_the_model_does() {
    let mut scene = Scene::new(BUSY).await;
    begin(&mut scene, json!({"goal": "Look around for ever.", "budget": {"steps": 5}})).await;
    let state = scene.until_state(|state| state["work"]["run"]["state"] == "over").await;
    let run = &state["work"]["run"];
    assert_eq!(run["reason"], "Its budget is used up: 5 of 5 steps.", "{run}");
    assert_eq!(run["used"]["steps"], 5);
    assert_eq!(text(&scene.parts().await), "I stopped here: the budget of the run is used up (5 of 5 steps).");
    let usage = scene.page.call("usage", json!([])).await;
    assert_eq!(usage["steps"], 5, "{usage}");
    assert!(usage["tokens"]["input"].as_u64().unwrap() > 2000 && usage["context"]["tokens"].as_u64().unwrap() > 0);
    // Another can begin after it.
    assert_eq!(begin(&mut scene, json!({"goal": "Again.", "budget": {"tokens": 1500}})).await["state"], "running");
    let state = scene.until_state(|state| state["work"]["run"]["state"] == "over").await;
    assert!(state["work"]["run"]["reason"].as_str().unwrap().contains("tokens"), "{state}");
}

#[tokio::test]
async fn a_run_that_does_nothing_is_ended() {
    let mut scene = Scene::new("on *\n  say I am thinking.").await;
    begin(&mut scene, json!({"goal": "Think."})).await;
    let state = scene.until_state(|state| state["work"]["run"]["state"] == "over").await;
    assert_eq!(state["work"]["run"]["reason"], "It did nothing 3 turns in a row.");
    assert_eq!(state["work"]["run"]["budget"], json!({"steps": 500, "seconds": 43200}), "the operator's");
}

#[tokio::test]
async fn a_run_is_put_off_gone_on_with_and_stopped_by_people() {
    let mut scene = Scene::new(BUSY).await;
    begin(&mut scene, json!({"goal": "Look now and then.", "every": 60, "budget": {"steps": 1000}})).await;
    scene.until_state(|state| state["work"]["run"]["nextAt"].is_i64()).await;
    let paused = scene.page.call("pauseRun", json!([])).await;
    assert_eq!(paused["state"], "paused");
    scene.home.advance(Duration::from_secs(600)).await;
    assert_eq!(scene.page.call("getRun", json!([])).await["turns"], paused["turns"]);
    let run = scene.page.call("resumeRun", json!([])).await;
    assert_eq!(run["state"], "running", "{run}");
    let turns = run["turns"].clone();
    scene.home.advance(Duration::from_secs(60)).await;
    scene.until_state(|state| state["work"]["run"]["turns"].as_u64() > turns.as_u64()).await;
    let over = scene.page.call("stopContinuousRun", json!([])).await;
    assert_eq!((&over["state"], &over["reason"]), (&json!("over"), &json!("Somebody stopped it.")));
    for (method, args, why) in [
        ("startContinuousRun", json!([{"goal": " "}]), "needs a goal"),
        ("resumeRun", json!([]), "There is no run"),
        ("pauseRun", json!([]), "There is no run"),
    ] {
        let error = scene.page.try_call(method, args).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}
