//! What the agent does in its workspace, and what it does not.

use std::fs;

use serde_json::Value;

use super::scene::{Scene, results, text};

const SESSION: &str = r#"
on work
  call write_file {"path": "src/hello.txt", "content": "hello\nworld\n"}
then
  call read_file {"path": "src/hello.txt", "first": 2}
  call search {"pattern": "w.rld"}
  call list_files {"path": "src"}
  call glob {"pattern": "**/*.txt"}
then
  call apply_patch {"patch": "*** Begin Patch\n*** Update File: src/hello.txt\n@@\n hello\n-world\n+moon\n*** Add File: AGENTS.md\n+Be kind to the tests.\n*** End Patch\n"}
then
  call replace {"path": "src/hello.txt", "old": "hello", "new": "good night"}
then
  call run_command {"command": "cat hello.txt && echo made > made.txt; exit 3", "directory": "src"}
then
  call git_commit {"message": "A first step"}
then
  call move_file {"from": "src/made.txt", "to": "made.txt"}
then
  call delete_file {"path": "src/hello.txt"}
then
  call git_status {}
  call git_diff {}
  call git_log {}
then
  say Done.
on system
  say $system
on tools
  say $tools
"#;

#[tokio::test]
async fn a_session_writes_reads_searches_patches_runs_and_commits() {
    let mut scene = Scene::new(SESSION).await;
    let parts = scene.say("work", true).await;
    let of = |tool: &str| results(&parts, tool).join("\n");
    assert_eq!(text(&parts), "Done.", "{parts:#?}");
    assert!(of("write_file").contains("added src/hello.txt (+2)"), "{}", of("write_file"));
    assert!(of("read_file").contains("world") && !of("read_file").contains("hello\n"), "{}", of("read_file"));
    assert_eq!(of("search").trim(), "src/hello.txt:2:world");
    assert_eq!((of("list_files").trim(), of("glob").trim()), ("src/hello.txt (12 bytes)", "src/hello.txt"));
    assert!(of("apply_patch").contains("-world\\n+moon"), "{}", of("apply_patch"));
    let ran: Value = serde_json::from_str(&of("run_command")).unwrap();
    assert_eq!((&ran["exitCode"], &ran["output"]), (&Value::from(3), &Value::from("good night\nmoon\n")), "{ran}");
    assert!(of("git_log").ends_with("Hostel A first step"), "{}", of("git_log"));
    assert!(of("git_status").contains(".D src/hello.txt"), "{}", of("git_status"));
    assert!(of("git_diff").contains("-good night"), "{}", of("git_diff"));
    let workspace = scene.workspace();
    assert_eq!(fs::read_to_string(workspace.join("made.txt")).unwrap(), "made\n");
    assert!(!workspace.join("src/hello.txt").exists());
    // From now on the project's own instructions stand above the conversation.
    assert!(text(&scene.say("system", true).await).contains("Be kind to the tests."));
}

#[tokio::test]
async fn a_change_that_is_denied_changes_nothing() {
    let script = "on *\n  call write_file {\"path\": \"a\", \"content\": \"b\"}\nthen\n  say $result\n";
    let mut scene = Scene::new(script).await;
    let parts = scene.say("write", false).await;
    assert_eq!(results(&parts, "write_file"), ["output-denied"]);
    assert_eq!(fs::read_dir(scene.workspace()).unwrap().count(), 0);
}

#[tokio::test]
async fn whoever_is_asked_sees_what_would_be_done() {
    let script = r#"
on begin
  call write_file {"path": "a", "content": "one\n"}
then
  say ok
on *
  call write_file {"path": "a", "content": "two\n"}
  call replace {"path": "a", "old": "missing", "new": "b"}
  call git_commit {"message": "First"}
  call delete_file {"path": "a"}
  call run_command {"command": "cat a"}
then
  say ok
"#;
    let mut scene = Scene::new(script).await;
    scene.say("begin", true).await;
    let parts = scene.say("go", false).await;
    let shown: Vec<&Value> =
        parts.iter().filter(|part| part["type"] == "data-preview").map(|part| &part["data"]).collect();
    assert_eq!(shown.len(), 5, "{parts:#?}");
    assert!(shown[0]["diff"].as_str().unwrap().ends_with("-one\n+two\n"), "{}", shown[0]);
    assert!(shown[1]["failed"] == true && shown[1]["text"].as_str().unwrap().contains("is not in"), "{}", shown[1]);
    assert!(shown[2]["text"].as_str().unwrap().contains("Begins a repository"), "{}", shown[2]);
    assert!(shown[3]["diff"].as_str().unwrap().contains("deleted file"), "{}", shown[3]);
    assert_eq!(shown[4]["command"], "cat a");
    assert!(shown[4]["text"].as_str().unwrap().contains("without a network"), "{}", shown[4]);
    assert_eq!(fs::read_to_string(scene.workspace().join("a")).unwrap(), "one\n");
}

