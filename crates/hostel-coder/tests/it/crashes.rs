//! The server dies at every point of a session: what there is in the end is what there is without that.

use std::{collections::BTreeMap, path::Path, process::Command};

use hostel_testing::CrashPoint;
use serde_json::Value;

use super::scene::{Scene, results, text};

/// What there is before, half of which cannot be done yet; then the session itself.
const SESSION: &str = r#"
on allow
  call write_file {"path": "src/kept.txt", "content": "kept\n"}
  call apply_patch {"patch": "*** Begin Patch\n*** Add File: src/one.txt\n+one\n*** Add File: src/two.txt\n+two\n*** End Patch\n"}
  call createFile {"path": "gone/a.txt", "content": "a\n"}
  call git_commit {"message": "Begin"}
  call replace {"path": "src/kept.txt", "old": "kept", "new": "stays"}
  call git_branch {"name": "side", "create": true}
  call move_file {"from": "src/two.txt", "to": "src/deux.txt"}
  call delete_file {"path": "src/deux.txt"}
then
  say Begun.
on work
  call git_branch {"name": "side", "create": true}
  call git_branch {"name": "work", "create": true}
  call apply_patch {"patch": "*** Begin Patch\n*** Update File: src/one.txt\n@@\n-one\n+1\n*** Add File: new/three.txt\n+three\n*** Delete File: gone/a.txt\n*** End Patch\n"}
  call replace {"path": "src/one.txt", "old": "1", "new": "one, again"}
then
  call move_file {"from": "new/three.txt", "to": "three.txt"}
  call createFile {"path": "four.txt", "content": "four\n", "commitMessage": "Four"}
  call git_commit {"message": "The rest"}
then
  call git_branch {"name": "side"}
  call delete_file {"path": "src", "recursive": true}
then
  say Done.
"#;

/// What is left of a session.
#[derive(Debug, PartialEq)]
struct Left {
    files: BTreeMap<String, String>,
    history: String,
    said: Vec<Value>,
}

async fn begun() -> Scene {
    let mut scene = Scene::new(SESSION).await;
    scene.page.call("setPolicy", serde_json::json!([{"mode": "auto"}])).await;
    assert_eq!(text(&scene.say_always("allow").await), "Begun.");
    scene
}

async fn left(scene: &mut Scene) -> Left {
    let dir = scene.workspace();
    let mut files = BTreeMap::new();
    gather(&dir, &dir, &mut files);
    let branch = |name: &str| git(&dir, &["log", name, "--topo-order", "--format=%T %s"]);
    let history = ["main", "side", "work"].map(branch).join("--\n");
    let said = scene.parts().await.iter().map(without_names).collect();
    Left { files, history: format!("{history}{}", git(&dir, &["status", "--porcelain", "--branch"])), said }
}

/// Every commit has a moment in it, and so another name each time; calls have random ones.
fn without_names(part: &Value) -> Value {
    let mut part = part.clone();
    part["toolCallId"] = Value::Null;
    if part["output"]["commit"].is_string() {
        part["output"]["commit"] = Value::Null;
    }
    part
}

