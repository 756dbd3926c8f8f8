//! Orders from outside an agent, limits of what may wait, and what becomes of runs that were given up.

use std::{
    any::TypeId,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hostel::{
    AgentId, BoxFuture, Cx, Error, Order, Result, Retry, Schedule, ScheduleId, ScheduleKind, retry, retry_when,
};
use hostel_core::errand::{Errand, Failure};
use hostel_macros::agent;
use hostel_protocol::refusal::Code;
use hostel_runtime::{Node, NodeBuilder, Options};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::support::{Blocking, Client, Disk, TestClock, memory, on_disk, sleepy, until_asleep};

#[derive(Default, Serialize, Deserialize)]
struct Post {
    delivered: Vec<String>,
}

/// Whether letters can be delivered.
#[derive(Default)]
struct Road(AtomicBool);

#[agent]
impl Post {
    #[task]
    fn deliver(&mut self, cx: &Cx<Self>, to: String) -> Result<()> {
        if !cx.env::<Road>()?.0.load(Ordering::SeqCst) && to != "neighbour" {
            return Err(Error::msg("the road is closed"));
        }
        self.delivered.push(to);
        Ok(())
    }

    #[callable]
    fn post(&self, cx: &Cx<Self>, to: String, any_order: bool) -> Result<ScheduleId> {
        let run = cx.tasks().deliver(to).retry(Retry::ONCE);
        if any_order { run.in_any_order().now() } else { run.now() }
    }

    #[callable]
    fn every(&self, cx: &Cx<Self>, to: String) -> Result<ScheduleId> {
        cx.tasks().deliver(to).retry(Retry::ONCE).every(Duration::from_secs(60))
    }

    #[callable]
    fn letters(&self, cx: &Cx<Self>) -> Result<Value> {
        Ok(json!(cx.dead_letters()?))
    }

    #[callable]
    fn again(&self, cx: &Cx<Self>, id: ScheduleId, to: Option<String>) -> Result<bool> {
        match to {
            Some(to) => cx.retry_with(&id, &(to,)),
            None => cx.retry(&id),
        }
    }

    #[callable]
    fn again_with(&self, cx: &Cx<Self>, id: ScheduleId, args: Value) -> Result<bool> {
        cx.retry_with(&id, &args)
    }

    #[callable]
    fn discard(&self, cx: &Cx<Self>, id: ScheduleId) -> Result<bool> {
        cx.discard(&id)
    }

    #[callable]
    fn delivered(&self) -> Vec<String> {
        self.delivered.clone()
    }

    #[callable]
    async fn persist(cx: &Cx<Self>, succeed_at: u32, give_up_at: u32) -> Result<u32> {
        let policy = Retry { attempts: 5, ..Retry::default() };
        let again = |_: &Error, next: u32| next != give_up_at;
        retry_when(cx, policy, again, |attempt| async move {
            if attempt < succeed_at { Err(Error::msg(format!("not at {attempt}"))) } else { Ok(attempt) }
        })
        .await
    }

    #[callable]
    async fn never(cx: &Cx<Self>) -> Result<u32> {
        retry(cx, Retry { attempts: 0, ..Retry::default() }, |attempt| async move { Ok(attempt) }).await
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn office() -> AgentId {
    AgentId::new("Post", "a")
}

async fn start(builder: NodeBuilder) -> (Node, Arc<Road>) {
    let road = Arc::new(Road::default());
    let builder = builder.agent::<Post>().unwrap().clock(TestClock::new()).env_arc(TypeId::of::<Road>(), road.clone());
    (builder.start().await.unwrap(), road)
}

fn to(name: &str) -> Order {
    Order { retry: Retry::ONCE, ..Order::new("deliver", &(name,)).unwrap() }
}

#[tokio::test(start_paused = true)]
async fn an_order_from_outside_wakes_the_agent_and_is_kept_once_for_each_key() {
    let (node, road) = start(memory().options(sleepy())).await;
    road.0.store(true, Ordering::SeqCst);
    let first = node.order(&office(), to("london"), Some("delivery-1")).await.unwrap();
    tokio::time::sleep(seconds(1)).await;
    assert!(node.schedules(&office()).await.unwrap().is_empty(), "it is done");
    assert_eq!(node.order(&office(), to("london"), Some("delivery-1")).await.unwrap(), first, "the id of the first");
    assert_eq!(node.order(&office(), to("rome"), Some("delivery-1")).await.unwrap(), first, "whatever else it says");
    node.order(&office(), to("paris"), None).await.unwrap();
    tokio::time::sleep(seconds(1)).await;
    let mut client = Client::greeted(&node, "Post", "a").await;
    assert_eq!(client.result("delivered", json!([])).await, json!(["london", "paris"]));
    let unknown = Order::new("delver", &("x",)).unwrap();
    let error = node.order(&office(), unknown, None).await.unwrap_err();
    assert_eq!((error.code(), error.fix()), (Some(Code::TaskUnknown), Some("did you mean \"deliver\"?")));
}

#[tokio::test(start_paused = true)]
async fn as_many_runs_that_were_given_up_are_kept_as_was_said() {
    let options = Options { dead_letters: 2, ..Options::default() };
    let (node, _) = start(memory().options(options)).await;
    for name in ["london", "paris", "rome"] {
        node.order(&office(), to(name), None).await.unwrap();
        tokio::time::sleep(seconds(1)).await;
    }
    let letters = node.dead_letters(&office()).await.unwrap();
    assert_eq!(letters.iter().map(|letter| letter.args.get()).collect::<Vec<_>>(), [r#"["rome"]"#, r#"["paris"]"#]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_limited_in_number_and_size() {
    let options = Options { orders: 2, order_bytes: 20, ..Options::default() };
    let (node, _) = start(memory().options(options)).await;
    let later = |name: &str| Order { when: Some(hostel::When::After(seconds(60))), ..to(name) };
    for name in ["london", "paris"] {
        node.order(&office(), later(name), None).await.unwrap();
    }
    let full = node.order(&office(), to("rome"), None).await.unwrap_err();
    assert_eq!(full.code(), Some(Code::QueueFull));
    let large = node.order(&office(), to("a name of many letters"), None).await.unwrap_err();
    assert_eq!(large.code(), Some(Code::TaskTooLarge));
    let senseless = Order { retry: Retry { attempts: 0, ..Retry::default() }, ..to("x") };
    let senseless = node.order(&office(), senseless, None).await.unwrap_err();
    assert_eq!(senseless.message(), "retry.maxAttempts must be >= 1");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_given_up_can_be_looked_at_mended_and_run_again() {
    let (node, road) = start(memory()).await;
    let mut client = Client::greeted(&node, "Post", "a").await;
    let id = client.result("post", json!(["london", false])).await;
    tokio::time::sleep(seconds(1)).await;
    let letter = client.result("letters", json!([])).await[0].clone();
    assert_eq!(
        (&letter["id"], &letter["callback"], &letter["payload"], &letter["args"], &letter["type"]),
        (&id, &json!("deliver"), &json!("london"), &json!(["london"]), &json!("queued"))
    );
    assert_eq!(
        (&letter["attempts"], &letter["code"], &letter["reason"]),
        (&json!(1), &json!("task_failed"), &json!("the road is closed"))
    );
    assert_eq!(client.result("again", json!([id, null])).await, true);
    assert_eq!(client.result("again", json!([id, null])).await, false, "its letter is gone");
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(client.result("letters", json!([])).await.as_array().unwrap().len(), 1, "it failed again");
    let refused = client.failure("againWith", json!([id, {"to": "neighbour"}])).await;
    assert_eq!(refused["code"], "invalid_arguments");
    assert_eq!(client.result("again", json!([id, "neighbour"])).await, true);
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(client.result("delivered", json!([])).await, json!(["neighbour"]));
    client.result("post", json!(["rome", false])).await;
    tokio::time::sleep(seconds(1)).await;
    let id = client.result("letters", json!([])).await[0]["id"].clone();
    assert_eq!(client.result("discard", json!([id])).await, true);
    assert_eq!(client.result("discard", json!([id])).await, false);
    road.0.store(true, Ordering::SeqCst);
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(client.result("delivered", json!([])).await, json!(["neighbour"]));
}

#[tokio::test(start_paused = true)]
async fn each_run_of_a_schedule_that_fails_has_a_letter_of_its_own_and_is_run_again_alone() {
    let (node, road) = start(memory()).await;
    let mut client = Client::greeted(&node, "Post", "a").await;
    let schedule = client.result("every", json!(["london"])).await;
    tokio::time::sleep(seconds(125)).await;
    let letters = node.dead_letters(&office()).await.unwrap();
    assert_eq!(letters.len(), 2);
    assert_ne!(letters[0].id, letters[1].id);
    assert!(letters[0].id.as_str().starts_with(schedule.as_str().unwrap()) && letters[0].at > letters[1].at);
    road.0.store(true, Ordering::SeqCst);
    node.retry_dead_letter(&office(), &letters[1].id, None).await.unwrap();
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(client.result("delivered", json!([])).await, json!(["london"]));
    let waits = node.schedules(&office()).await.unwrap();
    assert_eq!(waits.iter().map(Schedule::kind).collect::<Vec<_>>(), [ScheduleKind::Interval], "it goes on as before");
    assert_eq!(node.dead_letters(&office()).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn operators_look_at_an_agent_that_sleeps_without_waking_it() {
    let dir = tempfile::tempdir().unwrap();
    let (node, _) = start(on_disk(&dir).durability(Blocking).options(sleepy())).await;
    let mut client = Client::greeted(&node, "Post", "a").await;
    client.result("post", json!(["london", false])).await;
    let id = client.result("every", json!(["paris"])).await;
    tokio::time::sleep(seconds(1)).await;
    client.leave();
    until_asleep(&node).await;
    let (waits, letters) = (node.schedules(&office()).await.unwrap(), node.dead_letters(&office()).await.unwrap());
    assert_eq!((waits.len(), waits[0].id.as_str(), letters.len()), (1, id.as_str().unwrap(), 1));
    assert_eq!(super::support::awake(&node).await, 0);
    node.cancel_schedule(&office(), &waits[0].id).await.unwrap();
    let gone = node.cancel_schedule(&office(), &waits[0].id).await.unwrap_err();
    assert_eq!(gone.code(), Some(Code::RunUnknown));
    node.discard_dead_letter(&office(), &letters[0].id).await.unwrap();
    let nobody = node.schedules(&AgentId::new("Post", "nobody")).await.unwrap_err();
    assert_eq!(nobody.code(), Some(Code::AgentNotFound));
}

#[tokio::test(start_paused = true)]
async fn work_is_tried_again_until_it_succeeds_or_whoever_asked_has_enough() {
    let (node, _) = start(memory()).await;
    let mut client = Client::greeted(&node, "Post", "a").await;
    assert_eq!(client.result("persist", json!([3, 0])).await, 3);
    assert_eq!(client.failure("persist", json!([9, 0])).await["error"], "not at 5");
    assert_eq!(client.failure("persist", json!([9, 3])).await["error"], "not at 2");
    assert_eq!(client.failure("never", json!([])).await["error"], "retry.maxAttempts must be >= 1");
}

/// An errand that notes whether the disk was held when it was done.
#[derive(Debug, Default)]
struct Courier {
    held: AtomicBool,
    left_early: AtomicBool,
    left: AtomicBool,
}

impl Errand for Courier {
    fn name(&self) -> &'static str {
        "test:courier"
    }

    fn timeout(&self) -> Duration {
        seconds(10)
    }

    fn run(&self, _: AgentId, _: String) -> BoxFuture<Result<(), Failure>> {
        self.left_early.store(self.held.load(Ordering::SeqCst), Ordering::SeqCst);
        self.left.store(true, Ordering::SeqCst);
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_errand_does_not_begin_before_the_turn_that_ordered_it_is_durable() {
    let (disk, courier) = (Disk::new(), Arc::new(Courier::default()));
    let options = Options { errands: vec![courier.clone()], ..Options::default() };
    let (node, _) = start(memory().durability(disk.clone()).options(options)).await;
    let _client = Client::greeted(&node, "Post", "a").await;
    let (held, before) = (disk.hold(), disk.begun());
    courier.held.store(true, Ordering::SeqCst);
    let order = tokio::spawn({
        let node = node.clone();
        async move { node.order(&office(), Order::new("test:courier", &()).unwrap(), None).await }
    });
    super::support::until(|| disk.begun() > before).await;
    // Chances to leave too early.
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    courier.held.store(false, Ordering::SeqCst);
    drop(held);
    order.await.unwrap().unwrap();
    super::support::until(|| courier.left.load(Ordering::SeqCst)).await;
    assert!(!courier.left_early.load(Ordering::SeqCst));
}
