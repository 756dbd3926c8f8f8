//! Commands that are for people alone.

use std::fs;

use serde_json::json;

use super::scene::{Scene, results, text};

const SCRIPT: &str = r#"
on tools
  say $tools
on try
  call! plan_mode {"on": false}
  call! undo_changes {}
then
  say tried
on *
  say Hello.
"#;

#[tokio::test]
async fn undo_puts_the_files_back_shows_how_and_is_undone_by_itself() {
    let mut scene = Scene::new(SCRIPT).await;
    let parts = scene.say("/undo", true).await;
    assert!(text(&parts).contains("No message of this conversation has changed a file."), "{parts:#?}");
    scene.say("/write a.txt\none", true).await;
    scene.say("/write a.txt\ntwo", true).await;
    scene.say("hello", true).await;
    scene.ask("/undo").await;
    let shown = scene.until_asked().await;
    assert!(shown["diff"].as_str().unwrap().contains("-two\n+one"), "{shown}");
    assert!(shown["text"].as_str().unwrap().contains("before \"/write a.txt\""), "{shown}");
    let parts = scene.answering_now(true).await;
    let file = scene.workspace().join("a.txt");
    assert_eq!(fs::read_to_string(&file).unwrap(), "one\n", "{parts:#?}");
    assert!(text(&parts).starts_with("Done: the files are as they were before"), "{parts:#?}");
    scene.say("/undo", true).await;
    assert_eq!(fs::read_to_string(&file).unwrap(), "two\n");
    scene.say("/undo", false).await;
    assert_eq!(fs::read_to_string(&file).unwrap(), "two\n");
}

#[tokio::test]
async fn undo_takes_a_commit_back_too_and_holds_for_what_was_shown() {
    let mut scene = Scene::new(SCRIPT).await;
    scene.say("/write a.txt\none", true).await;
    scene.say("/commit First", true).await;
    scene.say("/write a.txt\ntwo", true).await;
    scene.say("/commit Second", true).await;
    scene.ask("/undo").await;
    let shown = scene.until_asked().await;
    assert!(shown["text"].as_str().unwrap().contains("The branch leaves commit"), "{shown}");
    fs::write(scene.workspace().join("b.txt"), "made meanwhile").unwrap();
    let parts = scene.answering_now(true).await;
    assert!(text(&parts).starts_with("It did not work"), "{parts:#?}");
    scene.say("/undo", true).await;
    let log = scene.say("/log", true).await;
    assert!(results(&log, "git_log")[0].ends_with("First"), "{log:#?}");
    let workspace = scene.workspace();
    assert_eq!(fs::read_to_string(workspace.join("a.txt")).unwrap(), "one\n");
    assert!(!workspace.join("b.txt").exists());
}

#[tokio::test]
async fn plan_mode_is_begun_and_ended_by_hand() {
    let mut scene = Scene::new(SCRIPT).await;
    assert!(text(&scene.say("tools", true).await).contains("write_file"));
    assert!(text(&scene.say("/plan", true).await).starts_with("In plan mode"));
    assert_eq!(scene.page.call("getPolicy", json!([])).await["mode"], "plan");
    assert!(!text(&scene.say("tools", true).await).contains("write_file"));
    let parts = scene.say("/write a.txt\none", true).await;
    assert!(text(&parts).contains("/write cannot be used here"), "{parts:#?}");
    assert!(text(&scene.say("/plan off", true).await).starts_with("Out of plan mode"));
    assert_eq!(scene.page.call("getPolicy", json!([])).await["mode"], "ask");
}

#[tokio::test]
async fn a_model_neither_knows_nor_gets_what_is_for_people() {
    let mut scene = Scene::new(SCRIPT).await;
    scene.page.call("setPolicy", json!([{"mode": "plan"}])).await;
    let tools = scene.say("tools", true).await;
    assert!(!text(&tools).contains("plan_mode") && !text(&tools).contains("undo_changes"), "{tools:#?}");
    let parts = scene.say("try", true).await;
    assert!(results(&parts, "plan_mode")[0].contains("Only people do this"), "{parts:#?}");
    assert_eq!(scene.page.call("getPolicy", json!([])).await["mode"], "plan");
    scene.page.call("setPolicy", json!([{"mode": "ask"}])).await;
    let parts = scene.say("try", true).await;
    assert!(results(&parts, "undo_changes")[0].contains("Only people do this"), "{parts:#?}");
}
