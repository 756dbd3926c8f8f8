//! GitHub by the agent's tools, on the fake: pushed, asked for, written once, in the name of whoever asked.

use std::fs;

use hostel_fake_github::{FakeGithub, Fault, Scope};
use serde_json::{Value, json};

use super::scene::{Scene, results, text};

/// A fake with one repository, and a scene whose agent uses it.
async fn scene(script: &str) -> (FakeGithub, Scene) {
    let fake = FakeGithub::start().await.unwrap();
    fake.repository("ada/engine", &[("README.md", "An engine.\n"), ("src/main.rs", "fn main() {}\n")]).unwrap();
    let script = script.replace("URL", &fake.clone_url("ada/engine"));
    let scene = Scene::on_github(&script, &fake).await;
    (fake, scene)
}

/// Gives the agent a token of Ada's.
async fn sign_in(fake: &FakeGithub, scene: &mut Scene) -> String {
    let token = fake.token("ada", Scope::Write);
    let set = scene.page.call("setGithubToken", json!([{"token": token}])).await;
    assert_eq!(set, json!({"success": true, "login": "ada"}));
    token
}

const SESSION: &str = r#"
on work
  call clone_repository {"url": "URL"}
then
  call git_branch {"name": "feature", "create": true}
then
  call write_file {"path": "NEW.md", "content": "new\n"}
then
  call git_commit {"message": "Something new"}
then
  call git_push {}
then
  call createPullRequest {"title": "Something new", "body": "It is new."}
then
  call githubListPullRequests {}
  call getRepositoryInfo {}
then
  say Done.
on *
  say $tools
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_becomes_a_pushed_branch_and_a_pull_request_once_each() {
    let (fake, mut scene) = scene(SESSION).await;
    let token = sign_in(&fake, &mut scene).await;
    let parts = scene.say("work", true).await;
    assert_eq!(text(&parts), "Done.", "{parts:#?}");
    assert_eq!(fake.file("ada/engine", "feature", "NEW.md").as_deref(), Some("new\n"));
    let made: Value = serde_json::from_str(&results(&parts, "createPullRequest")[0]).unwrap();
    assert_eq!(
        (&made["number"], &made["head"]["ref"], &made["base"]["ref"]),
        (&json!(1), &json!("feature"), &json!("main"))
    );
    assert!(results(&parts, "githubListPullRequests")[0].contains("Something new"));
    assert!(results(&parts, "getRepositoryInfo")[0].contains("\"full_name\":\"ada/engine\""));
    let wrote: Vec<String> = fake.writes().into_iter().map(|write| write.what).collect();
    assert_eq!(wrote, ["PUSH /ada/engine refs/heads/feature", "POST /repos/ada/engine/pulls"]);
    // The token is in nothing that is kept: not the state, the log, the history, the repository's configuration.
    scene.home.settle().await;
    let basic = data_encoding::BASE64.encode(format!("x-access-token:{token}").as_bytes());
    for dir in [scene.data(), scene.home.data()] {
        for secret in [token.as_bytes(), basic.as_bytes()] {
            let found = holding(dir, secret);
            assert!(found.is_empty(), "{found:?}");
        }
    }
    assert!(!holding(scene.home.data(), b"Something new").is_empty(), "what is said is kept, and can be found");
}

