//! Promise 8: wake-ups come at least once and are never lost.

use std::{
    any::TypeId,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use hostel::{Cx, Error, Result};
use hostel_macros::agent;
use hostel_runtime::{Node, NodeBuilder};
use hostel_store::{AgentKey, Store};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::support::{Blocking, Client, Disk, TestClock, memory, on_disk};

#[derive(Default, Serialize, Deserialize)]
struct Bell {
    rung: Vec<i64>,
    again: i64,
}

/// How often `on_alarm` is to fail, and how often it was tried.
#[derive(Default)]
struct Plan {
    broken: AtomicBool,
    starts: AtomicUsize,
    failures: AtomicUsize,
    tries: AtomicUsize,
}

#[agent]
impl Bell {
    fn on_start(&self, cx: &Cx<Self>) -> Result<()> {
        let plan = cx.env::<Plan>()?;
        plan.starts.fetch_add(1, Ordering::SeqCst);
        if plan.broken.load(Ordering::SeqCst) { Err(Error::msg("broken")) } else { Ok(()) }
    }

    #[callable]
    fn set(&mut self, cx: &Cx<Self>, seconds: i64) -> Result<()> {
        cx.set_alarm(cx.now() + jiff::SignedDuration::from_secs(seconds))
    }

    #[callable]
    fn at(&mut self, cx: &Cx<Self>, second: i64) -> Result<()> {
        cx.set_alarm(jiff::Timestamp::from_second(second)?)
    }

    #[callable]
    fn set_and_fail(&mut self, cx: &Cx<Self>, seconds: i64) -> Result<()> {
        self.set(cx, seconds)?;
        Err(Error::msg("never mind"))
    }

    #[callable]
    fn unset(&mut self, cx: &Cx<Self>) -> Result<()> {
        cx.delete_alarm()
    }

    #[callable]
    fn repeat(&mut self, times: i64) {
        self.again = times;
    }

    #[callable]
    fn rung(&self) -> usize {
        self.rung.len()
    }

    #[callable]
    fn pending(&self, cx: &Cx<Self>) -> Result<bool> {
        Ok(cx.alarm()?.is_some())
    }

    fn on_alarm(&mut self, cx: &Cx<Self>) -> Result<()> {
        self.rung.push(cx.now().as_second());
        let plan = cx.env::<Plan>()?;
        plan.tries.fetch_add(1, Ordering::SeqCst);
        if plan.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(Error::msg("not yet"));
        }
        if self.again > 0 {
            self.again -= 1;
            self.set(cx, 10)?;
        }
        Ok(())
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn start(builder: NodeBuilder, clock: TestClock) -> (Node, Arc<Plan>) {
    let plan = Arc::new(Plan::default());
    let builder = builder.agent::<Bell>().unwrap().clock(clock).env_arc(TypeId::of::<Plan>(), plan.clone());
    (builder.start().await.unwrap(), plan)
}

fn register(dir: &tempfile::TempDir) -> Vec<(AgentKey, i64)> {
    Store::open(dir.path(), hostel_store::Options::default()).unwrap().alarms().unwrap()
}

#[tokio::test(start_paused = true)]
async fn promise_8_alarms_ring_once_when_due_even_if_the_agent_sleeps() {
    let (node, plan) = start(memory(), TestClock::new()).await;
    let mut client = Client::greeted(&node, "Bell", "a").await;
    client.result("set", json!([3600])).await;
    client.failure("setAndFail", json!([1])).await;
    tokio::time::sleep(seconds(3590)).await;
    assert_eq!(plan.tries.load(Ordering::SeqCst), 0);
    tokio::time::sleep(seconds(20)).await;
    assert_eq!(client.result("rung", json!([])).await, 1);
    tokio::time::sleep(seconds(2_000)).await;
    assert_eq!(client.result("rung", json!([])).await, 1);
    assert_eq!(client.result("pending", json!([])).await, false);
}

#[tokio::test(start_paused = true)]
async fn promise_8_alarms_may_be_moved_both_ways_taken_back_and_renewed_while_ringing() {
    let (node, plan) = start(memory(), TestClock::new()).await;
    let mut client = Client::greeted(&node, "Bell", "a").await;
    client.result("set", json!([100])).await;
    client.result("set", json!([50])).await;
    client.result("set", json!([200])).await;
    tokio::time::sleep(seconds(190)).await;
    assert_eq!(plan.tries.load(Ordering::SeqCst), 0);
    client.result("unset", json!([])).await;
    tokio::time::sleep(seconds(1000)).await;
    assert_eq!(plan.tries.load(Ordering::SeqCst), 0);
    client.result("repeat", json!([3])).await;
    client.result("set", json!([-5])).await;
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(client.result("rung", json!([])).await, 4);
    assert_eq!(client.result("pending", json!([])).await, false);
}

#[tokio::test(start_paused = true)]
async fn promise_8_alarms_that_fail_are_tried_again_and_an_earlier_wish_is_not_overslept() {
    let (node, plan) = start(memory(), TestClock::new()).await;
    let mut client = Client::greeted(&node, "Bell", "a").await;
    plan.failures.store(3, Ordering::SeqCst);
    client.result("set", json!([10])).await;
    tokio::time::sleep(seconds(11)).await;
    assert_eq!(plan.tries.load(Ordering::SeqCst), 1);
    tokio::time::sleep(seconds(2 + 4 + 8)).await;
    assert_eq!(plan.tries.load(Ordering::SeqCst), 4, "after 2, 4 and 8 seconds");
    assert_eq!(client.result("rung", json!([])).await, 1, "the failures were rolled back");
    plan.failures.store(5, Ordering::SeqCst);
    client.result("set", json!([1])).await;
    tokio::time::sleep(seconds(16)).await;
    let tries = plan.tries.load(Ordering::SeqCst);
    client.result("set", json!([1])).await;
    tokio::time::sleep(seconds(2)).await;
    assert_eq!(plan.tries.load(Ordering::SeqCst), tries + 1, "the new wish comes before the next repetition");
}

#[tokio::test(start_paused = true)]
async fn promise_8_alarms_overdue_at_start_run_at_start() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    {
        let (node, _) = start(on_disk(&dir).durability(Blocking), clock).await;
        let mut client = Client::greeted(&node, "Bell", "a").await;
        client.result("set", json!([100])).await;
        drop(client);
        node.shutdown(seconds(5)).await;
    }
    tokio::time::sleep(seconds(1000)).await;
    let (node, plan) = start(on_disk(&dir).durability(Blocking), clock).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(plan.tries.load(Ordering::SeqCst), 1);
    node.shutdown(seconds(5)).await;
    drop(node);
    tokio::time::sleep(seconds(60)).await;
    assert!(register(&dir).is_empty(), "and only once");
}

#[tokio::test(start_paused = true)]
async fn promise_8_alarms_of_an_agent_that_cannot_start_ring_when_it_can_and_ever_less_often_until_then() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let (node, _) = start(on_disk(&dir).durability(Blocking), clock).await;
    let mut client = Client::greeted(&node, "Bell", "a").await;
    client.result("set", json!([10])).await;
    drop(client);
    node.shutdown(seconds(5)).await;
    drop(node);
    let (node, plan) = start(on_disk(&dir).durability(Blocking), clock).await;
    plan.broken.store(true, Ordering::SeqCst);
    tokio::time::sleep(seconds(3600)).await;
    let starts = plan.starts.load(Ordering::SeqCst);
    assert!((5..40).contains(&starts), "{starts} attempts in an hour");
    plan.broken.store(false, Ordering::SeqCst);
    tokio::time::sleep(seconds(301)).await;
    assert_eq!(plan.tries.load(Ordering::SeqCst), 1);
    node.shutdown(seconds(5)).await;
}

