//! Promise 4: nothing is seen before the writes it rests on are durable.

use std::time::Duration;

use futures_util::poll;
use hostel::{AgentId, Body, Cx, Request, Response, Result, host::OutgoingCall};
use hostel_macros::agent;
use hostel_protocol::refusal::Code;
use hostel_runtime::{Node, Options};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::support::{Client, Disk, memory, on_disk, until};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    count: i64,
    #[serde(skip)]
    since_start: i64,
}

#[agent]
impl Counter {
    #[callable]
    fn add(&mut self, cx: &Cx<Self>) -> i64 {
        self.count += 1;
        self.since_start += 1;
        cx.broadcast("added");
        self.count
    }

    #[callable]
    fn get(&self) -> (i64, i64) {
        (self.count, self.since_start)
    }

    #[callable]
    async fn add_and_tell(cx: &Cx<Self>, other: String) -> Result<i64> {
        let count = cx.update(|me| {
            me.count += 1;
            me.count
        })?;
        cx.agent::<Self>(&other).hear(count).await?;
        Ok(count)
    }

    #[callable]
    fn hear(&mut self, count: i64) {
        self.count = count;
    }

    #[callable]
    async fn add_and_wait(cx: &Cx<Self>) -> Result<i64> {
        let count = cx.update(|me| {
            me.count += 1;
            me.count
        })?;
        cx.sleep(Duration::from_secs(3600)).await;
        Ok(count)
    }

    fn on_request(&self, _request: Request) -> Response {
        Response::new(Body::from(self.count.to_string()))
    }
}

fn call(name: &str, method: &str) -> OutgoingCall {
    OutgoingCall::new(AgentId::new("Counter", name), method, "[]")
}

/// However slow the machine, whoever brings an event runs it: when `begin` returns, the turn has run.
fn at_once() -> Options {
    Options { heavy_turn: Duration::from_secs(3600), ..Options::default() }
}

async fn node(disk: &Disk) -> Node {
    memory().agent::<Counter>().unwrap().options(at_once()).durability(disk.clone()).start().await.unwrap()
}

