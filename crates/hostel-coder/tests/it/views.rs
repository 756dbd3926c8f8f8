//! What front ends see of a workspace, over a real socket.

use serde_json::{Value, json};

use super::scene::{Scene, text};

const NO_MODEL: &str = "on nothing\n  say nothing\n";

/// A workspace with a commit, a change, a new file, a picture and a link that leads out.
async fn scene() -> Scene {
    let mut scene = Scene::new(NO_MODEL).await;
    scene.say("/write src/lib.rs\nfn one() {}\nfn two() {}", true).await;
    scene.say("/write README.md\nHello", true).await;
    scene.say("/commit Begin", true).await;
    scene.say("/write README.md\nHello there", true).await;
    let room = scene.workspace();
    std::fs::write(room.join("new.txt"), "new").unwrap();
    std::fs::write(room.join("dot.png"), b"\x89PNG\r\n\x1a\nrest\0").unwrap();
    std::os::unix::fs::symlink(scene.data().join("secret"), room.join("link")).unwrap();
    scene
}

#[tokio::test]
async fn directories_files_status_and_differences_are_shown() {
    let mut scene = scene().await;
    let page = &mut scene.page;
    let files = page.call("listFiles", json!([])).await;
    let names: Vec<_> =
        files["entries"].as_array().unwrap().iter().map(|entry| (&entry["name"], &entry["kind"])).collect();
    let expected =
        [("src", "directory"), ("README.md", "file"), ("dot.png", "file"), ("link", "link"), ("new.txt", "file")];
    let expected = expected.map(|(name, kind)| (json!(name), json!(kind)));
    assert_eq!(names, expected.iter().map(|(name, kind)| (name, kind)).collect::<Vec<_>>());
    let below = page.call("listFiles", json!(["src"])).await;
    assert_eq!(below["entries"][0], json!({"name": "lib.rs", "path": "src/lib.rs", "kind": "file", "size": 24}));
    let file = page.call("readFile", json!([{"path": "src/lib.rs", "from": 2, "lines": 1}])).await;
    assert_eq!((&file["text"], &file["from"], &file["binary"]), (&json!("fn two() {}\n"), &json!(2), &json!(false)));
    let picture = page.call("readFile", json!([{"path": "dot.png"}])).await;
    assert_eq!(picture["binary"], true);
    assert!(picture["image"].as_str().unwrap().starts_with("data:image/png;base64,"), "{picture}");
    let status = page.call("workspaceStatus", json!([])).await;
    assert_eq!((&status["repository"], &status["branch"], &status["ahead"]), (&json!(true), &json!("main"), &json!(0)));
    let changes = status["changes"].as_array().unwrap();
    assert!(changes.contains(&json!({"path": "README.md", "kind": "modified"})), "{status}");
    assert!(changes.contains(&json!({"path": "new.txt", "kind": "untracked"})), "{status}");
    let diff = page.call("workspaceDiff", json!([])).await;
    let diff = diff["diff"].as_str().unwrap();
    assert!(diff.contains("-Hello\n+Hello there\n"), "{diff}");
    assert!(diff.contains("+++ b/new.txt\n@@ -0,0 +1,1 @@\n+new\n\\ No newline"), "{diff}");
    assert!(diff.contains("Binary files /dev/null and b/dot.png differ") && !diff.contains("SECRET"), "{diff}");
    let one = page.call("workspaceDiff", json!([{"path": "new.txt", "from": "HEAD"}])).await;
    assert!(!one["diff"].as_str().unwrap().contains("Hello"), "{one}");
    let found = page.call("searchFiles", json!([{"query": "FN two"}])).await;
    assert_eq!(found["matches"], json!([]));
    let found = page.call("searchFiles", json!([{"query": "fn two", "path": "src"}])).await;
    assert_eq!(found["matches"], json!([{"path": "src/lib.rs", "line": 2, "text": "fn two() {}"}]));
}

#[tokio::test]
async fn what_cannot_be_shown_has_a_code_and_a_reason() {
    let mut scene = scene().await;
    for (path, code) in [
        ("../secret", "outside_workspace"),
        ("/etc/passwd", "outside_workspace"),
        ("link", "outside_workspace"),
        ("missing", "file_unknown"),
        ("src", "workspace_refused"),
    ] {
        let error = format!("{:?}", scene.page.try_call("readFile", json!([{"path": path}])).await.unwrap_err());
        assert!(error.contains(code), "{path}: {error}");
    }
    let error = format!("{:?}", scene.page.try_call("listFiles", json!(["../.."])).await.unwrap_err());
    assert!(error.contains("outside_workspace"), "{error}");
    let error = format!("{:?}", scene.page.try_call("workspaceDiff", json!([{"from": "no-such"}])).await.unwrap_err());
    assert!(error.contains("git_failed"), "{error}");
    let error =
        format!("{:?}", scene.page.try_call("workspaceDiff", json!([{"from": "--output=x"}])).await.unwrap_err());
    assert!(error.contains("git_failed") && !scene.workspace().join("x").exists(), "{error}");
}