#[derive(Default, Serialize, Deserialize)]
struct SlowBell {
    rung: i64,
}

#[agent]
impl SlowBell {
    #[callable]
    fn set(&mut self, cx: &Cx<Self>, seconds: i64) -> Result<()> {
        cx.set_alarm(cx.now() + jiff::SignedDuration::from_secs(seconds))
    }

    async fn on_alarm(cx: &Cx<Self>) -> Result<()> {
        cx.update(|me| me.rung += 1)?;
        cx.sleep(seconds(100)).await;
        Ok(())
    }

    #[callable]
    fn rung(&self) -> i64 {
        self.rung
    }
}

#[tokio::test(start_paused = true)]
async fn promise_8_alarms_ring_once_also_when_on_alarm_takes_long_and_one_set_meanwhile_follows() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    for round in 0..2 {
        let node = on_disk(&dir).durability(Blocking).agent::<SlowBell>().unwrap().clock(clock).start().await.unwrap();
        let bell = node.agent::<SlowBell>("a");
        if round == 0 {
            bell.set(1000).await.unwrap();
        } else {
            tokio::time::sleep(seconds(50)).await;
            assert_eq!(bell.rung().await.unwrap(), 1, "overdue, and rung once");
            bell.set(10).await.unwrap();
            tokio::time::sleep(seconds(30)).await;
            assert_eq!(bell.rung().await.unwrap(), 1, "not while it rings");
            tokio::time::sleep(seconds(30)).await;
            assert_eq!(bell.rung().await.unwrap(), 2, "but afterwards");
            tokio::time::sleep(seconds(1000)).await;
            assert_eq!(bell.rung().await.unwrap(), 2);
        }
        node.shutdown(Duration::ZERO).await;
        drop(node);
        tokio::time::sleep(seconds(2000)).await;
    }
}

