//! Promises 10 and 11: callers who leave, and callers who repeat themselves.

use std::{any::TypeId, sync::Arc, time::Duration};

use hostel::{AgentId, Cx, Error, Identity, Result, Stream, host::OutgoingCall};
use hostel_macros::agent;
use hostel_protocol::refusal::Code;
use hostel_runtime::{Node, NodeBuilder};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Notify;

use super::support::{Client, memory, on_disk};

#[derive(Default, Serialize, Deserialize)]
struct Till {
    total: i64,
}

#[derive(Default)]
struct Bell(Notify);

#[agent]
impl Till {
    #[callable]
    fn pay(&mut self, amount: i64) -> Result<i64> {
        self.total += amount;
        if amount < 0 { Err(Error::msg("no refunds")) } else { Ok(self.total) }
    }

    #[callable]
    fn nothing(&mut self) {
        self.total += 1;
    }

    #[callable]
    async fn pay_slowly(cx: &Cx<Self>, amount: i64) -> Result<i64> {
        cx.env::<Bell>()?.0.notified().await;
        cx.update(|me| {
            me.total += amount;
            me.total
        })
    }

    #[callable(cancel_on_disconnect)]
    async fn pay_if_still_there(cx: &Cx<Self>, amount: i64) -> Result<i64> {
        Self::pay_slowly(cx, amount).await
    }

    #[callable(streaming)]
    async fn stream(_cx: &Cx<Self>, stream: Stream<i64>) -> Result<()> {
        stream.send(&1)
    }

    #[callable]
    fn total(&self) -> i64 {
        self.total
    }
}

async fn start(builder: NodeBuilder) -> (Node, Arc<Bell>) {
    let bell = Arc::new(Bell::default());
    let builder = builder.agent::<Till>().unwrap().env_arc(TypeId::of::<Bell>(), bell.clone());
    (builder.start().await.unwrap(), bell)
}

async fn keyed(client: &mut Client, method: &str, args: serde_json::Value, key: &str) -> serde_json::Value {
    let id = client.begin_keyed(method, args, Some(key));
    client.answer(&id).await
}

#[tokio::test]
async fn promise_10_a_caller_who_leaves_does_not_cancel_what_was_begun() {
    let (node, bell) = start(memory()).await;
    let mut client = Client::greeted(&node, "Till", "a").await;
    client.begin("paySlowly", json!([5]));
    client.leave();
    bell.0.notify_one();
    let mut next = Client::greeted(&node, "Till", "a").await;
    assert_eq!(next.until_type("cf_agent_state").await["state"]["total"], 5);
}

#[tokio::test]
async fn promise_10_a_caller_who_leaves_cancels_only_what_asked_for_it() {
    let (node, bell) = start(memory()).await;
    let mut client = Client::greeted(&node, "Till", "a").await;
    client.begin("payIfStillThere", json!([5]));
    client.begin("paySlowly", json!([7]));
    client.leave();
    tokio::task::yield_now().await;
    let mut next = Client::greeted(&node, "Till", "a").await;
    bell.0.notify_one();
    bell.0.notify_one();
    assert_eq!(next.until_type("cf_agent_state").await["state"]["total"], 7);
}

#[tokio::test]
async fn promise_11_retries_are_safe_for_turns() {
    let (node, _) = start(memory()).await;
    let mut client = Client::greeted(&node, "Till", "a").await;
    assert_eq!(keyed(&mut client, "pay", json!([5]), "k1").await["result"], 5);
    assert_eq!(keyed(&mut client, "pay", json!([5]), "k1").await["result"], 5);
    assert_eq!(keyed(&mut client, "pay", json!([5]), "k2").await["result"], 10);
    assert_eq!(keyed(&mut client, "pay", json!([6]), "k1").await["code"], "idempotency_conflict");
    assert_eq!(keyed(&mut client, "nothing", json!([]), "k3").await["result"], json!(null));
    assert_eq!(keyed(&mut client, "nothing", json!([]), "k3").await["success"], true);
    // A failed call may be repeated: nothing was kept of it.
    assert_eq!(keyed(&mut client, "pay", json!([-1]), "k4").await["error"], "no refunds");
    assert_eq!(keyed(&mut client, "pay", json!([1]), "k4").await["result"], 12);
    assert_eq!(client.result("total", json!([])).await, 12);
}

#[tokio::test]
async fn promise_11_retries_are_safe_for_async_methods_also_while_the_first_is_under_way() {
    let (node, bell) = start(memory()).await;
    let mut one = Client::greeted(&node, "Till", "a").await;
    let mut two = Client::greeted(&node, "Till", "a").await;
    let first = one.begin_keyed("paySlowly", json!([5]), Some("k"));
    let second = two.begin_keyed("paySlowly", json!([5]), Some("k"));
    assert_eq!(keyed(&mut two, "paySlowly", json!([6]), "k").await["code"], "idempotency_conflict");
    bell.0.notify_one();
    assert_eq!(one.answer(&first).await["result"], 5);
    assert_eq!(two.answer(&second).await["result"], 5);
    assert_eq!(keyed(&mut two, "paySlowly", json!([5]), "k").await["result"], 5, "and afterwards");
    assert_eq!(two.result("total", json!([])).await, 5);
}