#[tokio::test]
async fn a_yes_holds_for_the_change_that_was_shown_and_for_no_other() {
    let script = r#"
on begin
  call write_file {"path": "a", "content": "one\n"}
  call write_file {"path": "b", "content": "1\n2\n3\n4\n5\n6\n7\n8\n9\n"}
then
  call git_commit {"message": "Begin"}
then
  say ok
on *
  call write_file {"path": "a", "content": "two\n"}
  call replace {"path": "b", "old": "9", "new": "nine"}
  call delete_file {"path": "a"}
  call git_commit {"message": "Changed"}
then
  say ok
"#;
    let mut scene = Scene::new(script).await;
    scene.say("begin", true).await;
    scene.ask("change").await;
    let workspace = scene.workspace();
    let parts = scene
        .answering(true, || {
            fs::write(workspace.join("a"), "one, and somebody else's\n").unwrap();
            fs::write(workspace.join("b"), "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n").unwrap();
        })
        .await;
    for tool in ["write_file", "delete_file", "git_commit"] {
        assert!(results(&parts, tool)[0].contains("changed since this was shown"), "{:?}", results(&parts, tool));
    }
    // What was shown of it is the same, one line further down.
    assert!(results(&parts, "replace")[0].contains("+nine"), "{:?}", results(&parts, "replace"));
    assert_eq!(fs::read_to_string(workspace.join("a")).unwrap(), "one, and somebody else's\n");
}

#[tokio::test]
async fn what_is_outside_is_refused_with_a_reason() {
    let script = r#"
on *
  call read_file {"path": "../../secret"}
  call read_file {"path": "/etc/passwd"}
  call read_file {"path": "link"}
  call write_file {"path": "../x", "content": "x"}
  call write_file {"path": ".git/config", "content": "x"}
  call replace {"path": "missing", "old": "a", "new": "b"}
  call run_command {"command": "true", "directory": ".."}
  call clone_repository {"url": "https://127.0.0.1/a"}
  call clone_repository {"url": "http://github.com/a/b"}
  call clone_repository {"url": "/etc"}
then
  say ok
"#;
    let mut scene = Scene::new(script).await;
    scene.say("make the workspace", true).await;
    std::os::unix::fs::symlink(scene.data().join("secret"), scene.workspace().join("link")).unwrap();
    let parts = scene.say("again", true).await;
    let all = |tool: &str| results(&parts, tool);
    for (at, why) in [(0, "`..`"), (1, "absolute"), (2, "leads out")] {
        assert!(all("read_file")[at].contains(why), "{:?}", all("read_file"));
    }
    assert!(all("write_file")[0].contains("not inside the workspace"), "{:?}", all("write_file"));
    assert!(all("write_file")[1].contains("belongs to git"), "{:?}", all("write_file"));
    assert!(all("replace")[0].contains("there is no"), "{:?}", all("replace"));
    assert!(all("run_command")[0].contains("not inside the workspace"), "{:?}", all("run_command"));
    assert!(all("clone_repository")[0].contains("allowed are: github.com"), "{:?}", all("clone_repository"));
    assert!(all("clone_repository")[1].contains("http:// is not allowed"), "{:?}", all("clone_repository"));
    assert!(all("clone_repository")[2].contains("not open for cloning"), "{:?}", all("clone_repository"));
    assert!(!scene.data().join("workspaces/x").exists());
}

#[tokio::test]
async fn a_command_sees_its_workspace_and_nothing_else_of_the_server() {
    let command = "cat ../../secret; ls ../..; env | grep -c CARGO; echo end; seq 1 100000 | tail -1";
    let script = format!("on *\n  call runCommand {}\nthen\n  say ok\n", serde_json::json!({"command": command}));
    let mut scene = Scene::new(&script).await;
    let parts = scene.say("look", true).await;
    let ran = &results(&parts, "runCommand")[0];
    let ran: Value = serde_json::from_str(ran).unwrap_or_else(|_| panic!("{ran}"));
    let output = ran["output"].as_str().unwrap();
    assert!(
        !output.contains("SECRET\n") && !output.contains("secret\n") && output.ends_with("end\n100000\n"),
        "{output}"
    );
    assert!(output.contains("\n0\n"), "variables of the server are seen: {output}");
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_ended_and_what_it_said_is_told() {
    let command = r#"{"command": "echo begun; sleep 1000", "seconds": 1}"#;
    let mut scene = Scene::new(&format!("on *\n  call run_command {command}\nthen\n  say ok\n")).await;
    let parts = scene.say("run", true).await;
    let ran = results(&parts, "run_command").remove(0);
    assert!(ran.contains("longer than it may") && ran.contains("begun"), "{ran}");
}

#[tokio::test]
async fn a_command_shows_what_it_says_and_ends_with_the_answer_that_is_stopped() {
    // A number that is in no other process's command line.
    let mark = format!("{}.5", 31_000_000 + std::process::id());
    let command = format!("{{\"command\": \"echo begun; sleep {mark}\", \"seconds\": 1800}}");
    let mut scene = Scene::new(&format!("on *\n  call run_command {command}\nthen\n  say ok\n")).await;
    scene.ask("run").await;
    let shown = scene.until_shown(|chunk| chunk["preliminary"] == true).await;
    assert_eq!((&shown["output"]["running"], &shown["output"]["output"]), (&true.into(), &"begun\n".into()), "{shown}");
    assert!(processes_with(&mark) > 0);
    scene.stop().await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while processes_with(&mark) > 0 {
        assert!(std::time::Instant::now() < deadline, "the command goes on");
        tokio::task::yield_now().await;
    }
}

/// The processes of the machine whose command line has `mark` in it.
fn processes_with(mark: &str) -> usize {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let lines = all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(mark)).count()
}

