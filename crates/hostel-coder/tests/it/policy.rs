//! What may run without asking, and what not at all.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
};

use serde_json::{Value, json};

use super::scene::{HELPER, Scene, calling, results, text};

const CALLS: &[(&str, &[&str])] = &[
    (
        "edit",
        &[
            r#"write_file {"path": "src/a", "content": "x\n"}"#,
            r#"write_file {"path": "secrets/a", "content": "x\n"}"#,
            r#"apply_patch {"patch": "*** Begin Patch\n*** Add File: secrets/b\n+x\n*** End Patch"}"#,
        ],
    ),
    ("look", &[r#"read_file {"path": "src/a"}"#]),
    ("run *", &[r#"run_command {"command": "$1"}"#]),
    ("clone", &[r#"clone_repository {"url": "https://github.com/a/b"}"#]),
];

/// A scene with these calls, and what the model is told when it hears of tools.
async fn scene() -> Scene {
    Scene::with_helper(&script(), HELPER).await
}

fn script() -> String {
    format!("on tools\n  say $tools $system\n{}", calling(CALLS))
}

async fn set(scene: &mut Scene, change: Value) -> Value {
    scene.page.call("setPolicy", json!([change])).await
}

/// What a page was asked while something was said, all of which is denied.
async fn asked(scene: &mut Scene, text: &str) -> usize {
    let parts = scene.say(text, false).await;
    parts.iter().filter(|part| part["type"] == "data-preview").count()
}

#[tokio::test]
async fn in_plan_mode_the_agent_looks_and_touches_nothing() {
    let mut scene = scene().await;
    scene.say("edit", true).await;
    set(&mut scene, json!({"mode": "plan"})).await;
    let said = text(&scene.say("tools", true).await).to_owned();
    assert!(said.contains("read_file") && said.contains("You are in plan mode"), "{said}");
    for tool in ["write_file", "run_command", "git_commit", "clone_repository", "delete_file"] {
        assert!(!said.contains(&format!("{tool},")) && !said.ends_with(tool), "{tool}: {said}");
    }
    fs::remove_file(scene.workspace().join("src/a")).unwrap();
    // A model that would call it all the same cannot.
    let parts = scene.say("edit", true).await;
    assert!(results(&parts, "write_file").is_empty(), "{parts:#?}");
    assert!(!scene.workspace().join("src/a").exists());
    assert!(results(&scene.say("look", true).await, "read_file")[0].contains("there is no"));
}

#[tokio::test]
async fn an_approval_from_before_plan_mode_does_not_count_in_it() {
    let mut scene = scene().await;
    scene.ask("run touch made").await;
    let _ = scene.until_asked().await;
    set(&mut scene, json!({"mode": "plan"})).await;
    let parts = scene.answering_now(true).await;
    assert!(results(&parts, "run_command")[0].contains("no tool"), "{parts:#?}");
}

#[tokio::test]
async fn rules_run_ask_and_deny_and_the_strictest_counts() {
    let mut scene = scene().await;
    let rules = json!([
        {"tool": "run_command", "pattern": "echo *", "action": "allow"},
        {"tool": "command", "pattern": "echo secret*", "action": "deny"},
        {"tool": "edit", "pattern": "src/*", "action": "allow"},
        {"tool": "edit", "pattern": "secrets/*", "action": "deny"},
    ]);
    let view = set(&mut scene, json!({"rules": rules})).await;
    assert_eq!((view["rules"].as_array().unwrap().len(), &view["mode"]), (4, &json!("ask")), "{view}");
    assert_eq!(asked(&mut scene, "run echo hello").await, 0);
    for line in ["echo hello; touch made", "echo $(touch made)", "echo hello > made", "ls"] {
        assert_eq!(asked(&mut scene, &format!("run {line}")).await, 1, "{line}");
    }
    let denied = scene.say("run ls && echo secrets", true).await;
    assert!(results(&denied, "run_command")[0].contains("deny command echo secret*"), "{denied:#?}");
    let parts = scene.say("edit", true).await;
    assert!(results(&parts, "write_file")[0].contains("added src/a"), "{parts:#?}");
    assert!(results(&parts, "write_file")[1].contains("forbids"), "{parts:#?}");
    assert!(results(&parts, "apply_patch")[0].contains("forbids"), "{parts:#?}");
    assert!(!scene.workspace().join("made").exists() && !scene.workspace().join("secrets").exists());
    let log = scene.page.call("getPolicyLog", json!([])).await;
    let words: Vec<&str> = log.as_array().unwrap().iter().map(|entry| entry["ruling"].as_str().unwrap()).collect();
    let of = |word: &str| words.iter().filter(|found| **found == word).count();
    assert_eq!((of("run"), of("refuse"), of("added"), words.len()), (2, 3, 4, 9), "{log}");
    assert!(log[4]["rule"] == "allow run_command echo *" && log[4]["on"] == "echo hello", "{log}");
}

#[tokio::test]
async fn always_allows_the_same_command_and_no_other_until_the_rule_is_removed() {
    let mut scene = scene().await;
    scene.ask("run echo a; echo b").await;
    let shown = scene.until_asked().await;
    assert_eq!(shown["always"], "run_command echo a; echo b", "{shown}");
    let view = scene.page.call("approveAlways", json!([shown["toolCallId"]])).await;
    let rule = json!({"tool": "run_command", "pattern": "echo a; echo b", "action": "allow"});
    assert_eq!(without_since(&view["rules"][0]), rule, "{view}");
    scene.answering_now(true).await;
    assert_eq!(asked(&mut scene, "run echo a; echo b").await, 0);
    assert_eq!(asked(&mut scene, "run echo a; echo b; echo c").await, 1);
    set(&mut scene, json!({"rules": []})).await;
    assert_eq!(asked(&mut scene, "run echo a; echo b").await, 1);
}

#[tokio::test]
async fn changes_of_the_policy_are_in_its_log_however_they_are_made() {
    let mut scene = scene().await;
    set(&mut scene, json!({"mode": "ask", "rules": [{"tool": "edit", "pattern": "a", "action": "deny"}]})).await;
    scene.say("/plan", true).await;
    set(&mut scene, json!({"mode": "auto", "rules": []})).await;
    set(&mut scene, json!({"mode": "ask"})).await;
    scene.ask("run make").await;
    let shown = scene.until_asked().await;
    scene.page.call("approveAlways", json!([shown["toolCallId"]])).await;
    scene.answering_now(true).await;
    let log = scene.page.call("getPolicyLog", json!([])).await;
    let changes = log.as_array().unwrap().iter().rev().filter(|entry| entry["tool"] == "setPolicy");
    let words: Vec<_> = changes.map(|entry| ["on", "ruling", "rule"].map(|key| entry[key].as_str().unwrap())).collect();
    let expected = [
        ["", "added", "deny edit a"],
        ["mode ask", "set", "mode plan"],
        ["mode plan", "set", "mode auto"],
        ["", "removed", "deny edit a"],
        ["mode auto", "set", "mode ask"],
        ["", "added", "allow run_command make"],
    ];
    assert_eq!(words, expected, "{log}");
}

fn without_since(rule: &Value) -> Value {
    json!({"tool": rule["tool"], "pattern": rule["pattern"], "action": rule["action"]})
}

#[tokio::test]
async fn in_auto_mode_what_the_sandbox_holds_runs_and_what_reaches_out_asks() {
    let mut scene = scene().await;
    set(&mut scene, json!({"mode": "auto"})).await;
    assert_eq!(asked(&mut scene, "run touch made && ls").await, 0);
    assert_eq!(asked(&mut scene, "edit").await, 0);
    assert!(scene.workspace().join("made").exists() && scene.workspace().join("secrets/b").exists());
    assert_eq!(asked(&mut scene, "clone").await, 1);
}

#[tokio::test]
async fn a_policy_that_cannot_be_is_refused_and_changes_nothing() {
    let mut scene = scene().await;
    for wrong in [
        json!({"mode": "yolo"}),
        json!({"rules": [{"tool": "", "action": "allow"}], "mode": "auto"}),
        json!({"rules": [{"tool": "edit", "action": "maybe"}]}),
        json!({"rule": []}),
    ] {
        assert!(scene.page.try_call("setPolicy", json!([wrong])).await.is_err(), "{wrong}");
    }
    assert_eq!(scene.page.call("getPolicy", json!([])).await["mode"], "ask");
}

/// A helper that finds no namespaces, and is one otherwise.
fn helper_without_namespaces(dir: &std::path::Path) -> String {
    let path = dir.join("helper");
    let script = format!("#!/bin/sh\n[ \"$2\" = outer ] && exit 1\nexec {HELPER} \"$@\"\n");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn without_a_sandbox_every_command_is_asked_for_with_a_plain_warning_whatever_the_rules() {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let mut scene = Scene::with_helper(&script(), &helper_without_namespaces(dir.path())).await;
    let rules = json!([{"tool": "run_command", "pattern": "echo*", "action": "allow"}]);
    set(&mut scene, json!({"mode": "auto", "rules": rules})).await;
    for _ in 0..2 {
        scene.ask("run echo $HOME; pwd").await;
        let shown = scene.until_asked().await;
        assert!(shown["text"].as_str().unwrap().contains("WITHOUT A SANDBOX"), "{shown}");
        assert!(shown["always"].is_null(), "{shown}");
        let parts = scene.answering_now(true).await;
        let ran: Value = serde_json::from_str(&results(&parts, "run_command")[0]).unwrap();
        let workspace = scene.workspace().canonicalize().unwrap();
        let expected = format!("{0}\n{0}\n", workspace.display());
        assert_eq!((&ran["success"], ran["output"].as_str().unwrap()), (&json!(true), expected.as_str()));
    }
    assert!(scene.page.call("getPolicy", json!([])).await["noSandbox"].is_string());
}

/// Files in the workspace of a scene with one step of calls, and these rules.
async fn ruled(calls: &[&str], files: &[&str], rules: Value) -> Scene {
    let mut scene = Scene::new(&calling(&[("go", calls)])).await;
    scene.say("/write first\nx", true).await;
    for file in files {
        let file = scene.workspace().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "1\n").unwrap();
    }
    set(&mut scene, json!({"rules": rules})).await;
    scene
}

#[tokio::test]
async fn a_rule_means_a_file_by_every_name_that_links_give_it() {
    let calls = [
        r#"write_file {"path": "src/way/new", "content": "x"}"#,
        r#"apply_patch {"patch": "*** Begin Patch\n*** Add File: src/way/new\n+x\n*** End Patch"}"#,
        r#"move_file {"from": "src/way/one", "to": "src/one"}"#,
        r#"move_file {"from": "src/two", "to": "src/way/two"}"#,
        r#"delete_file {"path": "src/round/way/one"}"#,
        r#"createFile {"path": "src/way/new", "content": "x"}"#,
        // A link goes by itself.
        r#"delete_file {"path": "src/way"}"#,
        r#"write_file {"path": "src/new", "content": "x"}"#,
        // What is allowed is allowed where it really is.
        r#"write_file {"path": "src/out/new", "content": "x"}"#,
    ];
    let rules = json!([
        {"tool": "edit", "pattern": "src/*", "action": "allow"},
        {"tool": "edit", "pattern": "migrations/*", "action": "deny"},
    ]);
    let mut scene = ruled(&calls, &["migrations/one", "src/two", "other/x"], rules).await;
    for (target, link) in [("../migrations", "src/way"), (".", "src/round"), ("../other", "src/out")] {
        symlink(target, scene.workspace().join(link)).unwrap();
    }
    let parts = scene.say("go", false).await;
    let denied = |tool: &str, at: usize| results(&parts, tool)[at].contains("deny edit migrations/*");
    let all = [
        ("write_file", 0),
        ("apply_patch", 0),
        ("move_file", 0),
        ("move_file", 1),
        ("delete_file", 0),
        ("createFile", 0),
    ];
    assert!(all.iter().all(|(tool, at)| denied(tool, *at)), "{parts:#?}");
    assert!(results(&parts, "delete_file")[1].contains("deleted src/way"), "{parts:#?}");
    assert!(results(&parts, "write_file")[1].contains("added src/new"), "{parts:#?}");
    assert_eq!(results(&parts, "write_file")[2], "output-denied", "it was asked about");
    let there = |path: &str| scene.workspace().join(path).exists();
    assert!(there("migrations/one") && there("src/two") && !there("migrations/new") && !there("other/new"));
}

#[tokio::test]
async fn a_star_in_the_middle_means_what_is_in_a_directory_that_is_moved_or_deleted() {
    let calls = [
        r#"delete_file {"path": "src/a", "recursive": true}"#,
        r#"move_file {"from": "src/a", "to": "open"}"#,
        r#"move_file {"from": "src", "to": "open"}"#,
        r#"move_file {"from": "other", "to": "src/new"}"#,
        r#"delete_file {"path": "src/b", "recursive": true}"#,
        r#"move_file {"from": "other", "to": "open"}"#,
    ];
    let rules = json!([
        {"tool": "edit", "pattern": "*", "action": "allow"},
        {"tool": "read_file", "pattern": "src/*/key", "action": "deny"},
    ]);
    let mut scene = ruled(&calls, &["src/a/deep/key", "src/b/door", "other/key"], rules).await;
    let parts = scene.say("go", true).await;
    let (deleted, moved) = (results(&parts, "delete_file"), results(&parts, "move_file"));
    for said in deleted[..1].iter().chain(&moved[..3]) {
        assert!(said.contains("deny read_file src/*/key"), "{said}");
    }
    assert!(deleted[1].contains("deleted src/b") && moved[3].contains("moved other to open"), "{parts:#?}");
    assert!(scene.workspace().join("src/a/deep/key").exists());
}

#[tokio::test]
async fn a_patch_is_ruled_by_the_file_that_it_changes_whatever_its_directory_is_called() {
    let calls = [
        r#"apply_patch {"patch": "--- a/x\n+++ a/x\n@@ -1 +1 @@\n-1\n+2\n"}"#,
        r#"apply_patch {"patch": "diff --git a/x a/x\n--- a/x\n+++ a/x\n@@ -1 +1 @@\n-1\n+2\n"}"#,
        r#"apply_patch {"patch": "--- a/a/x\n+++ b/a/x\n@@ -1 +1 @@\n-1\n+2\n"}"#,
        r#"apply_patch {"patch": "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-1\n+2\n"}"#,
        r#"apply_patch {"patch": "--- b/x\n+++ b/x\n@@ -1 +1 @@\n-1\n+2\n"}"#,
    ];
    let rules = json!([
        {"tool": "edit", "pattern": "*", "action": "allow"},
        {"tool": "edit", "pattern": "a/*", "action": "deny"},
    ]);
    let mut scene = ruled(&calls, &["a/x", "b/x", "x"], rules).await;
    let parts = scene.say("go", true).await;
    let said = results(&parts, "apply_patch");
    assert!(said[..3].iter().all(|said| said.contains("deny edit a/*")), "{said:?}");
    assert!(said[3].contains("changed x ") && said[4].contains("changed b/x "), "{said:?}");
    let text = |path: &str| fs::read_to_string(scene.workspace().join(path)).unwrap();
    assert_eq!((text("a/x"), text("x"), text("b/x")), ("1\n".into(), "2\n".into(), "2\n".into()));
}