fn gather(root: &Path, dir: &Path, files: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with(".git") {
            gather(root, &path, files);
        } else if path.is_file() {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            files.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn git(dir: &Path, args: &[&str]) -> String {
    let out = Command::new("git").args(args).current_dir(dir).env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// The session, with a crash at its `nth` write; `None` if it has no so many.
async fn with_crash(point: CrashPoint, nth: u64) -> Option<Left> {
    let mut scene = begun().await;
    if !dies(&mut scene, point, nth).await {
        return None;
    }
    Some(left(&mut scene).await)
}

/// Has it work, die at the `nth` write, and go on to its end; `false` if it has no so many.
async fn dies(scene: &mut Scene, point: CrashPoint, nth: u64) -> bool {
    scene.home.crash_at(point, nth);
    scene.ask("work").await;
    // What is written behind the end, for the list of conversations, may be what it dies of.
    let crashed = scene.until_crashed_or_done().await || !scene.home.call_off_crash();
    if crashed {
        scene.home.after_crash().await;
        scene.until_done("work", "Done.").await;
    }
    crashed
}

#[tokio::test]
async fn a_session_that_dies_at_any_write_ends_as_one_that_does_not() {
    let mut scene = begun().await;
    assert_eq!(text(&scene.say("work", true).await), "Done.");
    let undisturbed = left(&mut scene).await;
    for (nth, point) in crashes() {
        let Some(left) = with_crash(point, nth).await else {
            assert!(nth > 30, "the session has {nth} writes only");
            return;
        };
        assert_eq!(left, undisturbed, "a crash at write {nth}: {point:?}");
    }
}

/// Every third write, before it is durable and behind that by turns; all of both if somebody has the time.
fn crashes() -> impl Iterator<Item = (u64, CrashPoint)> {
    let every = std::env::var_os("EVERY_CRASH").is_some();
    let points = move |nth: u64| match (every, nth % 2) {
        (true, _) => vec![(nth, CrashPoint::Committed), (nth, CrashPoint::Durable)],
        (false, 0) => vec![(nth, CrashPoint::Committed)],
        (false, _) => vec![(nth, CrashPoint::Durable)],
    };
    (1..).step_by(if every { 1 } else { 3 }).flat_map(points)
}

const COMMAND: &str = r#"
on work
  call run_command {"command": "echo begun >> ran.txt; echo hello"}
then
  say Done.
"#;

/// A command, with a crash at the `nth` write: what was told of it, and how often it was begun. `None` if there are no so many.
async fn command_with_crash(point: CrashPoint, nth: u64) -> Option<(String, usize)> {
    let mut scene = Scene::new(COMMAND).await;
    scene.page.call("setPolicy", serde_json::json!([{"mode": "auto"}])).await;
    if !dies(&mut scene, point, nth).await {
        return None;
    }
    let told = results(&scene.parts().await, "run_command").remove(0);
    let begun = std::fs::read_to_string(scene.workspace().join("ran.txt")).unwrap_or_default();
    Some((told, begun.lines().count()))
}

#[tokio::test]
async fn a_command_is_begun_once_whenever_the_server_dies_and_one_that_was_broken_off_is_told() {
    let (mut ended, mut broken) = (0, 0);
    // Behind each write; before it is durable as well, if somebody has the time.
    let every = std::env::var_os("EVERY_CRASH").map(|_| CrashPoint::Committed);
    for nth in 1.. {
        for point in [Some(CrashPoint::Durable), every].into_iter().flatten() {
            let Some((told, begun)) = command_with_crash(point, nth).await else {
                assert!(ended > 5 && broken > 0, "{ended} ended, {broken} were broken off");
                return;
            };
            let place = format!("a crash at write {nth}: {point:?}: {told}");
            if told.contains("\"exitCode\":0") && told.contains("hello") {
                assert_eq!(begun, 1, "{place}");
                ended += 1;
            } else {
                assert!(told.contains("the server stopped while it ran") && begun <= 1, "{begun} times, {place}");
                broken += 1;
            }
        }
    }
}

const ERRAND: &str = r#"
on begin
  call write_file {"path": "base.txt", "content": "base\n"}
then
  call git_commit {"message": "Base"}
then
  say Begun.
on work
  call delegate {"name": "side", "task": "write it"}
then
  say Done.
on write it
  call write_file {"path": "side.txt", "content": "side\n"}
then
  call git_commit {"message": "Side"}
then
  say Written.
"#;

/// An errand, with a crash at the `nth` write: what it came to, the history of its branch, and what its agent has heard and said.
async fn errand(crash: Option<(CrashPoint, u64)>) -> Option<(Vec<Value>, String, Value)> {
    let mut scene = Scene::new(ERRAND).await;
    assert_eq!(text(&scene.say("begin", true).await), "Begun.");
    scene.page.call("setPolicy", serde_json::json!([{"rules": [{"tool": "delegate", "action": "allow"}]}])).await;
    match crash {
        Some((point, nth)) if !dies(&mut scene, point, nth).await => return None,
        None => assert_eq!(text(&scene.say("work", true).await), "Done."),
        _ => {}
    }
    let said = scene.parts().await.iter().map(without_names).collect();
    let history = git(&scene.workspace(), &["log", "hostel/side", "--topo-order", "--format=%T %s"]);
    let mut below = scene.home.connect("coder-agent/default/sub/coder-agent/side").await;
    let heard = below.call("getMessages", serde_json::json!([])).await;
    let message = |message: &Value| {
        let parts: Vec<Value> = message["parts"].as_array().into_iter().flatten().map(without_names).collect();
        serde_json::json!([message["role"], parts])
    };
    Some((said, history, heard.as_array().unwrap().iter().map(message).collect()))
}

#[tokio::test]
async fn an_errand_is_gone_on_with_whenever_the_server_dies() {
    let calm = errand(None).await.unwrap();
    assert_eq!(calm.1.lines().count(), 2, "{}", calm.1);
    for (nth, point) in crashes() {
        let Some(left) = errand(Some((point, nth))).await else {
            assert!(nth > 15, "there are {nth} writes only");
            return;
        };
        assert_eq!(left, calm, "a crash at write {nth}: {point:?}");
    }
}
