//! Plan, tasks and notes: what the model keeps of its work, and what clients see of it.

use std::time::Duration;

use serde_json::json;

use super::scene::{Scene, results, text};

const KEEPS: &str = r#"
on keep
  call update_plan {"steps": [{"step": "look", "status": "completed"}, {"step": "mend", "status": "in_progress"}]}
  call note {"text": "The tests need a minute."}
  call add_task {"text": "write the docs"}
  call scheduleTask {"description": "rebase and run the tests", "cron": "0 3 * * *", "zone": "Europe/Berlin"}
then
  call listScheduledTasks {}
then
  say kept
on wrong
  call update_plan {"steps": [{"step": "a", "status": "in_progress"}, {"step": "b", "status": "in_progress"}]}
  call scheduleTask {"description": "x", "delay": 5, "cron": "0 3 * * *"}
  call scheduleTask {"when": {"type": "delayed"}, "description": "x"}
  call complete_task {"id": "77"}
then
  say wrong
on end
  call complete_task {"id": "1"}
  call cancelSchedule {"scheduleId": 2}
then
  say ended
on system
  say $system
on Task * is due (*rebase*
  say I rebase.
on Task * is due *edit*
  call write_file {"path": "a.txt", "content": "b"}
then
  say Edited.
on Task * is due *sing*
  say La la.
on *push*
  say Pushed: $text
"#;

#[tokio::test]
async fn plan_tasks_and_notes_are_kept_shown_and_told_to_the_model() {
    let mut scene = Scene::new(KEEPS).await;
    let parts = scene.say("keep", true).await;
    assert_eq!(text(&parts), "kept", "{parts:#?}");
    let listed = &results(&parts, "listScheduledTasks")[0];
    assert!(listed.contains("rebase") && !listed.contains("docs"), "{listed}");
    let plan = scene.page.call("getPlan", json!([])).await;
    assert_eq!(plan["steps"][1], json!({"step": "mend", "status": "in_progress"}));
    assert_eq!(scene.page.call("getNotes", json!([])).await[0]["text"], "The tests need a minute.");
    let state = scene.page.state().await;
    assert_eq!(state["work"]["plan"], plan);
    let tasks = scene.page.call("getTasks", json!([])).await;
    assert_eq!(state["work"]["tasks"], tasks);
    assert_eq!((&tasks[0]["text"], &tasks[1]["when"]), (&json!("write the docs"), &json!("0 3 * * * (Europe/Berlin)")));
    // All of it is there after a restart, and stands above what is said next.
    scene.restart().await;
    let said = scene.say("system", true).await;
    let said = text(&said);
    assert!(said.contains("[>] mend") && said.contains("The tests need a minute."), "{said}");
    let parts = scene.say("end", true).await;
    assert_eq!(text(&parts), "ended", "{parts:#?}");
    let tasks = scene.page.call("getTasks", json!([])).await;
    let states: Vec<_> = tasks.as_array().unwrap().iter().map(|task| task["state"].as_str().unwrap()).collect();
    assert_eq!(
        {
            let mut states = states;
            states.sort_unstable();
            states
        },
        ["cancelled", "completed"]
    );
    // Clients that write the state change nothing of it.
    let _ = scene.page.set_state(&json!({"repoName": "x", "work": {"plan": {"steps": []}}})).await;
    let plan = scene.page.call("getPlan", json!([])).await;
    assert_eq!(plan["steps"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_does_not_fit_goes_back_to_the_model_in_words() {
    let mut scene = Scene::new(KEEPS).await;
    let parts = scene.say("wrong", true).await;
    let errors: Vec<String> = parts.iter().filter_map(|part| part["errorText"].as_str().map(str::to_owned)).collect();
    assert_eq!(errors.len(), 4, "{parts:#?}");
    for (at, why) in [(0, "Only one step"), (1, "Only one of delay"), (2, "When is missing"), (3, "no task 77")] {
        assert!(errors[at].contains(why), "{errors:#?}");
    }
}

#[tokio::test]
async fn a_task_that_is_due_becomes_a_turn_of_its_own() {
    let mut scene = Scene::new(KEEPS).await;
    let at = json!([{"description": "sing", "delay": 3600}]);
    let task = scene.page.call("scheduleTask", at).await;
    assert_eq!(task["state"], "pending", "{task}");
    scene.home.advance(Duration::from_secs(3600)).await;
    scene.until_over().await;
    assert_eq!(text(&scene.parts().await), "La la.");
    let state = scene.until_state(|state| state["work"]["tasks"][0]["state"] == "completed").await;
    assert_eq!(state["work"]["tasks"][0]["id"], task["id"]);
}

#[tokio::test]
async fn what_is_scheduled_again_and_again_comes_again_and_again() {
    let mut scene = Scene::new(KEEPS).await;
    scene.say("keep", true).await;
    for _ in 0..2 {
        scene.home.advance(Duration::from_secs(24 * 60 * 60)).await;
        scene.until_over().await;
        assert_eq!(text(&scene.parts().await), "I rebase.");
    }
    let tasks = scene.page.call("getTasks", json!([])).await;
    assert_eq!(tasks[1]["state"], "pending", "{tasks}");
}

#[tokio::test]
async fn a_task_that_is_due_again_and_again_while_it_waits_is_done_once_more_and_not_each_time() {
    let mut scene = Scene::new(KEEPS).await;
    scene.page.call("scheduleTask", json!([{"description": "edit it", "cron": "* * * * *"}])).await;
    scene.home.advance(Duration::from_secs(61)).await;
    scene.until_asked().await;
    for _ in 0..3 {
        scene.home.advance(Duration::from_secs(60)).await;
    }
    let messages = scene.page.call("getMessages", json!([])).await;
    assert_eq!(messages.as_array().unwrap().len(), 2, "nothing piles up: {messages}");
    scene.answering_now(true).await;
    loop {
        let messages = scene.page.call("getMessages", json!([])).await;
        let last = messages.as_array().unwrap().iter().rfind(|message| message["role"] == "user").unwrap().to_string();
        if last.contains("It was due 3 times while this agent") {
            break;
        }
        scene.home.settle().await;
    }
}
