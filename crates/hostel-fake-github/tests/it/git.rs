//! Git clones from it and pushes to it, and the API tells the same.

use std::{path::Path, process::Command};

use hostel_fake_github::{FakeGithub, Scope};

/// Runs git; whether it ended well, and what it said.
async fn git(dir: &Path, token: Option<&str>, args: &[&str]) -> (bool, String) {
    let mut command = Command::new("git");
    command.args(args).current_dir(dir).env("GIT_TERMINAL_PROMPT", "0").env("GIT_CONFIG_GLOBAL", "/dev/null");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Ada").env(format!("GIT_{role}_EMAIL"), "ada@example.org");
    }
    if let Some(token) = token {
        let basic = data_encoding::BASE64.encode(format!("x-access-token:{token}").as_bytes());
        command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "http.extraHeader");
        command.env("GIT_CONFIG_VALUE_0", format!("Authorization: Basic {basic}"));
    }
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_is_counted_and_can_be_read() {
    let github = FakeGithub::start().await.unwrap();
    let (write, read) = (github.token("ada", Scope::Write), github.token("eve", Scope::Read));
    github.repository("ada/engine", &[("README.md", "An engine.\n")]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let cloned = git(dir.path(), None, &["clone", "-q", &github.clone_url("ada/engine"), "engine"]).await;
    assert!(cloned.0, "{}", cloned.1);
    let work = dir.path().join("engine");
    std::fs::write(work.join("new.txt"), "new\n").unwrap();
    for args in [&["switch", "-q", "-c", "feature"][..], &["add", "."], &["commit", "-q", "-m", "New"]] {
        assert!(git(&work, None, args).await.0);
    }
    let push = ["push", "-q", "origin", "feature"];
    assert!(!git(&work, None, &push).await.0, "nobody");
    assert!(!git(&work, Some("ghp_wrong"), &push).await.0, "a token that is none");
    let (done, said) = git(&work, Some(&read), &push).await;
    assert!(!done && said.contains("403"), "{said}");
    assert!(github.writes().is_empty());
    let (done, said) = git(&work, Some(&write), &push).await;
    assert!(done, "{said}");
    assert_eq!(github.count("PUSH /ada/engine refs/heads/feature"), 1);
    assert_eq!(github.file("ada/engine", "feature", "new.txt").as_deref(), Some("new\n"));
    // Again it changes nothing, and is not counted.
    assert!(git(&work, Some(&write), &push).await.0);
    assert_eq!(github.writes().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_private_is_seen_with_a_token_only() {
    let github = FakeGithub::start().await.unwrap();
    let token = github.token("ada", Scope::Read);
    github.repository("ada/secret", &[("a", "b")]).unwrap();
    github.hide("ada/secret");
    let dir = tempfile::tempdir().unwrap();
    let url = github.clone_url("ada/secret");
    assert!(!git(dir.path(), None, &["clone", "-q", &url, "one"]).await.0);
    let (done, said) = git(dir.path(), Some(&token), &["clone", "-q", &url, "two"]).await;
    assert!(done, "{said}");
}