#[tokio::test]
async fn without_a_sandbox_an_operator_can_have_no_commands_at_all() {
    let mut scene = Scene::with(SESSION, "/bin/false", hostel_coder::Workspaces::only_sandboxed).await;
    let tools = text(&scene.say("tools", true).await).to_owned();
    assert!(tools.contains("write_file") && tools.contains("createFile"), "{tools}");
    assert!(!tools.contains("run_command") && !tools.contains("runCommand"), "{tools}");
    let system = text(&scene.say("system", true).await).to_owned();
    assert!(system.contains("You cannot run commands here"), "{system}");
}

#[tokio::test]
async fn a_repository_is_cloned_and_the_old_tools_work_in_it() {
    let script = r#"
on clone *
  call clone_repository {"url": "$1", "depth": 1}
then
  call setProjectContext {"owner": "o", "repo": "r"}
then
  call getFileContents {"path": "README.md", "owner": "o", "repo": "r"}
  call getFileContents {"path": "README.md", "ref": "HEAD"}
  call searchCode {"query": "Hello"}
  call git_branch {"name": "mine", "create": true}
  call createFile {"path": "README.md", "content": "x"}
  call createFile {"path": "new.txt", "content": "new\n", "commitMessage": "New", "branch": "mine"}
then
  call git_log {}
then
  say ok
"#;
    let mut scene = Scene::new(script).await;
    let url = repository(&scene.data().join("elsewhere")).await;
    let parts = scene.say(&format!("clone {url}"), true).await;
    let all = |tool: &str| results(&parts, tool);
    assert!(all("clone_repository")[0].contains(r#""branch":"main""#), "{parts:#?}");
    assert!(all("getFileContents")[0].contains("Hello there"), "{:?}", all("getFileContents"));
    assert_eq!(all("getFileContents")[1], "Hello there\n");
    assert_eq!(all("searchCode")[0].trim(), "README.md:1:Hello there");
    assert!(all("createFile")[0].contains("there already"), "{:?}", all("createFile"));
    assert!(all("createFile")[1].contains("commit"), "{:?}", all("createFile"));
    assert_eq!(all("git_log")[0].lines().count(), 2, "{:?}", all("git_log"));
}

/// A repository with one commit, outside of any workspace.
async fn repository(dir: &std::path::Path) -> String {
    use hostel_workspace::{Limits, Workspace, git};
    let workspace = Workspace::create(dir, Limits::default()).unwrap();
    let repo = git::Git::new(git::GitOptions::default()).init(&workspace, "main").await.unwrap();
    workspace.apply(&workspace.plan_write("README.md", "Hello there\n").unwrap()).unwrap();
    repo.commit("Begin", &git::What::All).await.unwrap();
    dir.display().to_string()
}

#[tokio::test]
async fn where_the_application_offers_no_workspaces_the_agent_only_talks() {
    use hostel::App;
    use hostel_chat::model::{Models, Scripted};
    use serde_json::json;
    let app = || {
        let model = Scripted::new("on *\n  say $tools; $system\n").unwrap();
        App::new().agent::<hostel_coder::CoderAgent>().env(Models::one(model))
    };
    let home = hostel_testing::TestHome::start(app).await;
    let mut page = home.connect("coder-agent/default").await;
    let message = json!({"id": "u", "role": "user", "parts": [{"type": "text", "text": "hi"}]});
    let body = json!({"messages": [message]}).to_string();
    let ask = json!({"id": "r", "init": {"method": "POST", "body": body}, "type": "cf_agent_use_chat_request"});
    page.send(ask.to_string()).await;
    page.until(|text| text.contains(r#""done":true"#)).await;
    let said = page.call("getMessages", json!([])).await.to_string();
    assert!(said.contains("setProjectContext") && said.contains("There is no workspace here"), "{said}");
    assert!(!said.contains("read_file"), "{said}");
}