/// A call as others make it: an agent or the application, a client that nobody knows, and two that are known.
async fn pay_as(node: &Node, client: Option<Option<Identity>>, method: &str) -> Result<Option<String>> {
    let key = Some("k".to_owned());
    let call = OutgoingCall { idempotency_key: key, ..OutgoingCall::new(AgentId::new("Till", "a"), method, "[5]") };
    let answer = match client {
        None => node.call(call).await,
        Some(client) => node.call_as(client, call).await,
    };
    answer.map(|reply| reply.as_json().map(str::to_owned))
}

fn strangers() -> [Option<Option<Identity>>; 5] {
    let ada = || Identity::new("ada");
    let (elsewhere, bob) = (ada().with_issuer("https://id.example"), Identity::new("bob"));
    [None, Some(None), Some(Some(ada())), Some(Some(elsewhere)), Some(Some(bob))]
}

#[tokio::test]
async fn promise_11_retries_are_safe_from_others_who_have_the_same_key() {
    let (node, _) = start(memory()).await;
    let mut totals = Vec::new();
    for round in 0..2 {
        for (place, client) in strangers().into_iter().enumerate() {
            let total = pay_as(&node, client, "pay").await.unwrap();
            if round == 0 { totals.push(total) } else { assert_eq!(total, totals[place], "their own answer again") }
        }
    }
    assert_eq!(totals, ["5", "10", "15", "20", "25"].map(|total| Some(total.to_owned())));
    let mut client = Client::greeted(&node, "Till", "a").await;
    assert_eq!(
        keyed(&mut client, "pay", json!([5]), "k").await["result"],
        10,
        "a socket without an identity is nobody"
    );
    let disguised = keyed(&mut client, "pay", json!([5]), "agent:k").await;
    assert_eq!(disguised["result"], 30, "no key is written so that it is another's: {disguised}");
}

#[tokio::test]
async fn promise_11_retries_join_nobody_elses_call_under_way() {
    let (node, bell) = start(memory()).await;
    let mut calls: Vec<_> =
        strangers().map(|client| Box::pin(pay_as(&node, client, "paySlowly"))).into_iter().collect();
    for call in &mut calls {
        assert!(futures_util::poll!(call).is_pending());
    }
    for call in calls {
        bell.0.notify_one();
        call.await.unwrap();
    }
    let mut client = Client::greeted(&node, "Till", "a").await;
    assert_eq!(client.result("total", json!([])).await, 25);
}

#[tokio::test]
async fn promise_11_retries_are_safe_when_the_first_was_cancelled() {
    let (node, bell) = start(memory()).await;
    let mut one = Client::greeted(&node, "Till", "a").await;
    let mut two = Client::greeted(&node, "Till", "a").await;
    one.begin_keyed("payIfStillThere", json!([5]), Some("k"));
    let joined = two.begin_keyed("payIfStillThere", json!([5]), Some("k"));
    one.leave();
    let answer = two.answer(&joined).await;
    assert_eq!(answer["code"], "agent_unavailable", "{answer}");
    let retried = two.begin_keyed("payIfStillThere", json!([5]), Some("k"));
    bell.0.notify_one();
    assert_eq!(two.answer(&retried).await["result"], 5);
}

#[tokio::test]
async fn promise_11_retries_are_safe_across_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let call = |args: &str| OutgoingCall {
        idempotency_key: Some("k".into()),
        ..OutgoingCall::new(AgentId::new("Till", "a"), "pay", args)
    };
    for _ in 0..2 {
        let (node, _) = start(on_disk(&dir)).await;
        assert_eq!(node.call(call("[5]")).await.unwrap().as_json(), Some("5"));
        assert_eq!(node.call(call("[6]")).await.unwrap_err().code(), Some(Code::IdempotencyConflict));
        node.shutdown(Duration::from_secs(5)).await;
    }
}

#[tokio::test]
async fn a_stream_with_an_idempotency_key_is_refused_with_a_reason_and_one_without_ends_once() {
    let (node, _) = start(memory()).await;
    let mut client = Client::greeted(&node, "Till", "a").await;
    for _ in 0..2 {
        assert_eq!(keyed(&mut client, "stream", json!([]), "k").await["code"], "invalid_arguments");
    }
    client.begin("stream", json!([]));
    assert_eq!(
        (client.frame().await["done"].clone(), client.frame().await["done"].clone()),
        (json!(false), json!(true))
    );
    assert!(client.waiting().is_empty());
}
