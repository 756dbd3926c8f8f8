//! Promise 7: sleeping agents keep their sockets.

use hostel::{ConnectRequest, Connection, Cx, Result};
use hostel_macros::agent;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::support::{Client, on_disk, sleepy, until, until_asleep};

#[derive(Default, Serialize, Deserialize)]
struct Sleeper {
    count: i64,
    #[serde(skip)]
    starts: i64,
}

#[agent]
impl Sleeper {
    fn on_start(&mut self) {
        self.starts += 1;
    }

    fn get_connection_tags(&self, _: &ConnectRequest) -> Vec<String> {
        vec!["blue".into()]
    }

    #[callable]
    fn prepare(&mut self, cx: &Cx<Self>) -> Result<()> {
        self.count = 7;
        self.starts = 100;
        let me = cx.connection().expect("a client calls");
        me.set_state(&"mine")?;
        me.set_readonly(true);
        Ok(())
    }

    #[callable]
    fn look(&self, cx: &Cx<Self>) -> Result<(i64, i64, String, bool, Vec<String>, usize)> {
        let me = cx.connection().expect("a client calls");
        let tags = me.tags().skip(1).map(str::to_owned).collect();
        let blue = cx.connections_with("blue").iter().filter(|blue| blue.is_open()).count();
        Ok((self.count, self.starts, me.state()?.unwrap_or_default(), me.is_readonly(), tags, blue))
    }

    #[callable]
    async fn work(cx: &Cx<Self>) -> Result<i64> {
        cx.sleep(std::time::Duration::from_millis(200)).await;
        cx.read(|me| me.starts)
    }

    fn on_close(&mut self, _connection: &Connection) {
        self.count += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_7_hibernation_keeps_sockets_state_tags_attachments_and_flags_and_repeats_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let node = on_disk(&dir).agent::<Sleeper>().unwrap().options(sleepy()).start().await.unwrap();
    let mut client = Client::greeted(&node, "Sleeper", "a").await;
    let second = Client::greeted(&node, "Sleeper", "a").await;
    client.result("prepare", json!([])).await;
    until_asleep(&node).await;
    assert_eq!(node.overview().await.unwrap()[0].sockets, 2);
    second.waiting();
    let looked = client.call("look", json!([])).await["result"].take();
    assert_eq!(looked, json!([7, 1, "mine", true, ["blue"], 2]), "state kept, memory fresh, on_start once more");
    assert!(client.waiting().is_empty() && second.waiting().is_empty(), "nothing is sent again on waking");
    // A socket that closes wakes it for on_close.
    until_asleep(&node).await;
    second.leave();
    assert_eq!(client.result("look", json!([])).await[0], 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_7_hibernation_waits_for_async_work() {
    let dir = tempfile::tempdir().unwrap();
    let node = on_disk(&dir).agent::<Sleeper>().unwrap().options(sleepy()).start().await.unwrap();
    let mut client = Client::greeted(&node, "Sleeper", "a").await;
    assert_eq!(client.result("work", json!([])).await, 1);
    until_asleep(&node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_that_nobody_needs_leave_no_trace_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let node = on_disk(&dir).agent::<Sleeper>().unwrap().options(sleepy()).start().await.unwrap();
    let mut clients = Vec::new();
    for name in 0..50 {
        clients.push(Client::greeted(&node, "Sleeper", &name.to_string()).await);
    }
    until_asleep(&node).await;
    drop(clients);
    until(|| node.agents_in_memory() == 0).await;
    assert_eq!(node.overview().await.unwrap()[0].sockets, 0);
}