/// A crash between registration and commit leaves an early entry in the register, or none too late.
#[tokio::test(start_paused = true)]
async fn promise_8_alarms_an_early_entry_in_the_register_does_no_harm_and_is_set_right() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let base = hostel_runtime::Clock::now(&clock).as_millisecond();
    {
        let store = Store::open(dir.path(), hostel_store::Options::default()).unwrap();
        let mut db = store.agent("bell", "late").unwrap();
        db.set_alarm(Some(base + 500_000)).unwrap();
        db.commit().unwrap();
        store.register_alarm(&AgentKey::new("bell", "late"), base - 1000).unwrap();
        store.register_alarm(&AgentKey::new("bell", "never"), base - 1000).unwrap();
    }
    let (node, plan) = start(on_disk(&dir).durability(Blocking), clock).await;
    tokio::time::sleep(seconds(100)).await;
    assert_eq!(plan.tries.load(Ordering::SeqCst), 0);
    node.shutdown(seconds(5)).await;
    drop(node);
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(register(&dir), [(AgentKey::new("bell", "late"), base + 500_000)]);
    let (node, plan) = start(on_disk(&dir).durability(Blocking), clock).await;
    tokio::time::sleep(seconds(600)).await;
    assert_eq!(plan.tries.load(Ordering::SeqCst), 1);
    node.shutdown(seconds(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_8_alarms_a_later_one_enters_the_register_only_when_it_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), hostel_store::Options::default()).unwrap();
    let disk = Disk::new();
    let (node, _) = start(Node::builder(store.clone()).durability(disk.clone()), TestClock::new()).await;
    let mut client = Client::greeted(&node, "Bell", "a").await;
    client.result("set", json!([1000])).await;
    let early = store.alarms().unwrap();
    let held = disk.hold();
    let before = disk.begun();
    let later = client.begin("set", json!([9000]));
    let between = client.begin("set", json!([5000]));
    super::support::until(|| disk.begun() > before).await;
    assert_eq!(store.alarms().unwrap(), early, "a power cut now would bring the early one back");
    drop(held);
    client.answer(&later).await;
    client.answer(&between).await;
    super::support::until(|| store.alarms().unwrap() != early).await;
    let moved = store.alarms().unwrap()[0].1 - early[0].1;
    assert!((3_990_000..4_010_000).contains(&moved), "{moved}");
    node.shutdown(seconds(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_8_alarms_one_set_again_while_its_clearing_is_synced_stays_in_the_register() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), hostel_store::Options::default()).unwrap();
    let (node, _) = start(Node::builder(store.clone()), TestClock::new()).await;
    let mut client = Client::greeted(&node, "Bell", "a").await;
    let mut last = Client::greeted(&node, "Bell", "last").await;
    // Far in the future, and always the same.
    let at = json!([4_000_000_000_i64]);
    for _ in 0..100 {
        client.result("at", at.clone()).await;
        client.result("unset", json!([])).await;
        client.result("at", at.clone()).await;
        // Whatever was queued before is written when this is.
        last.result("at", at.clone()).await;
        last.result("unset", json!([])).await;
        let registered = |name| {
            let alarms = store.alarms().unwrap();
            alarms.into_iter().find(|(key, _)| *key == AgentKey::new("bell", name)).map(|(_, at)| at)
        };
        super::support::until(|| registered("last").is_none()).await;
        assert_eq!(registered("a"), Some(4_000_000_000_000));
    }
    node.shutdown(seconds(5)).await;
}
