//! Work side by side, in work trees, and what becomes of the branches.

use std::{fs, process::Command};

use hostel_coder::{Budget, Budgets, Workspaces};
use serde_json::json;

use super::scene::{HELPER, Scene, results, text};

const SIDE_BY_SIDE: &str = r#"
on begin
  call write_file {"path": "base.txt", "content": "base\n"}
then
  call git_commit {"message": "base"}
then
  call delegate {"name": "left", "task": "child writes left.txt with one", "commands": true}
  call delegate {"name": "right", "task": "child writes right.txt with two"}
  call delegate {"name": "Not A Name", "task": "x"}
then
  say delegated
on take *
  call take_branch {"name": "$1"}
then
  say $result
on child writes * with *
  call write_file {"path": "$1", "content": "$2\n"}
  call! run_command {"command": "cat base.txt"}
  call! clone_repository {"url": "https://github.com/a/b"}
  call! delegate {"name": "again", "task": "x"}
then
  call git_commit {"message": "child wrote $1"}
then
  say I wrote $1. $result
"#;

#[tokio::test]
async fn several_work_side_by_side_on_branches_of_their_own_and_are_taken_over() {
    let mut scene = Scene::new(SIDE_BY_SIDE).await;
    let parts = scene.say("begin", true).await;
    assert_eq!(text(&parts), "delegated", "{parts:#?}");
    let done = results(&parts, "delegate");
    for (at, file, branch) in [(0, "left.txt", "hostel/left"), (1, "right.txt", "hostel/right")] {
        assert!(done[at].contains(&format!("I wrote {file}.")) && done[at].contains(branch), "{}", done[at]);
        assert!(done[at].contains(&format!("{file} | 1 +")) && done[at].contains("\"ended\":\"done\""), "{}", done[at]);
    }
    let used =
        |at: usize| serde_json::from_str::<serde_json::Value>(&done[at]).unwrap()["used"]["steps"].as_u64().unwrap();
    let usage = scene.page.call("usage", json!([])).await;
    assert_eq!(usage["steps"], 4 + used(0) + used(1), "what they took counts: {usage}");
    assert!(done[2].contains("no name"), "{}", done[2]);
    // Nothing of it is in the files of whoever delegated.
    let all = scene.data().join("workspaces");
    let trees =
        || fs::read_dir(&all).unwrap().filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir());
    let workspace = trees().find(|path| path.join(".git").is_dir()).unwrap();
    assert!(workspace.join("base.txt").exists() && !workspace.join("left.txt").exists());
    assert_eq!(trees().filter(|path| path.join(".git").is_file()).count(), 2);
    for (name, file, content) in [("left", "left.txt", "one\n"), ("right", "right.txt", "two\n")] {
        let parts = scene.say(&format!("take {name}"), true).await;
        assert!(text(&parts).contains(&format!("hostel/{name}")), "{parts:#?}");
        assert_eq!(fs::read_to_string(workspace.join(file)).unwrap(), content);
    }
    assert_eq!(trees().filter(|path| path.join(".git").is_file()).count(), 0, "their work trees are gone");
}

#[tokio::test]
async fn what_one_of_them_may_not_do_it_is_told_in_words_and_nobody_is_asked() {
    let mut scene = Scene::new(SIDE_BY_SIDE).await;
    scene.say("begin", true).await;
    for (name, may) in [("left", true), ("right", false)] {
        let mut child = scene.home.connect(&format!("coder-agent/default/sub/coder-agent/{name}")).await;
        let messages = child.call("getMessages", json!([])).await;
        let parts = messages.as_array().unwrap().last().unwrap()["parts"].as_array().unwrap().clone();
        assert!(!parts.iter().any(|part| part["state"] == "approval-requested"), "{parts:#?}");
        let ran = &results(&parts, "run_command")[0];
        assert_eq!(ran.contains("base\\n"), may, "{ran}");
        for tool in ["clone_repository", "delegate"] {
            assert!(results(&parts, tool)[0].contains(&format!("There is no tool {tool:?}")), "{parts:#?}");
        }
        let status = child.call("workspaceStatus", json!([])).await;
        assert_eq!(status["branch"], format!("hostel/{name}"), "{status}");
        let errand = json!([{"commands": true, "budget": {}}]);
        assert!(child.try_call("prepareErrand", errand).await.is_err(), "only the agent above is heard");
    }
}

