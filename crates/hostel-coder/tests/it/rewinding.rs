//! Going back to before a message, with the files; and going on from there in another agent.

use std::fs;

use hostel_testing::CrashPoint;
use serde_json::{Value, json};

use super::scene::{Scene, text};

const SESSION: &str = r#"
on one
  call write_file {"path": "a.txt", "content": "one\n"}
then
  say First.
on talk
  say Talked.
on two *
  call git_commit {"message": "Begin"}
then
  call write_file {"path": "b.txt", "content": "two\n"}
then
  call git_commit {"message": "Second"}
then
  say Second.
on three
  call write_file {"path": "a.txt", "content": "three\n"}
then
  call delete_file {"path": "b.txt"}
then
  say Third.
on run
  call run_command {"command": "echo made > c.txt; rm a.txt"}
then
  say Ran.
on slow
  call run_command {"command": "sleep 1000", "seconds": 1800}
then
  say no
"#;

async fn told() -> Scene {
    let mut scene = Scene::new(SESSION).await;
    for (ask, said) in [("one", "First."), ("talk", "Talked."), ("two now", "Second."), ("three", "Third.")] {
        assert_eq!(text(&scene.say(ask, true).await), said);
    }
    scene
}

fn files(scene: &Scene) -> Vec<(String, String)> {
    let mut all: Vec<_> =
        fs::read_dir(scene.workspace()).unwrap().flatten().filter(|file| file.path().is_file()).collect();
    all.sort_by_key(fs::DirEntry::file_name);
    let read = |file: &fs::DirEntry| {
        (file.file_name().into_string().unwrap(), fs::read_to_string(file.path()).unwrap().trim().to_owned())
    };
    all.iter().map(read).collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

async fn asked(scene: &mut Scene) -> Vec<String> {
    let messages = scene.page.call("getMessages", json!([])).await;
    let of_users = messages.as_array().unwrap().iter().filter(|message| message["role"] == "user");
    of_users.map(|message| message["id"].as_str().unwrap().to_owned()).collect()
}

fn subjects(scene: &Scene) -> String {
    let log = std::process::Command::new("git").args(["log", "--format=%s"]).current_dir(scene.workspace()).output();
    String::from_utf8(log.unwrap().stdout).unwrap()
}

#[tokio::test]
async fn a_message_that_changes_nothing_has_no_snapshot() {
    let mut scene = told().await;
    let all = scene.page.call("snapshots", json!([])).await;
    let ids: Vec<_> = all.as_array().unwrap().iter().map(|one| one["messageId"].as_str().unwrap()).collect();
    assert_eq!(ids, ["u-0-one", "u-2-two now", "u-3-three"], "{all}");
    assert!(all.as_array().unwrap().iter().all(|one| one["changed"] == true && one["at"].is_string()), "{all}");
}

#[tokio::test]
async fn talk_and_files_go_back_together_and_come_back_together() {
    let mut scene = told().await;
    let mut other = scene.home.connect("coder-agent/default").await;
    assert_eq!(files(&scene), pairs(&[("a.txt", "three")]));
    let done = scene.page.call("rewind", json!([{"messageId": "u-3-three"}])).await;
    assert_eq!(done, json!({"messages": 2, "files": true}));
    assert_eq!(files(&scene), pairs(&[("a.txt", "one"), ("b.txt", "two")]));
    assert_eq!(asked(&mut scene).await, ["u-0-one", "u-1-talk", "u-2-two now"]);
    // Everybody who looks sees it at once.
    let is_cut = |text: &str| {
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        frame["type"] == "cf_agent_chat_messages" && frame["messages"].as_array().is_some_and(|all| all.len() == 6)
    };
    other.until(is_cut).await;

    assert_eq!(scene.page.call("undoRewind", json!([])).await, json!({"messages": 2, "files": true}));
    assert_eq!(files(&scene), pairs(&[("a.txt", "three")]));
    assert_eq!(asked(&mut scene).await, ["u-0-one", "u-1-talk", "u-2-two now", "u-3-three"]);
    assert!(scene.page.try_call("undoRewind", json!([])).await.is_err());
}

#[tokio::test]
async fn commits_and_the_repository_itself_go_back_too() {
    let mut scene = told().await;
    scene.page.call("rewind", json!([{"messageId": "u-2-two now"}])).await;
    // It had not been begun then.
    assert_eq!(files(&scene), pairs(&[("a.txt", "one")]));
    assert!(!scene.workspace().join(".git").exists());
    scene.page.call("undoRewind", json!([])).await;
    assert_eq!(subjects(&scene), "Second\nBegin\n");
    // From a message on that changed nothing, it is the next one that did.
    scene.page.call("rewind", json!([{"messageId": "u-1-talk"}])).await;
    assert_eq!((asked(&mut scene).await, files(&scene)), (vec!["u-0-one".to_owned()], pairs(&[("a.txt", "one")])));
    assert_eq!(text(&scene.say("two again", true).await), "Second.");
    assert_eq!(files(&scene), pairs(&[("a.txt", "one"), ("b.txt", "two")]));
}

#[tokio::test]
async fn what_a_command_changed_goes_back_too() {
    let mut scene = told().await;
    assert_eq!(text(&scene.say("run", true).await), "Ran.");
    assert_eq!(files(&scene), pairs(&[("c.txt", "made")]));
    scene.page.call("rewind", json!([{"messageId": "u-4-run"}])).await;
    assert_eq!(files(&scene), pairs(&[("a.txt", "three")]));
}

#[tokio::test]
async fn the_talk_can_go_back_alone() {
    let mut scene = told().await;
    let done = scene.page.call("rewind", json!([{"messageId": "u-0-one", "files": false}])).await;
    assert_eq!((done, files(&scene)), (json!({"messages": 8, "files": false}), pairs(&[("a.txt", "three")])));
    assert_eq!(asked(&mut scene).await, Vec::<String>::new());
}

#[tokio::test]
async fn while_the_agent_answers_nothing_goes_back() {
    let mut scene = told().await;
    scene.ask("slow").await;
    scene.until_shown(|chunk| chunk["type"] == "tool-input-available").await;
    let error = scene.page.try_call("rewind", json!([{"messageId": "u-0-one"}])).await;
    // It may wait for its yes just then: in that case it goes back, and asks no more.
    if let Err(error) = error {
        assert!(error.to_string().contains("is answering"), "{error}");
        assert_eq!(asked(&mut scene).await.len(), 5);
    }
    assert!(scene.page.try_call("rewind", json!([{"messageId": "nobody"}])).await.is_err());
}

#[tokio::test]
async fn a_fork_has_the_talk_and_the_files_and_leaves_the_first_alone() {
    let mut scene = told().await;
    scene.page.call("setProjectContext", json!([{"repoName": "r"}])).await;
    let made = scene.page.call("fork", json!([{"messageId": "u-3-three", "name": "other"}])).await;
    assert_eq!(made, json!({"agent": "coder-agent", "name": "other"}));
    let dirs = fs::read_dir(scene.data().join("workspaces")).unwrap().flatten();
    let other = dirs.map(|dir| dir.path()).find(|dir| dir.file_name().unwrap().to_str().unwrap().starts_with("other-"));
    let other = other.unwrap();
    assert_eq!(fs::read_to_string(other.join("b.txt")).unwrap(), "two\n");
    assert_eq!(fs::read_to_string(other.join("a.txt")).unwrap(), "one\n");
    assert_eq!(files(&scene), pairs(&[("a.txt", "three")]));
    let mut page = scene.home.connect("coder-agent/other").await;
    let messages = page.call("getMessages", json!([])).await;
    assert_eq!(messages.as_array().unwrap().len(), 6);
    assert_eq!(page.call("getProjectContext", json!([])).await, json!({"repoName": "r"}));
    // It goes back on its own.
    page.call("rewind", json!([{"messageId": "u-2-two now"}])).await;
    assert!(!other.join("b.txt").exists() && scene.workspace_of("default").join(".git").exists());
    let error = scene.page.try_call("fork", json!([{"name": "other"}])).await.unwrap_err();
    assert!(error.to_string().contains("something in the agent"), "{error}");
    assert!(scene.page.try_call("takeOver", json!([{}])).await.is_err());
}

#[tokio::test]
async fn what_rewinds_of_long_ago_kept_of_the_files_is_forgotten() {
    let mut scene = told().await;
    for _ in 0..12 {
        scene.say("one", true).await;
        let id = asked(&mut scene).await.pop().unwrap();
        scene.page.call("rewind", json!([{"messageId": id}])).await;
    }
    let refs =
        std::process::Command::new("git").args(["for-each-ref"]).current_dir(scene.workspace()).output().unwrap();
    let refs = String::from_utf8(refs.stdout).unwrap();
    assert_eq!(refs.lines().filter(|line| line.contains("snapshots/rewind-")).count(), 10, "{refs}");
}

#[tokio::test]
async fn a_fork_may_no_more_than_the_operator_allows_and_no_more_than_the_first() {
    let mut scene = told().await;
    let rules = json!([{"tool": "edit", "action": "allow"}, {"tool": "command", "pattern": "rm *", "action": "deny"}]);
    scene.page.call("setPolicy", json!([{"mode": "auto", "rules": rules}])).await;
    scene.page.call("fork", json!([{"name": "wide"}])).await;
    let policy = scene.home.connect("coder-agent/wide").await.call("getPolicy", json!([])).await;
    assert_eq!(policy["mode"], "ask", "{policy}");
    let kept: Vec<_> = policy["rules"].as_array().unwrap().iter().map(|rule| rule["action"].clone()).collect();
    assert_eq!(kept, ["deny"], "{policy}");
    scene.page.call("setPolicy", json!([{"mode": "plan"}])).await;
    scene.page.call("fork", json!([{"name": "narrow"}])).await;
    let policy = scene.home.connect("coder-agent/narrow").await.call("getPolicy", json!([])).await;
    assert_eq!(policy["mode"], "plan", "{policy}");
}

#[tokio::test]
async fn a_fork_that_a_crash_has_stopped_is_made_and_its_name_is_never_lost() {
    for nth in 1..7 {
        let script = "on one\n  call write_file {\"path\": \"a.txt\", \"content\": \"one\"}\nthen\n  say Done.\n";
        let mut scene = Scene::new(script).await;
        scene.page.call("setPolicy", json!([{"mode": "auto"}])).await;
        scene.say("one", true).await;
        scene.home.settle().await;
        let point = if nth % 2 == 0 { CrashPoint::Committed } else { CrashPoint::Durable };
        scene.home.crash_at(point, nth);
        let fork = json!({"type": "rpc", "id": "f", "method": "fork", "args": [{"name": "other"}]});
        scene.page.send(fork.to_string()).await;
        let mut is_alive = true;
        while is_alive {
            match scene.page.next_text().await {
                Some(text) if text.contains("\"id\":\"f\"") => break,
                Some(_) => {}
                None => is_alive = false,
            }
        }
        if !is_alive || !scene.home.call_off_crash() {
            scene.home.after_crash().await;
        }
        scene.page = scene.home.connect("coder-agent/default").await;
        let mut other = scene.home.connect("coder-agent/other").await;
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(300);
        while other.call("getMessages", json!([])).await.as_array().unwrap().len() != 2 {
            assert!(std::time::Instant::now() < deadline, "a crash at write {nth}: the fork is not made");
            scene.home.advance(std::time::Duration::from_secs(1)).await;
            // One that was not begun is begun now.
            let _ = scene.page.try_call("fork", json!([{"name": "other"}])).await;
        }
        assert_eq!(fs::read_to_string(scene.workspace_of("other").join("a.txt")).unwrap(), "one", "{nth}");
    }
}