/// The files below a directory that have these bytes.
fn holding(dir: &std::path::Path, bytes: &[u8]) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(holding(&path, bytes));
        } else if fs::read(&path).is_ok_and(|text| text.windows(bytes.len()).any(|part| part == bytes)) {
            found.push(path);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_what_writes_is_not_offered_and_with_one_it_is() {
    let script = "on tools*\n  say $tools\non system\n  say $system\non old\n  call! githubCreatePullRequest {\"title\": \"x\"}\nthen\n  say $result\n";
    let (fake, mut scene) = scene(script).await;
    let offered = text(&scene.say("tools 1", true).await).to_owned();
    assert!(offered.contains("githubGetFile") && offered.contains("git_fetch"), "{offered}");
    for tool in ["git_push", "createPullRequest", "githubCreateIssue", "githubSearchCode", "githubPushFiles"] {
        assert!(!offered.contains(tool), "{tool} in {offered}");
    }
    assert!(text(&scene.say("system", true).await).contains("setGithubToken"));
    let token = fake.token("ada", Scope::Write);
    assert_eq!(scene.page.call("setGithubToken", json!([token])).await["success"], true);
    let offered = text(&scene.say("tools 2", true).await).to_owned();
    for tool in ["git_push", "createPullRequest", "githubCreateIssue", "githubSearchCode", "githubPushFiles"] {
        assert!(offered.contains(tool), "{tool} in {offered}");
    }
    // An older name is not told, and works.
    assert!(!offered.contains("githubCreatePullRequest"), "{offered}");
    let parts = scene.say("old", true).await;
    assert!(results(&parts, "githubCreatePullRequest")[0].contains("Nobody has said which"), "{parts:?}");
    assert_eq!(scene.page.call("setGithubToken", json!([null])).await["success"], true);
    assert!(!text(&scene.say("tools 3", true).await).contains("git_push"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_github_does_not_take_is_not_kept() {
    let (_fake, mut scene) = scene("on *\n  say $tools\n").await;
    let refused = scene.page.try_call("setGithubToken", json!([{"token": "ghp_never_given_to_anybody"}])).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("does not take the token") && !refused.contains("never_given"), "{refused}");
    assert!(!text(&scene.say("tools", true).await).contains("git_push"));
}

const ALL: &str = r#"
on read
  call githubGetFile {"owner": "ada", "repo": "engine", "path": "src/main.rs"}
  call githubGetFile {"repo": "ada/engine", "path": "src"}
  call getFileContents {"owner": "ada", "repo": "engine", "path": "README.md", "ref": "main"}
  call! fetchFileContents {"owner": "ada", "repo": "engine", "path": "README.md"}
  call githubListCommits {"owner": "ada", "repo": "engine"}
  call githubSearchCode {"q": "main", "owner": "ada", "repo": "engine"}
  call searchCode {"query": "main", "owner": "ada", "repo": "engine"}
  call githubGetFile {"owner": "ada", "repo": "engine", "path": "nothing"}
then
  say Read.
on write
  call setProjectContext {"owner": "ada", "repo": "engine"}
then
  call githubCreateIssue {"title": "It squeaks", "body": "Always.", "labels": ["bug"]}
then
  call add_issue_comment {"owner": "ada", "repo": "engine", "issueNumber": 1, "body": "Oil it."}
then
  call! updateIssueStatus {"source": "github", "issueNumber": 1, "status": "in progress", "comment": "Begun."}
then
  call githubUpdateIssue {"issue_number": 1, "title": "It squeaked", "state": "closed"}
then
  call! getIssueDetails {"source": "github", "issueNumber": 1}
  call githubListIssues {"state": "all"}
then
  call githubCreateBranch {"branch": "other"}
then
  call githubPushFiles {"branch": "other", "message": "Two", "files": [{"path": "a", "content": "1"}, {"path": "b/c", "content": "2"}]}
then
  call createFile {"owner": "ada", "repo": "looms", "path": "x.txt", "content": "x", "commitMessage": "X", "branch": "main"}
then
  call githubCreateRepository {"name": "cards", "private": true}
then
  say Written.
"#;

#[tokio::test(flavor = "multi_thread")]
async fn every_tool_of_old_does_what_it_says() {
    let (fake, mut scene) = scene(ALL).await;
    fake.repository("ada/looms", &[("README.md", "Looms.\n")]).unwrap();
    sign_in(&fake, &mut scene).await;
    let parts = scene.say("read", true).await;
    assert_eq!(text(&parts), "Read.", "{parts:#?}");
    let of = |tool: &str, at: usize| results(&parts, tool)[at].clone();
    assert!(of("githubGetFile", 0).ends_with("fn main() {}\n"), "{}", of("githubGetFile", 0));
    assert!(of("githubGetFile", 1).contains("src/main.rs (13 bytes)"), "{}", of("githubGetFile", 1));
    assert!(of("githubGetFile", 2).contains("GitHub has no \"nothing\""), "{}", of("githubGetFile", 2));
    for tool in ["getFileContents", "fetchFileContents"] {
        assert!(of(tool, 0).ends_with("An engine.\n"), "{}", of(tool, 0));
    }
    assert!(of("githubListCommits", 0).contains("Initial commit"));
    for tool in ["githubSearchCode", "searchCode"] {
        assert!(of(tool, 0).contains("fn main() {}"), "{}", of(tool, 0));
    }
    let parts = scene.say("write", true).await;
    let of = |tool: &str| results(&parts, tool)[0].clone();
    assert_eq!(text(&parts), "Written.", "{parts:#?}");
    let details: Value = serde_json::from_str(&of("getIssueDetails")).unwrap();
    assert_eq!((&details["title"], &details["state"]), (&json!("It squeaked"), &json!("closed")));
    assert_eq!(details["labels"], json!(["bug", "in progress"]));
    assert!(details["comments"][1]["body"].as_str().unwrap().starts_with("Begun."), "{details}");
    assert!(of("githubListIssues").contains("It squeaked"));
    assert_eq!(fake.file("ada/engine", "other", "b/c").as_deref(), Some("2"), "{}", of("githubPushFiles"));
    assert_eq!(fake.file("ada/looms", "main", "x.txt").as_deref(), Some("x"), "{}", of("createFile"));
    assert!(of("githubCreateRepository").contains("\"private\":true"), "{}", of("githubCreateRepository"));
    assert_eq!(fake.count("POST /repos/ada/engine/issues/1/comments"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_is_lost_is_found_and_not_done_again() {
    let script = "on *\n  call add_issue_comment {\"owner\": \"ada\", \"repo\": \"engine\", \"issueNumber\": 1, \"body\": \"Hello.\"}\nthen\n  say ok\n";
    let (fake, mut scene) = scene(script).await;
    sign_in(&fake, &mut scene).await;
    let github = hostel_github::Settings { api: fake.api_url().parse().unwrap(), ..Default::default() };
    let github = hostel_github::Github::new(&github).unwrap();
    let github = github.with_token(hostel_github::Token::new(fake.token("eve", Scope::Write)));
    let issue = hostel_github::NewIssue { title: "x".into(), ..Default::default() };
    github.create_issue(&"ada/engine".parse().unwrap(), &issue).await.unwrap();
    fake.fail_next(Fault::Lost);
    let parts = scene.say("say hello", true).await;
    let said: Value = serde_json::from_str(&results(&parts, "add_issue_comment")[0]).unwrap();
    assert!(said["body"].as_str().unwrap().starts_with("Hello."), "{said}");
    assert_eq!(fake.count("POST /repos/ada/engine/issues/1/comments"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_is_denied_pushes_nothing_and_the_question_shows_what_it_would_be() {
    let script = "on first\n  call clone_repository {\"url\": \"URL\"}\nthen\n  call write_file {\"path\": \"x\", \"content\": \"x\"}\nthen\n  call git_commit {\"message\": \"An x\"}\nthen\n  say ok\non push\n  call git_push {}\nthen\n  say ok\n";
    let (fake, mut scene) = scene(script).await;
    sign_in(&fake, &mut scene).await;
    scene.say("first", true).await;
    let parts = scene.say("push", false).await;
    assert_eq!(results(&parts, "git_push"), ["output-denied"]);
    let shown = parts.iter().find(|part| part["type"] == "data-preview").unwrap();
    let shown = shown["data"]["text"].as_str().unwrap();
    assert!(shown.contains("Pushes main") && shown.contains("1 commit") && shown.contains("An x"), "{shown}");
    assert!(fake.writes().is_empty());
}

const AGAIN: &str = r#"
on first
  call clone_repository {"url": "URL"}
then
  call git_branch {"name": "feature", "create": true}
  call write_file {"path": "NEW.md", "content": "new\n"}
then
  call git_commit {"message": "Something new"}
then
  say Ready.
on work
  call git_push {}
then
  call createPullRequest {"title": "Something new", "body": "It is new."}
  call githubCreateIssue {"title": "It squeaks"}
then
  call add_issue_comment {"issueNumber": 1, "body": "Hello."}
  call githubCreateBranch {"branch": "other"}
then
  call githubPushFiles {"branch": "other", "message": "Two", "files": [{"path": "a", "content": "1"}]}
then
  say Done.
"#;

/// What was written to GitHub, without what nobody sees: objects of git that no branch has.
fn wrote(fake: &FakeGithub) -> Vec<String> {
    let all = fake.writes().into_iter().map(|write| write.what);
    all.filter(|what| !what.ends_with("/git/trees") && !what.ends_with("/git/commits")).collect()
}

async fn ready() -> (FakeGithub, Scene) {
    let (fake, mut scene) = scene(AGAIN).await;
    sign_in(&fake, &mut scene).await;
    assert_eq!(text(&scene.say("first", true).await), "Ready.");
    let tools = [
        "git_push",
        "createPullRequest",
        "githubCreateIssue",
        "add_issue_comment",
        "githubPushFiles",
        "githubCreateBranch",
    ];
    let rules: Vec<Value> = tools.iter().map(|tool| json!({"tool": tool, "action": "allow"})).collect();
    scene.page.call("setPolicy", json!([{"rules": rules}])).await;
    (fake, scene)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_dies_at_any_write_has_written_each_thing_to_github_once() {
    use hostel_testing::CrashPoint;
    let (fake, mut scene) = ready().await;
    let before = wrote(&fake).len();
    assert_eq!(text(&scene.say("work", true).await), "Done.");
    let undisturbed = wrote(&fake).split_off(before);
    assert_eq!(undisturbed.len(), 6, "{undisturbed:?}");
    let every = std::env::var_os("EVERY_CRASH").is_some();
    for nth in (1..).step_by(if every { 1 } else { 7 }) {
        let point = if nth % 3 == 0 { CrashPoint::Committed } else { CrashPoint::Durable };
        let (fake, mut scene) = ready().await;
        let before = wrote(&fake).len();
        scene.home.crash_at(point, nth);
        scene.ask("work").await;
        if !scene.until_crashed_or_done().await {
            assert!(nth > 20, "the session has {nth} writes only");
            return;
        }
        scene.home.after_crash().await;
        scene.until_done("work", "Done.").await;
        assert_eq!(wrote(&fake).split_off(before), undisturbed, "a crash at write {nth}: {point:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_keeps_from_being_read_is_not_read_from_where_the_project_came_from() {
    let script = r#"
on *
  call githubGetFile {"path": "src/main.rs"}
  call githubGetFile {"path": "docs/../src/main.rs"}
  call! fetchFileContents {"path": "/src/main.rs"}
  call getFileContents {"path": "src/main.rs", "ref": "main"}
  call githubSearchCode {"q": "fn main"}
  call githubGetFile {"path": "README.md"}
then
  say ok
"#;
    let (fake, mut scene) = scene(script).await;
    sign_in(&fake, &mut scene).await;
    scene.page.call("setProjectContext", json!([{"repoOwner": "ada", "repoName": "engine"}])).await;
    let deny = json!([{"tool": "read_file", "pattern": "src/*", "action": "deny"}]);
    scene.page.call("setPolicy", json!([{"rules": deny}])).await;
    let parts = scene.say("look", true).await;
    assert!(results(&parts, "githubGetFile")[0].contains("deny read_file src/*"), "{parts:#?}");
    assert!(results(&parts, "githubGetFile")[1].contains("has `..` in it"), "{parts:#?}");
    assert!(results(&parts, "githubSearchCode")[0].contains("not shown: src/main.rs"), "{parts:#?}");
    assert!(results(&parts, "githubGetFile")[2].contains("An engine."), "{parts:#?}");
    let all = scene.page.call("getMessages", json!([])).await.to_string();
    assert!(!all.contains("fn main()"), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_workspace_cannot_be_asked_where_links_lead_nothing_is_read_that_a_rule_may_mean() {
    let script = "on look\n  call githubGetFile {\"path\": \"README.md\"}\nthen\n  say ok\n";
    let (fake, mut scene) = scene(script).await;
    sign_in(&fake, &mut scene).await;
    scene.page.call("setProjectContext", json!([{"repoOwner": "ada", "repoName": "engine"}])).await;
    let deny = json!([{"tool": "read_file", "pattern": "secrets/*", "action": "deny"}]);
    scene.page.call("setPolicy", json!([{"rules": deny}])).await;
    scene.say("/write first\nx", true).await;
    let read = |parts: &[Value]| results(parts, "githubGetFile").remove(0);
    assert!(read(&scene.say("look", true).await).contains("An engine."));
    let workspace = scene.workspace();
    std::os::unix::fs::symlink("secrets/key", workspace.join("README.md")).unwrap();
    assert!(read(&scene.say("look", true).await).contains("deny read_file secrets/*"));
    // Something is there that is no directory.
    fs::rename(&workspace, workspace.with_extension("away")).unwrap();
    fs::write(&workspace, "").unwrap();
    assert!(read(&scene.say("look", true).await).contains("deny read_file secrets/*"));
    // Where there is none, there are no links.
    fs::remove_file(&workspace).unwrap();
    assert!(read(&scene.say("look", true).await).contains("An engine."));
}
