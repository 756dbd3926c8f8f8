//! Destroying agents, stopping nodes, and what is found afterwards.

use std::time::Duration;

use hostel::{AgentId, Cx, Result};
use hostel_macros::agent;
use hostel_protocol::refusal::Code;
use hostel_store::Store;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::support::{Client, TestClock, memory, on_disk, until};

#[derive(Default, Serialize, Deserialize)]
struct Mortal {
    count: i64,
}

#[agent]
impl Mortal {
    fn on_start(&self, cx: &Cx<Self>) -> Result<()> {
        cx.sql("create table if not exists notes (text text)", ())?;
        Ok(())
    }

    #[callable]
    fn add(&mut self, cx: &Cx<Self>) -> Result<i64> {
        self.count += 1;
        cx.sql("insert into notes values ('x')", ())?;
        cx.set_alarm(cx.now() + Duration::from_secs(3600))?;
        Ok(self.count)
    }

    #[callable]
    fn notes(&self, cx: &Cx<Self>) -> Result<i64> {
        Ok(cx.sql("select count(*) from notes", ())?.value()?.unwrap_or(-1))
    }

    #[callable]
    fn destroy(&mut self, cx: &Cx<Self>) -> i64 {
        cx.destroy();
        self.count
    }

    #[callable]
    fn destroy_and_leave_work(&mut self, cx: &Cx<Self>) {
        let later = cx.clone();
        cx.spawn(async move {
            let _refused = Self::add_later(&later).await;
        });
        cx.destroy();
    }

    #[callable]
    fn destroy_and_fail(&mut self, cx: &Cx<Self>) -> Result<()> {
        cx.destroy();
        Err(hostel::Error::msg("on second thought"))
    }

    #[callable]
    async fn destroy_later(cx: &Cx<Self>) -> Result<i64> {
        cx.sleep(Duration::from_millis(5)).await;
        cx.destroy();
        Ok(1)
    }

    #[callable]
    async fn add_later(cx: &Cx<Self>) -> Result<()> {
        cx.sleep(Duration::from_secs(1000)).await;
        cx.update(|me| me.count += 100)
    }

    fn on_close(&mut self) {
        self.count += 1000;
    }

    fn on_alarm(&self) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destroyed_agent_leaves_nothing_closes_its_sockets_and_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), hostel_store::Options::default()).unwrap();
    let node = hostel_runtime::Node::builder(store.clone()).agent::<Mortal>().unwrap().start().await.unwrap();
    for method in ["destroy", "destroyLater"] {
        let mut client = Client::greeted(&node, "Mortal", "a").await;
        let mut witness = Client::greeted(&node, "Mortal", "a").await;
        assert_eq!(client.result("add", json!([])).await, 1);
        assert_eq!(client.failure("destroyAndFail", json!([])).await["error"], "on second thought");
        assert_eq!(client.result("notes", json!([])).await, 1);
        client.begin(method, json!([]));
        for socket in [&mut client, &mut witness] {
            assert_eq!(socket.closed().await, (1001, "Durable Object destroyed".to_owned()));
        }
        // Whatever its old sockets still say reaches nobody, and does not bring it back.
        client.begin("add", json!([]));
        client.leave();
        drop(witness);
        until(|| node.agents_in_memory() == 0).await;
        assert_eq!(store.count("mortal").unwrap(), 0);
        assert!(store.alarms().unwrap().is_empty());
    }
    let mut next = Client::greeted(&node, "Mortal", "a").await;
    assert_eq!(next.result("notes", json!([])).await, 0);
    assert_eq!(next.result("add", json!([])).await, 1);
}

#[tokio::test(start_paused = true)]
async fn async_work_from_before_an_end_does_not_touch_the_agent_that_comes_after() {
    let node = memory().clock(TestClock::new()).agent::<Mortal>().unwrap().start().await.unwrap();
    for end in ["destroy", "destroyAndLeaveWork"] {
        let mut before = Client::greeted(&node, "Mortal", "a").await;
        before.begin("addLater", json!([]));
        before.begin(end, json!([]));
        assert_eq!(before.closed().await.0, 1001);
    }
    let mut after = Client::greeted(&node, "Mortal", "a").await;
    tokio::time::sleep(Duration::from_secs(2000)).await;
    assert_eq!(after.result("add", json!([])).await, 1);
}