#[tokio::test]
async fn branches_that_do_not_go_together_are_refused_and_nothing_is_changed() {
    let script = SIDE_BY_SIDE.replace("right.txt with two", "left.txt with two");
    let mut scene = Scene::new(&script).await;
    scene.say("begin", true).await;
    scene.say("take left", true).await;
    let parts = scene.say("take right", true).await;
    let refused = &results(&parts, "take_branch")[0];
    assert!(refused.contains("left.txt") && refused.contains("Nothing was changed"), "{refused}");
}

#[tokio::test]
async fn whoever_is_asked_about_a_branch_says_yes_to_what_was_shown() {
    let mut scene = Scene::new(SIDE_BY_SIDE).await;
    scene.say("begin", true).await;
    scene.ask("take left").await;
    let shown = scene.until_asked().await;
    assert!(shown["diff"].as_str().unwrap().contains("+one"), "{shown}");
    let all = fs::read_dir(scene.data().join("workspaces")).unwrap().flatten().map(|entry| entry.path());
    let tree = all.into_iter().find(|path| path.join(".git").is_file() && path.join("left.txt").exists()).unwrap();
    let identity = ["-c", "user.name=a", "-c", "user.email=a@example.test"];
    let later = ["commit", "--quiet", "--allow-empty", "-m", "Later"];
    assert!(Command::new("git").args(identity).args(later).current_dir(tree).status().unwrap().success());
    let parts = scene.answering_now(true).await;
    let refused = &results(&parts, "take_branch")[0];
    assert!(refused.contains("changed"), "{refused}");
    let parts = scene.say("take left", true).await;
    assert!(text(&parts).contains("hostel/left"), "{parts:#?}");
}

const HELD: &str = r#"
on begin
  call write_file {"path": "base.txt", "content": "base\n"}
then
  call git_commit {"message": "base"}
then
  call delegate {"name": "left", "task": "child waits", "commands": true}
then
  say $result
on child waits
  call write_file {"path": "left.txt", "content": "one\n"}
then
  call run_command {"command": "cat base.txt"}
  call write_file {"path": "other.txt", "content": "two\n"}
then
  say I am done.
"#;

/// Nobody is asked above, but by these rules.
fn freely(rules: &serde_json::Value) -> serde_json::Value {
    let rules = rules.as_array().unwrap().iter().cloned();
    let all: Vec<_> = rules.chain([json!({"tool": "delegate", "action": "allow"})]).collect();
    json!([{"mode": "auto", "rules": all}])
}

fn is_answering(error: &impl ToString) -> bool {
    error.to_string().contains("is answering")
}

#[tokio::test]
async fn stopping_an_answer_stops_what_it_delegated() {
    let mut scene = Scene::new(&HELD.replace("cat base.txt", "sleep 1000")).await;
    scene.page.call("setPolicy", freely(&json!([]))).await;
    scene.ask("begin").await;
    scene.until_shown(|chunk| chunk["output"]["agent"] == "left").await;
    let mut child = scene.home.connect("coder-agent/default/sub/coder-agent/left").await;
    child.until(|text| text.contains("stream_resuming")).await;
    assert!(is_answering(&child.try_call("undoRewind", json!([])).await.unwrap_err()));
    scene.stop().await;
    while is_answering(&child.try_call("undoRewind", json!([])).await.unwrap_err()) {
        scene.home.settle().await;
    }
    let error = scene.page.try_call("undoRewind", json!([])).await.unwrap_err();
    assert!(!is_answering(&error), "{error}");
}

