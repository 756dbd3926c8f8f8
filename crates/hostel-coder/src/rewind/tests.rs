//! What is said while files go back is answered once they are back.

use std::sync::Arc;

use hostel::App;
use hostel_chat::model::{Models, Scripted};
use hostel_testing::{Peer, TestHome};
use serde_json::json;

use crate::{CoderAgent, Workspaces};

const SCRIPT: &str = "\
on one
  call write_file {\"path\": \"a.txt\", \"content\": \"one\"}
then
  say Done.
on two
  call write_file {\"path\": \"a.txt\", \"content\": \"two\"}
then
  say Done.
on look
  call read_file {\"path\": \"a.txt\"}
then
  say I see: $result
";

async fn ask(page: &mut Peer, text: &str) {
    let message = json!({"id": format!("u-{text}"), "role": "user", "parts": [{"type": "text", "text": text}]});
    let body = json!({"messages": [message], "trigger": "submit-message"}).to_string();
    let init = json!({"method": "POST", "body": body});
    let ask = json!({"id": format!("r-{text}"), "init": init, "type": "cf_agent_use_chat_request"});
    page.send(ask.to_string()).await;
}

#[tokio::test]
async fn what_is_said_while_files_go_back_is_answered_once_they_are_back() {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let shared = Arc::new(Workspaces::new(dir.path().join("workspaces")));
    let given = Arc::clone(&shared);
    let app = move || {
        let models = Models::one(Scripted::new(SCRIPT).unwrap());
        App::new().agent::<CoderAgent>().env(models).env_shared(Arc::clone(&given))
    };
    let home = TestHome::start(app).await;
    let mut page = home.connect("coder-agent/default").await;
    page.call("setPolicy", json!([{"mode": "auto"}])).await;
    for text in ["one", "two"] {
        ask(&mut page, text).await;
        page.until(|frame| frame.contains("\"done\":true") && frame.contains(&format!("r-{text}"))).await;
    }
    let alone = shared.alone().await;
    let rewind = json!({"type": "rpc", "id": "back", "method": "rewind", "args": [{"messageId": "u-two"}]});
    page.send(rewind.to_string()).await;
    // The talk is that of before already, the files are not.
    while page.call("getMessages", json!([])).await.as_array().unwrap().len() > 2 {}
    ask(&mut page, "look").await;
    // The answer to it has begun.
    while !page.try_call("undoRewind", json!([])).await.unwrap_err().to_string().contains("is answering") {}
    assert_eq!(std::fs::read_to_string(file(&dir)).unwrap(), "two");
    drop(alone);
    let seen = page.until(|frame| frame.contains("I see: ")).await;
    assert!(seen.contains("one") && !seen.contains("two"), "{seen}");
}

fn file(dir: &tempfile::TempDir) -> std::path::PathBuf {
    let all = std::fs::read_dir(dir.path().join("workspaces")).unwrap().flatten().map(|entry| entry.path());
    all.map(|path| path.join("a.txt")).find(|path| path.exists()).unwrap()
}