#[tokio::test]
async fn looking_makes_no_workspace() {
    let mut scene = Scene::new(NO_MODEL).await;
    assert_eq!(scene.page.call("listFiles", json!([])).await, json!({"path": "", "entries": [], "more": false}));
    assert_eq!(scene.page.call("workspaceStatus", json!([])).await["repository"], false);
    assert_eq!(scene.page.call("workspaceDiff", json!([])).await, json!({"diff": "", "more": false}));
    assert_eq!(scene.page.call("searchFiles", json!([{"query": "x"}])).await["matches"], json!([]));
    assert!(scene.page.try_call("readFile", json!([{"path": "a"}])).await.is_err());
    assert!(!scene.data().join("workspaces").exists());
}

#[tokio::test]
async fn commands_are_listed_with_how_they_are_said() {
    let mut scene = Scene::new(NO_MODEL).await;
    let commands = scene.page.call("slashCommands", json!([])).await;
    let of = |name: &str| commands.as_array().unwrap().iter().find(|command| command["name"] == name).cloned();
    assert_eq!(of("clone").unwrap()["usage"], "/clone URL [BRANCH]");
    assert!(of("run").is_some() && of("help").is_some(), "{commands}");
}

#[tokio::test]
async fn a_change_by_hand_asks_and_a_no_is_told() {
    let mut scene = Scene::new(NO_MODEL).await;
    let parts = scene.say("/write a.txt\nx", false).await;
    assert_eq!(text(&parts), "It was not done: somebody said no.", "{parts:#?}");
    assert!(!scene.workspace().join("a.txt").exists());
    let parts = scene.say("/write a.txt\nx again", true).await;
    assert_eq!(text(&parts), "Done: added a.txt (+1).", "{parts:#?}");
    let parts = scene.say("/branch mine", true).await;
    assert!(text(&parts).starts_with("It did not work"), "{parts:#?}");
    scene.say("/commit Begin", true).await;
    let parts = scene.say("/branch yours", true).await;
    assert_eq!(text(&parts), "Done: on branch yours.", "{parts:#?}");
    let parts = scene.say("/branch main", true).await;
    assert_eq!(text(&parts), "Done: on branch main.", "{parts:#?}");
    let parts = scene.say("/open .", true).await;
    assert!(
        parts.iter().any(|part| part["type"] == "tool-list_files" && part["state"] == "output-available"),
        "{parts:#?}"
    );
    let parts = scene.say("/run echo hi; exit 3", true).await;
    let output = parts.iter().find(|part| part["type"] == "tool-run_command").unwrap();
    assert_eq!((&output["output"]["exitCode"], &output["output"]["output"]), (&json!(3), &json!("hi\n")));
    assert!(text(&parts).starts_with("The command: "), "{parts:#?}");
}

#[tokio::test]
async fn without_a_model_commands_work_and_everything_else_says_what_to_set() {
    let mut scene = Scene::without_model().await;
    let parts = scene.say("/help", true).await;
    assert!(text(&parts).contains("`/search TEXT`"), "{parts:#?}");
    scene.say("/write a.txt\nneedle", true).await;
    let parts = scene.say("/search needle", true).await;
    assert_eq!(text(&parts), "a.txt:1:needle", "{parts:#?}");
    let parts = scene.say("/nonsense", true).await;
    assert!(text(&parts).starts_with("There is no command /nonsense."), "{parts:#?}");
    let parts = scene.say("hello", true).await;
    assert!(text(&parts).contains("No model is configured"), "{parts:#?}");
}

#[tokio::test]
async fn a_command_that_waits_for_a_yes_is_done_after_a_restart() {
    let mut scene = Scene::without_model().await;
    scene.ask("/write a.txt\nx").await;
    let call = scene.asked().await;
    scene.home.crash().await;
    scene.page = scene.home.connect("coder-agent/default").await;
    scene.answer(&call, true).await;
    // Whoever comes back hears of the end that the question was, too.
    let mut parts = scene.until_the_end().await;
    while text(&parts).is_empty() {
        parts = scene.until_the_end().await;
    }
    assert_eq!(text(&parts), "Done: added a.txt (+1).", "{parts:#?}");
}

#[tokio::test]
async fn another_page_may_look_while_an_answer_runs() {
    let script =
        "on *\n  call run_command {\"command\": \"echo begun; sleep 1000\", \"seconds\": 1800}\nthen\n  say ok\n";
    let mut scene = Scene::new(script).await;
    scene.ask("run").await;
    scene.until_shown(|chunk| chunk["preliminary"] == true).await;
    let mut other = scene.home.connect("coder-agent/default").await;
    let status: Value = other.call("workspaceStatus", json!([])).await;
    assert_eq!(status["repository"], false);
    scene.stop().await;
}
