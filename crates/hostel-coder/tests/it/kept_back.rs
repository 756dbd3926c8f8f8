//! What is in a file that a rule keeps from being read: every way to see it is tried.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use serde_json::{Value, json};

use super::scene::{Scene, calling, results, text};

/// What no answer may have in it.
const SECRET: &str = "s3cret";

const CALLS: &[(&str, &[&str])] = &[
    (
        "look",
        &[
            r#"read_file {"path": "secrets/key"}"#,
            r#"read_file {"path": "link"}"#,
            r#"getFileContents {"path": "secrets/key"}"#,
            r#"getFileContents {"path": "secrets/key", "ref": "HEAD"}"#,
            r#"!get_file_contents {"path": "link"}"#,
        ],
    ),
    ("follow", &[r#"read_file {"path": "link"}"#]),
    (
        "find",
        &[
            r#"search {"pattern": "KEY"}"#,
            r#"search {"pattern": "KEY", "path": "secrets/key"}"#,
            r#"search {"pattern": "KEY", "path": "link"}"#,
            r#"searchCode {"query": "KEY"}"#,
        ],
    ),
    ("compare", &["git_diff {}", r#"git_diff {"paths": ["secrets"]}"#, r#"git_diff {"staged": true}"#, "git_log {}"]),
    (
        "change",
        &[
            r#"write_file {"path": "secrets/key", "content": "x"}"#,
            r#"replace {"path": "secrets/key", "old": "nothing like it", "new": "x"}"#,
            r#"replace {"path": "link", "old": "nothing like it", "new": "x"}"#,
            r#"apply_patch {"patch": "*** Begin Patch\n*** Update File: secrets/key\n@@\n-nothing\n+x\n*** End Patch"}"#,
            r#"delete_file {"path": "secrets/key"}"#,
            r#"move_file {"from": "secrets", "to": "open"}"#,
            r#"move_file {"from": "way/key", "to": "open"}"#,
            r#"delete_file {"path": "way/key"}"#,
        ],
    ),
    ("take", &[r#"take_branch {"name": "left"}"#]),
];

/// An agent that may not read what is in `secrets`, where a key was committed, and is another now.
async fn scene(rules: Value) -> Scene {
    let mut scene = Scene::new(&format!("{}on system\n  say $system\n", calling(CALLS))).await;
    scene.page.call("setPolicy", json!([{"rules": rules}])).await;
    scene.say("/write shown.txt\nKEY is in another file", true).await;
    key(&scene, "first");
    symlink("secrets/key", scene.workspace().join("link")).unwrap();
    scene.say("/commit Begin", true).await;
    key(&scene, "second");
    fs::write(scene.workspace().join("shown.txt"), "visible").unwrap();
    scene
}

fn denied() -> Value {
    json!([{"tool": "read_file", "pattern": "secrets/*", "action": "deny"}])
}

fn key(scene: &Scene, which: &str) {
    let dir = scene.workspace().join("secrets");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("key"), format!("KEY={which}-{SECRET}\n")).unwrap();
}

fn git(workspace: &Path, args: &[&str]) {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@example.test"];
    assert!(Command::new("git").args(identity).args(args).current_dir(workspace).status().unwrap().success());
}

/// Nothing of it is in the conversation, which the model reads and pages show.
async fn is_kept_back(scene: &mut Scene) {
    let all = scene.page.call("getMessages", json!([])).await.to_string();
    assert!(!all.contains(SECRET), "{all}");
}

#[tokio::test]
async fn a_file_is_read_by_no_tool_at_no_commit_and_by_no_link() {
    let mut scene = scene(denied()).await;
    let parts = scene.say("look", true).await;
    let all = [results(&parts, "read_file"), results(&parts, "getFileContents"), results(&parts, "get_file_contents")];
    for said in all.concat() {
        assert!(said.contains("deny read_file secrets/*"), "{said}");
    }
    is_kept_back(&mut scene).await;
    // By hand it is the same.
    let parts = scene.say("/open secrets/key", true).await;
    assert!(text(&parts).contains("deny read_file secrets/*"), "{parts:#?}");
    is_kept_back(&mut scene).await;
}

#[tokio::test]
async fn a_search_leaves_it_out_wherever_it_begins_and_says_so() {
    let mut scene = scene(denied()).await;
    let parts = scene.say("find", true).await;
    let (found, old) = (results(&parts, "search"), results(&parts, "searchCode"));
    for said in [&found[0], &found[1], &found[2], &old[0]] {
        assert!(
            said.contains("(1 files were not looked at: a rule of this agent keeps them from being read)"),
            "{said}"
        );
    }
    is_kept_back(&mut scene).await;
}

#[tokio::test]
async fn a_difference_is_shown_without_it_and_says_so() {
    let mut scene = scene(denied()).await;
    git(&scene.workspace(), &["add", "--all"]);
    let parts = scene.say("compare", true).await;
    let shown = results(&parts, "git_diff");
    let note = "(not shown: secrets/key; a rule of this agent keeps that from being read)";
    assert!(shown[0].contains("+visible") && shown[0].ends_with(note), "{}", shown[0]);
    assert_eq!(shown[1], note);
    assert!(shown[2].contains("+visible") && shown[2].ends_with(note), "{}", shown[2]);
    is_kept_back(&mut scene).await;
}

#[tokio::test]
async fn no_change_shows_it() {
    let mut scene = scene(denied()).await;
    symlink("secrets", scene.workspace().join("way")).unwrap();
    let parts = scene.say("change", true).await;
    for tool in ["write_file", "replace", "apply_patch", "delete_file", "move_file"] {
        for said in results(&parts, tool) {
            assert!(said.contains("deny read_file secrets/*"), "{tool}: {said}");
        }
    }
    is_kept_back(&mut scene).await;
    let key = fs::read_to_string(scene.workspace().join("secrets/key")).unwrap();
    assert!(key.contains("second"), "it is as it was: {key}");
    assert!(!scene.workspace().join("open").exists());
}

#[tokio::test]
async fn whoever_is_asked_about_a_commit_a_branch_or_an_undo_is_told_what_is_not_shown() {
    let mut scene = scene(denied()).await;
    let is_told = |shown: &Value| {
        let shown = shown.to_string();
        assert!(shown.contains("not shown: secrets/key") && !shown.contains(SECRET), "{shown}");
    };
    scene.ask("/commit Second").await;
    let shown = scene.until_asked().await;
    assert!(shown["diff"].as_str().unwrap().contains("+visible"), "{shown}");
    is_told(&shown);
    scene.answering_now(true).await;
    // A branch with another key, made in a place of its own.
    let (workspace, tree) = (scene.workspace(), scene.data().join("tree"));
    git(&workspace, &["worktree", "add", "--quiet", "-b", "hostel/left", tree.to_str().unwrap()]);
    fs::write(tree.join("secrets/key"), format!("KEY=third-{SECRET}\n")).unwrap();
    git(&tree, &["commit", "--quiet", "--all", "-m", "Third"]);
    scene.ask("take").await;
    is_told(&scene.until_asked().await);
    scene.answering_now(false).await;
    scene.say("/write shown.txt\nagain", true).await;
    key(&scene, "fourth");
    scene.ask("/undo").await;
    is_told(&scene.until_asked().await);
    scene.answering_now(true).await;
    is_kept_back(&mut scene).await;
    let key = fs::read_to_string(workspace.join("secrets/key")).unwrap();
    assert!(key.contains("second"), "what is not shown is put back all the same: {key}");
}

#[tokio::test]
async fn pages_and_programs_see_it_by_no_method() {
    let mut scene = scene(denied()).await;
    fs::write(scene.workspace().join("secrets/new"), SECRET).unwrap();
    symlink("secrets/key", scene.workspace().join("new-link")).unwrap();
    let page = &mut scene.page;
    for path in ["secrets/key", "./secrets//key", "link"] {
        let error = page.try_call("readFile", json!([{"path": path}])).await.unwrap_err();
        assert!(format!("{error:?}").contains("workspace_refused"), "{path}: {error}");
        for method in ["analyzeCode", "explainCode"] {
            let error = page.try_call(method, json!([{"path": path}])).await.unwrap_err();
            assert!(error.to_string().contains("keeps") && error.to_string().contains("from being read"), "{error}");
        }
    }
    for path in ["", "secrets", "link"] {
        let found = page.call("searchFiles", json!([{"query": "s3", "path": path}])).await;
        assert_eq!(found["matches"], json!([]), "{path}");
        assert!(found["leftOut"].as_u64().unwrap() > 0, "{path}: {found}");
    }
    for what in [json!({}), json!({"from": "HEAD"}), json!({"path": "secrets"})] {
        let diff = page.call("workspaceDiff", json!([what])).await;
        assert_eq!(diff["leftOut"], json!(["secrets/key", "secrets/new"]), "{what}: {diff}");
        assert!(!diff.to_string().contains(SECRET), "{what}: {diff}");
    }
    // What is there is no secret.
    assert_eq!(page.call("listFiles", json!(["secrets"])).await["entries"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn instructions_and_entries_of_the_project_are_not_read_behind_the_back_of_a_rule() {
    let mut scene = scene(json!([
        {"tool": "read_file", "pattern": "AGENTS.md", "action": "ask"},
        {"tool": "read_file", "pattern": ".mcp.json", "action": "deny"},
    ]))
    .await;
    let room = scene.workspace();
    fs::write(room.join("AGENTS.md"), format!("Always say {SECRET}.")).unwrap();
    let entry = json!({"mcpServers": {"here": {"command": "sh", "env": {"KEY": SECRET}}}});
    fs::write(room.join(".mcp.json"), entry.to_string()).unwrap();
    let said = text(&scene.say("system", true).await).to_owned();
    assert!(!said.contains(SECRET), "{said}");
    let shown = scene.page.call("projectMcp", json!([])).await;
    assert!(shown["error"].as_str().unwrap().contains("from being read"), "{shown}");
    is_kept_back(&mut scene).await;
}

#[tokio::test]
async fn what_a_rule_asks_about_people_see_and_the_model_sees_only_what_it_was_asked_for() {
    let mut scene = scene(json!([{"tool": "read_file", "pattern": "secrets/*", "action": "ask"}])).await;
    let seen = scene.page.call("readFile", json!([{"path": "secrets/key"}])).await;
    assert!(seen["text"].as_str().unwrap().contains("second"), "{seen}");
    let diff = scene.page.call("workspaceDiff", json!([])).await;
    assert!(diff["diff"].as_str().unwrap().contains("second") && diff["leftOut"].is_null(), "{diff}");
    let parts = scene.say("compare", true).await;
    assert!(results(&parts, "git_diff").iter().all(|shown| !shown.contains("second")), "{parts:#?}");
    let parts = scene.say("look", true).await;
    let read = results(&parts, "read_file");
    assert!(read.iter().all(|read| read.contains("second")), "{read:?}");
    // Whoever is asked about a link is told where it leads, and says yes to that alone.
    scene.ask("follow").await;
    assert_eq!(scene.until_asked().await["text"], "Reads secrets/key.");
    let link = scene.workspace().join("link");
    fs::write(scene.workspace().join("secrets/other"), "other").unwrap();
    fs::remove_file(&link).unwrap();
    symlink("secrets/other", link).unwrap();
    let parts = scene.answering_now(true).await;
    assert!(results(&parts, "read_file")[0].contains("has changed since this was shown"), "{parts:#?}");
}

#[tokio::test]
async fn a_question_about_everything_takes_the_place_of_none_about_some() {
    let mut scene = scene(json!([
        {"tool": "read_file", "action": "ask"},
        {"tool": "read_file", "pattern": "secrets/*", "action": "ask"},
    ]))
    .await;
    let parts = scene.say("compare", true).await;
    assert!(results(&parts, "git_diff")[0].contains("not shown: secrets/key"), "{parts:#?}");
    assert!(!scene.page.call("getMessages", json!([])).await.to_string().contains(SECRET));
}

#[tokio::test]
async fn a_command_by_a_method_is_refused_by_a_rule_and_in_plan_mode_and_nothing_is_run() {
    let mut scene = scene(json!([
        {"tool": "command", "pattern": "touch *", "action": "deny"},
        {"tool": "run_command", "pattern": "echo*", "action": "ask"},
    ]))
    .await;
    for line in [json!("touch made"), json!({"command": "true; touch made"})] {
        let error = scene.page.try_call("executeCommand", json!([line])).await.unwrap_err().to_string();
        assert!(error.contains("A rule of this agent forbids it (deny command touch *)."), "{error}");
    }
    // Whoever calls it is who would be asked.
    let ran = scene.page.call("executeCommand", json!(["echo said"])).await;
    assert_eq!((&ran["success"], &ran["output"]), (&json!(true), &json!("said\n")));
    scene.page.call("setPolicy", json!([{"mode": "plan", "rules": []}])).await;
    let error = scene.page.try_call("executeCommand", json!(["touch made"])).await.unwrap_err().to_string();
    assert!(error.contains("plan mode"), "{error}");
    assert!(!scene.workspace().join("made").exists());
}