/// Gives whatever should not happen the time to happen: the sync is known to be under way.
async fn sync_under_way(disk: &Disk, before: usize) {
    until(|| disk.begun() > before).await;
    tokio::task::yield_now().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_4_output_gate_shows_nothing_before_the_write_is_durable_not_even_to_who_only_reads() {
    let disk = Disk::new();
    let node = node(&disk).await;
    let mut writer = Client::greeted(&node, "Counter", "a").await;
    let mut reader = Client::greeted(&node, "Counter", "a").await;
    let before = disk.begun();

    let held = disk.hold();
    let written = writer.begin("add", json!([]));
    let read = reader.begin("get", json!([]));
    let request = tokio::spawn({
        let node = node.clone();
        async move { node.request(&AgentId::new("Counter", "a"), http::Request::new(Body::empty()), None).await }
    });
    let state = tokio::spawn({
        let node = node.clone();
        async move { node.safe_state(&AgentId::new("Counter", "a")).await }
    });
    let mut late = tokio::spawn({
        let node = node.clone();
        async move { Client::open(&node, "Counter", "a").await }
    });
    sync_under_way(&disk, before).await;
    let late = (&mut late).await.unwrap();
    assert!(writer.waiting().is_empty() && reader.waiting().is_empty() && late.waiting().is_empty());
    assert!(!request.is_finished() && !state.is_finished());

    drop(held);
    assert_eq!(writer.answer(&written).await["result"], 1);
    assert_eq!(reader.answer(&read).await["result"], json!([1, 1]));
    let response = request.await.unwrap().unwrap();
    assert_eq!(&response.into_body().bytes(10).await.unwrap()[..], b"1");
    assert!(state.await.unwrap().unwrap().state.is_some());
    node.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_4_output_gate_lets_one_sync_cover_all_that_waited_for_it() {
    let disk = Disk::new();
    let node = node(&disk).await;
    let mut client = Client::greeted(&node, "Counter", "a").await;
    let before = disk.begun();
    let held = disk.hold();
    let ids: Vec<_> = (0..100).map(|_| client.begin("add", json!([]))).collect();
    sync_under_way(&disk, before).await;
    drop(held);
    for (index, id) in ids.iter().enumerate() {
        assert_eq!(client.answer(id).await["result"], json!(index + 1));
    }
    assert!(disk.begun() - before <= 2, "the one under way, and one for all the rest");
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_4_output_gate_holds_an_outgoing_call_back_too() {
    let disk = Disk::new();
    let node = node(&disk).await;
    let mut other = Client::greeted(&node, "Counter", "other").await;
    let mut client = Client::greeted(&node, "Counter", "a").await;
    let before = disk.begun();
    let held = disk.hold();
    let id = client.begin("addAndTell", json!(["other"]));
    sync_under_way(&disk, before).await;
    assert_eq!(other.result("get", json!([])).await[0], 0, "the call has not left");
    drop(held);
    assert_eq!(client.answer(&id).await["result"], 1);
    assert_eq!(other.result("get", json!([])).await[0], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_4_output_gate_a_failed_sync_shows_nothing_closes_sockets_and_restarts_the_agent() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::new();
    let node =
        on_disk(&dir).agent::<Counter>().unwrap().options(at_once()).durability(disk.clone()).start().await.unwrap();
    let mut writer = Client::greeted(&node, "Counter", "a").await;
    let mut reader = Client::greeted(&node, "Counter", "a").await;
    assert_eq!(writer.result("add", json!([])).await, 1);
    reader.until_type("cf_agent_state").await;
    assert_eq!(reader.frame().await, "added");

    let held = disk.hold();
    let before = disk.begun();
    writer.begin("add", json!([]));
    reader.begin("get", json!([]));
    let mut waiter = Box::pin(node.call(call("a", "get")));
    let mut task = Box::pin(node.call(call("a", "addAndWait")));
    assert!(poll!(waiter.as_mut()).is_pending() && poll!(task.as_mut()).is_pending(), "their turns have run");
    sync_under_way(&disk, before).await;
    writer.waiting();
    disk.fail();
    drop(held);

    for client in [&mut writer, &mut reader] {
        match client.next().await {
            hostel_runtime::Outgoing::Close { code: 1013, reason } => {
                assert_eq!(reason, "storage_failed: the disk does not answer");
            }
            other => panic!("nothing but the close is shown, got {other:?}"),
        }
    }
    assert_eq!(waiter.await.unwrap_err().code(), Some(Code::StorageFailed));
    let broken_off = task.await.unwrap_err().code();
    assert!(matches!(broken_off, Some(Code::AgentUnavailable | Code::StorageFailed)), "{broken_off:?}");

    disk.pass();
    let mut again = Client::greeted(&node, "Counter", "a").await;
    let seen = again.result("get", json!([])).await;
    let count = seen[0].as_i64().unwrap();
    assert!((1..=3).contains(&count), "what was acknowledged is there: {seen}");
    assert_eq!(seen[1], 0, "the agent was started again");
    // What was sent behind the lost request, before its sender heard of the loss, is not done without it.
    writer.begin("add", json!([]));
    assert_eq!(again.result("add", json!([])).await, count + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_4_output_gate_while_syncs_fail_every_caller_gets_an_error_and_no_result() {
    let disk = Disk::new();
    let node = node(&disk).await;
    node.call(call("a", "add")).await.unwrap();
    disk.fail();
    for _ in 0..50 {
        let error = node.call(call("a", "add")).await.unwrap_err();
        assert!(error.code().is_some_and(|code| code.retry_after_secs().is_some()), "{error:?}");
    }
    disk.pass();
    let wait = async {
        while node.call(call("a", "get")).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap();
}
