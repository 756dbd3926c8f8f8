//! What a command that is stopped leaves locked.

use std::time::{Duration, Instant};

use super::scene::{Scene, results, text};

/// Git has the index locked while it waits for somebody who writes a message.
const COMMITS: &str = r#"
on begin
  call write_file {"path": "a.txt", "content": "one\n"}
then
  call git_commit {"message": "Begin"}
then
  call write_file {"path": "a.txt", "content": "two\n"}
then
  say Begun.
on commit slowly
  call run_command {"command": "export GIT_EDITOR='ls .git/index.lock; sleep 1000; :'; git -c user.name=a -c user.email=a@example.test commit --all", "seconds": 1800}
then
  say Unheard.
on commit again
  call run_command {"command": "git -c user.name=a -c user.email=a@example.test commit --all --quiet -m Second && echo COMMITTED"}
then
  say $result
"#;

#[tokio::test]
async fn a_commit_can_be_made_after_a_command_was_stopped_in_the_middle_of_one() {
    let mut scene = Scene::new(COMMITS).await;
    assert_eq!(text(&scene.say("begin", true).await), "Begun.");
    scene.ask("commit slowly").await;
    let has_locked = |said: &serde_json::Value| {
        said["output"]["output"].as_str().is_some_and(|said| said.contains(".git/index.lock"))
    };
    scene.until_shown(has_locked).await;
    let lock = scene.workspace().join(".git/index.lock");
    assert!(lock.exists());
    scene.stop().await;
    scene.until_over().await;
    let deadline = Instant::now() + Duration::from_secs(60);
    while lock.exists() {
        assert!(Instant::now() < deadline, "it stays locked");
        tokio::task::yield_now().await;
    }
    let parts = scene.say("commit again", true).await;
    assert!(results(&parts, "run_command")[0].contains("COMMITTED"), "{parts:#?}");
}