/// Found by hostel-crash: other sockets were told of the end while its record was still on its way to the disk.
#[tokio::test]
async fn nobody_is_told_of_an_end_that_did_not_happen() {
    let dir = tempfile::tempdir().unwrap();
    let node = on_disk(&dir).agent::<Mortal>().unwrap().start().await.unwrap();
    let mut client = Client::greeted(&node, "Mortal", "a").await;
    let mut witness = Client::greeted(&node, "Mortal", "a").await;
    assert_eq!(client.result("add", json!([])).await, 1);
    // A directory in the place of its file cannot be deleted as one.
    let file = database_of(dir.path());
    std::fs::rename(&file, file.with_extension("moved")).unwrap();
    std::fs::create_dir(&file).unwrap();
    client.begin("destroy", json!([]));
    for socket in [&mut client, &mut witness] {
        let (code, reason) = socket.closed().await;
        assert!(
            code == 1013 && reason.starts_with("storage_failed: ") && reason.contains("deleting its database"),
            "{code} {reason}"
        );
    }
}

fn database_of(dir: &std::path::Path) -> std::path::PathBuf {
    let shards = std::fs::read_dir(dir.join("agents/mortal")).unwrap();
    let mut files = shards.flat_map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap());
    files
        .find_map(|file| Some(file.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "db")))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_tells_its_clients_and_its_directory_can_be_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    for round in 1..=3 {
        let node = on_disk(&dir).agent::<Mortal>().unwrap().start().await.unwrap();
        let mut client = Client::greeted(&node, "Mortal", "a").await;
        assert_eq!(client.result("add", json!([])).await, json!(round));
        node.shutdown(Duration::from_secs(5)).await;
        assert_eq!(client.closed().await.0, 1012);
        client.begin("add", json!([]));
        client.leave();
        let refused = node.wake(&AgentId::new("Mortal", "a"), None).await.unwrap_err();
        assert_eq!(refused.code(), Some(Code::ShuttingDown));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_found_in_a_copy_of_the_files_taken_at_any_moment() {
    let dir = tempfile::tempdir().unwrap();
    let node = on_disk(&dir).agent::<Mortal>().unwrap().start().await.unwrap();
    let mut client = Client::greeted(&node, "Mortal", "a").await;
    for count in 1..=20 {
        assert_eq!(client.result("add", json!([])).await, json!(count));
        let copy = tempfile::tempdir().unwrap();
        copy_files(dir.path(), copy.path());
        let found = Store::open(copy.path(), hostel_store::Options::default()).unwrap();
        let state = found.agent("mortal", "a").unwrap().state().unwrap();
        assert_eq!(state.as_deref(), Some(format!(r#"{{"count":{count}}}"#).as_str()));
    }
}

fn copy_files(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_files(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_dropped_lets_go_of_its_directory() {
    let dir = tempfile::tempdir().unwrap();
    let node = on_disk(&dir).agent::<Mortal>().unwrap().start().await.unwrap();
    let mut client = Client::greeted(&node, "Mortal", "a").await;
    assert_eq!(client.result("add", json!([])).await, 1);
    drop(client);
    drop(node);
    let mut again = None;
    until(|| {
        again = Store::open(dir.path(), hostel_store::Options::default()).ok();
        again.is_some()
    })
    .await;
    let node = hostel_runtime::Node::builder(again.unwrap()).agent::<Mortal>().unwrap().start().await.unwrap();
    let mut client = Client::greeted(&node, "Mortal", "a").await;
    assert_eq!(client.result("add", json!([])).await, 1002);
}

#[tokio::test]
async fn safe_state_shows_what_is_stored_without_waking_anybody() {
    let node = memory().agent::<Mortal>().unwrap().start().await.unwrap();
    let id = AgentId::new("Mortal", "nobody");
    let state = node.safe_state(&id).await.unwrap();
    assert!(state.state.is_none() && !state.awake);
    assert_eq!(node.agents_in_memory(), 0);
}