#[tokio::test]
async fn what_a_delegate_asks_is_answered_above_and_rules_given_there_meanwhile_hold_for_it() {
    let mut scene = Scene::new(HELD).await;
    let ask = json!([{"tool": "edit", "pattern": "left.txt", "action": "ask"}]);
    scene.page.call("setPolicy", freely(&ask)).await;
    scene.ask("begin").await;
    scene.until_shown(|chunk| chunk["output"]["agent"] == "left").await;
    // The page above sees what it does, and what it asks.
    let asks = |text: &str| text.contains("agent-tool-event") && text.contains("tool-approval-request");
    let event = scene.page.until(asks).await;
    assert!(event.contains("\"runId\":\"left\""), "{event}");
    let waiting = scene.http("GET", "/approvals", "").await["approvals"][0].clone();
    assert_eq!((&waiting["tool"], &waiting["preview"]["diff"].is_string()), (&json!("write_file"), &true), "{waiting}");
    assert_eq!(waiting["agent"], "coder-agent/default/sub/coder-agent/left");
    // A rule asks each time: there is no "always" to say here, and saying it makes no rule, above or below.
    assert!(waiting["preview"]["always"].is_null(), "{waiting}");
    // What is set above while it is at work holds for what is left of its work.
    let deny = json!([{"rules": [{"tool": "command", "action": "deny"}, {"tool": "edit", "pattern": "other*", "action": "deny"}]}]);
    scene.page.call("setPolicy", deny).await;
    let mut child = scene.home.connect("coder-agent/default/sub/coder-agent/left").await;
    scene.home.settle().await;
    let path = format!("/approvals/{}", waiting["id"].as_str().unwrap());
    assert_eq!(scene.http("POST", &path, r#"{"approve":true,"always":true}"#).await["accepted"], true);
    scene.home.advance(std::time::Duration::from_secs(1)).await;
    let parts = scene.until_the_end().await;
    assert!(results(&parts, "delegate")[0].contains("I am done."), "{parts:#?}");
    let messages = child.call("getMessages", json!([])).await;
    let parts = messages.as_array().unwrap().last().unwrap()["parts"].as_array().unwrap().clone();
    let edits = results(&parts, "write_file");
    assert!(edits[0].contains("left.txt") && edits[1].contains("A rule of this agent forbids it"), "{parts:#?}");
    assert!(results(&parts, "run_command")[0].contains("A rule of this agent forbids it"), "{parts:#?}");
    assert_eq!(scene.http("GET", "/approvals", "").await["approvals"], json!([]));
    assert_eq!(child.call("getPolicy", json!([])).await["rules"], json!([]));
    assert_eq!(scene.page.call("getPolicy", json!([])).await["rules"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn plan_mode_above_is_left_by_nothing_that_is_set_or_said_below() {
    let mut scene = Scene::new(HELD).await;
    let ask = json!([{"tool": "edit", "pattern": "left.txt", "action": "ask"}]);
    scene.page.call("setPolicy", freely(&ask)).await;
    scene.ask("begin").await;
    scene.until_shown(|chunk| chunk["output"]["agent"] == "left").await;
    let asks = |text: &str| text.contains("agent-tool-event") && text.contains("tool-approval-request");
    scene.page.until(asks).await;
    scene.page.call("setPolicy", json!([{"mode": "plan"}])).await;
    let mut child = scene.home.connect("coder-agent/default/sub/coder-agent/left").await;
    while child.call("getPolicy", json!([])).await["mode"] != "plan" {
        scene.home.settle().await;
    }
    let set = child.call("setPolicy", json!([{"mode": "auto", "rules": []}])).await;
    assert_eq!(set["mode"], "plan", "{set}");
    let own = json!([{"above": {"mode": "auto", "rules": [], "at": 9_007_199_254_740_991_i64}}]);
    for (method, args) in [("obey", own.clone()), ("prepareErrand", own)] {
        assert!(child.try_call(method, args).await.is_err(), "{method} hears the agent above alone");
    }
    let waiting = scene.http("GET", "/approvals", "").await["approvals"][0].clone();
    let path = format!("/approvals/{}", waiting["id"].as_str().unwrap());
    assert_eq!(scene.http("POST", &path, r#"{"approve":true}"#).await["accepted"], true);
    scene.home.advance(std::time::Duration::from_secs(1)).await;
    scene.until_the_end().await;
    let said = child.call("getMessages", json!([])).await;
    let parts = said.as_array().unwrap().last().unwrap()["parts"].as_array().unwrap().clone();
    for tool in ["write_file", "run_command"] {
        let all = results(&parts, tool);
        assert!(all.iter().all(|said| said.contains("no tool") || said.contains("plan mode")), "{tool}: {all:?}");
    }
    assert_eq!(child.call("getPolicy", json!([])).await["mode"], "plan");
}

#[tokio::test]
async fn what_is_delegated_counts_for_the_answer_and_ends_where_that_may_take_no_more() {
    let most = |workspaces: Workspaces| {
        let turn = Budget { steps: Some(5), ..Budget::default() };
        workspaces.budgets(Budgets { turn, ..Budgets::default() })
    };
    let mut scene = Scene::with(HELD, HELPER, most).await;
    scene.page.call("setPolicy", freely(&json!([]))).await;
    let parts = scene.say("begin", true).await;
    let done = &results(&parts, "delegate")[0];
    let used: serde_json::Value = serde_json::from_str(done).unwrap();
    // Three steps of its own, two of those it delegated to, which stops by itself or is stopped.
    assert!(done.contains("I stopped here: ") && used["used"]["steps"] == 2, "{done}");
    assert!(text(&parts).contains("I stopped here: a turn"), "{parts:#?}");
    assert_eq!(scene.page.call("usage", json!([])).await["steps"], 5);
}

const GREEDY: &str = r#"
on begin
  call write_file {"path": "base.txt", "content": "base\n"}
then
  call git_commit {"message": "base"}
then
  call delegate {"name": "left", "task": "child looks"}
  call delegate {"name": "right", "task": "child looks"}
  call delegate {"name": "small", "task": "child looks", "steps": 1}
then
  call delegate {"name": "late", "task": "child looks"}
then
  say $result
on child looks
  call list_files {}
then
  call list_files {"depth": 2}
then
  call list_files {"depth": 3}
then
  call list_files {"depth": 4}
then
  call list_files {"depth": 5}
then
  say I have seen it all.
"#;

/// Together they would take sixteen steps.
async fn greedy(steps: u64) -> (Vec<String>, u64) {
    let models = || hostel_chat::model::Models::one(hostel_chat::model::Scripted::new(GREEDY).unwrap());
    let most = move |workspaces: Workspaces| {
        let turn = Budget { steps: Some(steps), ..Budget::default() };
        workspaces.budgets(Budgets { turn, ..Budgets::default() })
    };
    let mut scene = Scene::with_models(models, HELPER, most).await;
    scene.page.call("setPolicy", freely(&json!([]))).await;
    let parts = scene.say("begin", true).await;
    let usage = scene.page.call("usage", json!([])).await;
    (results(&parts, "delegate"), usage["steps"].as_u64().unwrap())
}

fn used(done: &str) -> u64 {
    let done: serde_json::Value = serde_json::from_str(done).unwrap_or_else(|_| panic!("{done}"));
    done["used"]["steps"].as_u64().unwrap()
}

#[tokio::test]
async fn those_at_work_side_by_side_take_no_step_more_than_the_answer_has_left() {
    // Three of its own, and seven for three of them: three, two and one, for that asks for no more.
    let (done, steps) = greedy(10).await;
    let mut shares: Vec<u64> = done[..3].iter().map(|done| used(done)).collect();
    shares.sort_unstable();
    assert_eq!(shares.last(), Some(&3), "{done:#?}");
    assert_eq!(shares.first(), Some(&1), "{done:#?}");
    assert!(steps <= 10 && shares.iter().sum::<u64>() <= 7, "{steps}: {done:#?}");
}

#[tokio::test]
async fn one_that_no_step_is_left_for_is_not_begun() {
    let (done, steps) = greedy(5).await;
    let refused = done.iter().filter(|done| done.contains("There is no step left for it")).count();
    assert_eq!((refused, steps), (1, 5), "two for three of them: {done:#?}");
}

#[tokio::test]
async fn the_files_of_an_agent_that_is_destroyed_are_deleted() {
    let mut scene = Scene::new(SIDE_BY_SIDE).await;
    scene.page.call("setPolicy", freely(&json!([]))).await;
    scene.say("begin", true).await;
    let all = scene.data().join("workspaces");
    let trees = || {
        let all = fs::read_dir(&all).unwrap().filter_map(|entry| Some(entry.ok()?.path()));
        all.filter(|path| path.join(".git").is_file()).count()
    };
    assert_eq!(trees(), 2);
    // Those that were delegated to go with the conversation.
    scene.page.send(json!({"type": "cf_agent_chat_clear"}).to_string()).await;
    while trees() > 0 {
        scene.home.settle().await;
    }
    assert!(scene.workspace_of("default").join("base.txt").exists());
}
