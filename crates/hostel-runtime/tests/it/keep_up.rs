//! An agent that stays awake without turns does not hold back the journal.

use std::time::Duration;

use hostel::{Cx, Result};
use hostel_macros::agent;
use hostel_runtime::{Node, Options};
use hostel_store::Store;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::support::{Client, until};

#[derive(Default, Serialize, Deserialize)]
struct Writer {
    text: String,
    count: usize,
}

#[agent]
impl Writer {
    #[callable]
    fn write(&mut self, length: usize) {
        // Nothing that the journal could pack.
        self.count += length;
        let number = |n: usize| (n + self.count).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.text = (0..length / 16).map(|n| format!("{:016x}", number(n))).collect();
    }

    /// Keeps the agent awake for as long as the test lasts.
    #[callable]
    async fn work(cx: &Cx<Self>) -> Result<()> {
        cx.update(|me| "at work".clone_into(&mut me.text))?;
        cx.sleep(Duration::from_secs(1_000_000)).await;
        Ok(())
    }
}

/// The segments that a start would read.
fn segments(dir: &tempfile::TempDir) -> Vec<String> {
    let names = std::fs::read_dir(dir.path().join("journal")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".seg")).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_stays_awake_without_turns_lets_the_journal_go() {
    let dir = tempfile::tempdir().unwrap();
    let options = hostel_store::Options { journal_segment_bytes: 256 << 10, ..hostel_store::Options::default() };
    let store = Store::open(dir.path(), options).unwrap();
    let options = Options { idle_after: Duration::from_secs(1_000_000), ..Options::default() };
    let node = Node::builder(store.clone()).agent::<Writer>().unwrap().options(options).start().await.unwrap();
    let mut idle = Client::greeted(&node, "Writer", "idle").await;
    idle.result("write", json!([160])).await;
    let mut working = Client::greeted(&node, "Writer", "working").await;
    working.begin("work", json!([]));
    working.until_type("cf_agent_state").await;
    let first = segments(&dir).remove(0);
    // So much is written that the journal begins other segments.
    let mut busy = Client::greeted(&node, "Writer", "busy").await;
    while segments(&dir).len() < 2 {
        busy.result("write", json!([100_000])).await;
    }
    // The journal asks; nobody but the two that do nothing holds it back.
    until(|| {
        store.checkpoint();
        !segments(&dir).contains(&first)
    })
    .await;
    assert_eq!(idle.result("write", json!([176])).await, json!(null));
}
