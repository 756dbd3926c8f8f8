//! Promise 9: crash loops are contained.

use std::{
    any::TypeId,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use hostel::{AgentId, Cx, Error, Result};
use hostel_macros::agent;
use hostel_protocol::refusal::Code;
use hostel_runtime::Node;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::support::{Client, memory};

#[derive(Default, Serialize, Deserialize)]
struct Faulty {
    count: i64,
}

#[derive(Default)]
struct Faults {
    starts: AtomicUsize,
    broken: AtomicBool,
    panics: AtomicBool,
    in_sql: AtomicBool,
}

#[agent]
impl Faulty {
    fn on_start(&mut self, cx: &Cx<Self>) -> Result<()> {
        let faults = cx.env::<Faults>()?;
        faults.starts.fetch_add(1, Ordering::SeqCst);
        self.count += 1;
        assert!(!faults.panics.load(Ordering::SeqCst), "on_start panics");
        if faults.in_sql.load(Ordering::SeqCst) {
            cx.sql("select nonsense", ())?;
        }
        if faults.broken.load(Ordering::SeqCst) { Err(Error::msg("no key configured")) } else { Ok(()) }
    }

    #[callable]
    fn get(&self) -> i64 {
        self.count
    }

    #[callable]
    fn crash(&mut self) {
        panic!("crash")
    }
}

async fn faulty() -> (Node, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let builder = memory().agent::<Faulty>().unwrap().env_arc(TypeId::of::<Faults>(), faults.clone());
    (builder.start().await.unwrap(), faults)
}

fn id() -> AgentId {
    AgentId::new("Faulty", "a")
}

async fn code(node: &Node) -> Option<Code> {
    node.wake(&id(), None).await.err().and_then(|error| error.code())
}

#[tokio::test(start_paused = true)]
async fn promise_9_crash_loops_are_held_back_with_growing_delays_visible_and_clearable() {
    let (node, faults) = faulty().await;
    faults.broken.store(true, Ordering::SeqCst);
    for _ in 0..4 {
        assert_eq!(code(&node).await, Some(Code::AgentStartFailed));
    }
    let mut delays = Vec::new();
    for _ in 0..4 {
        let started = faults.starts.load(Ordering::SeqCst);
        let error = node.wake(&id(), None).await.unwrap_err();
        assert_eq!(error.code(), Some(Code::AgentQuarantined));
        assert!(error.message().contains("no key configured"), "{error}");
        assert_eq!(faults.starts.load(Ordering::SeqCst), started, "its code does not run");
        let seen = node.quarantined().remove(0);
        assert_eq!((seen.id.clone(), seen.reason.as_str()), (id(), "no key configured"));
        delays.push(seen.retry_in.as_secs());
        tokio::time::sleep(seen.retry_in).await;
        assert_eq!(code(&node).await, Some(Code::AgentStartFailed), "one attempt is let through");
    }
    assert_eq!(delays, [1, 2, 4, 8]);

    let mut client = Client::open(&node, "Faulty", "a").await;
    assert_eq!(client.frame().await["code"], "agent_quarantined");
    assert_eq!(client.closed().await.0, 1013);
    // Others are not affected, its data can be read without its code, and an operator can let it go.
    faults.broken.store(false, Ordering::SeqCst);
    node.wake(&AgentId::new("Faulty", "healthy"), None).await.unwrap();
    assert_eq!(code(&node).await, Some(Code::AgentQuarantined));
    assert!(node.safe_state(&id()).await.unwrap().state.is_none());
    assert!(node.clear_quarantine(&id()));
    let mut client = Client::greeted(&node, "Faulty", "a").await;
    assert_eq!(client.result("get", json!([])).await, 1, "failed starts left nothing behind");
    assert!(node.quarantined().is_empty());
}

#[tokio::test(start_paused = true)]
async fn promise_9_crash_loops_a_start_that_succeeds_ends_the_row() {
    let (node, faults) = faulty().await;
    faults.broken.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(code(&node).await, Some(Code::AgentStartFailed));
    }
    faults.broken.store(false, Ordering::SeqCst);
    node.wake(&id(), None).await.unwrap();
    assert!(node.quarantined().is_empty());
}

#[tokio::test(start_paused = true)]
async fn promise_9_crash_loops_a_panic_or_an_sql_error_in_on_start_counts_as_a_failed_start() {
    for in_sql in [false, true] {
        let (node, faults) = faulty().await;
        let fault = if in_sql { &faults.in_sql } else { &faults.panics };
        fault.store(true, Ordering::SeqCst);
        for _ in 0..4 {
            assert_eq!(code(&node).await, Some(Code::AgentStartFailed));
        }
        assert_eq!(code(&node).await, Some(Code::AgentQuarantined));
        assert_eq!(faults.starts.load(Ordering::SeqCst), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn promise_9_crash_loops_an_agent_that_keeps_panicking_is_closed_and_held_back() {
    let (node, _faults) = faulty().await;
    let mut client = Client::greeted(&node, "Faulty", "a").await;
    for _ in 0..4 {
        assert_eq!(client.failure("crash", json!([])).await["code"], "turn_panicked");
    }
    let (code, reason) = client.closed().await;
    assert_eq!(code, 1013);
    assert!(reason.starts_with("agent_quarantined: "), "{reason}");
    client.leave();
    let mut next = Client::open(&node, "Faulty", "a").await;
    assert_eq!(next.frame().await["code"], "agent_quarantined");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut next = Client::greeted(&node, "Faulty", "a").await;
    assert!(next.result("get", json!([])).await.is_number());
}

#[tokio::test(start_paused = true)]
async fn names_that_fail_to_start_do_not_fill_the_memory() {
    let (node, faults) = faulty().await;
    faults.broken.store(true, Ordering::SeqCst);
    for name in 0..100 {
        let failed = node.wake(&AgentId::new("Faulty", &name.to_string()), None).await;
        assert_eq!(failed.unwrap_err().code(), Some(Code::AgentStartFailed));
    }
    assert_eq!(node.agents_in_memory(), 0);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert!(node.quarantined().is_empty());
}
