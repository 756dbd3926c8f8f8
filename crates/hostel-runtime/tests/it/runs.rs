//! Durable runs: steps that are done once, waits that need no memory, and what becomes of a run.

use std::{
    any::TypeId,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hostel::{
    AgentId, Answer, BoxFuture, Cx, Decision, Error, Result, Retry, RunId, RunInfo, RunQuery, RunStatus, Started,
    UncertainStep, Verdict,
    run::{RunAnswer, RunAsk},
};
use hostel_macros::agent;
use hostel_runtime::{Clock, Node, NodeBuilder, Options};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::support::{Blocking, Client, TestClock, memory, on_disk, sleepy, until, until_asleep};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Default, Serialize, Deserialize)]
struct Shop {
    count: u32,
    ended: Vec<String>,
    verdict: Option<String>,
}

/// A clock that runs an hour in a second of tokio's.
#[derive(Debug, Clone, Copy)]
struct FastClock(TestClock);

const FASTER: u32 = 3_600;

impl Clock for FastClock {
    fn now(&self) -> jiff::Timestamp {
        let begun: jiff::Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let elapsed = Duration::try_from(self.0.now().duration_since(begun)).unwrap();
        begun + elapsed * FASTER
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        self.0.sleep(duration / FASTER)
    }
}

fn fast() -> FastClock {
    FastClock(TestClock::new())
}

/// Lets this much time of the fast clock pass.
async fn pass(duration: Duration) {
    tokio::time::sleep(duration / FASTER).await;
}

/// The world outside: what was done in it, and what it is told to do.
#[derive(Default)]
struct World {
    done: Mutex<Vec<String>>,
    failures: AtomicUsize,
    /// The steps of these names never end.
    stuck: Mutex<Vec<String>>,
    /// What the code of another version calls its steps.
    renamed: Mutex<bool>,
    begun: Notify,
}

impl World {
    fn note(&self, what: impl Into<String>) {
        self.done.lock().push(what.into());
    }

    fn done(&self) -> Vec<String> {
        self.done.lock().clone()
    }

    async fn act(&self, what: &str) -> Result<String> {
        self.note(what);
        self.begun.notify_one();
        if self.stuck.lock().iter().any(|stuck| stuck == what) {
            std::future::pending::<()>().await;
        }
        if self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(Error::msg("not now"));
        }
        Ok(format!("{what} done"))
    }
}

#[agent]
impl Shop {
    /// Three steps, of which one is a turn.
    #[task]
    async fn order(cx: &Cx<Self>, item: String) -> Result<String> {
        let world = cx.env::<World>()?;
        let first = if *world.renamed.lock() { "refund" } else { "charge" };
        let receipt: String = cx.step(first, || async { world.act("charge").await }).await?;
        let number = cx.step_turn("count", |me| {
            me.count += 1;
            me.count
        })?;
        let sent = cx.step("ship", || async { world.act("ship").await }).repeatable().await?;
        Ok(format!("{item}: {receipt}, number {number}, {sent}"))
    }

    /// Waits for days, then for somebody.
    #[task]
    async fn slow(cx: &Cx<Self>) -> Result<String> {
        let world = cx.env::<World>()?;
        cx.progress(&json!({"at": "start"}))?;
        cx.step("before", || async { world.act("before").await }).await?;
        cx.pause("think", 3 * DAY).await?;
        cx.progress(&json!({"at": "awake"}))?;
        let paid: Option<u64> = cx.wait_for("paid", 2 * DAY).await?;
        let decision = cx.approval("ship", &json!({"paid": paid}), 7 * DAY).await?;
        if let Decision::Expired = decision {
            return Ok("expired".to_owned());
        }
        let answer = decision.approved()?;
        cx.step("after", || async { world.act("after").await }).await?;
        Ok(format!("{paid:?} by {}", answer.by.unwrap_or_default()))
    }

    /// Keeps what it has seen in what it has put aside.
    #[task]
    async fn steady(cx: &Cx<Self>) -> Result<u32> {
        let before: u32 = cx.stashed()?.unwrap_or(0);
        cx.stash(&(before + 1))?;
        let world = cx.env::<World>()?;
        cx.step("work", || async { world.act("work").await }).repeatable().await?;
        Ok(before)
    }

    #[task]
    async fn hangs(cx: &Cx<Self>, repeatable: bool) -> Result<()> {
        let world = cx.env::<World>()?;
        let step = cx.step("hang", || async { world.act("hang").await }).timeout(Duration::from_secs(5));
        let step = if repeatable { step.repeatable() } else { step };
        step.await.map(drop)
    }

    #[task]
    async fn both(cx: &Cx<Self>) -> Result<Vec<String>> {
        let world = cx.env::<World>()?;
        let side = |name: &'static str| {
            let world = Arc::clone(&world);
            cx.branch(name, async move {
                let first = cx.step("first", || world.act(name)).repeatable().await?;
                cx.pause("rest", DAY).await?;
                cx.step("second", || async { world.act("second").await }).repeatable().await?;
                Ok::<_, Error>(first)
            })
        };
        let (left, right) = tokio::try_join!(side("left"), side("right"))?;
        Ok(vec![left, right])
    }

    #[task]
    async fn nested(cx: &Cx<Self>) -> Result<()> {
        let inner = cx.clone();
        cx.step("outer", || async move { inner.step("inner", || async { Ok(1) }).await }).await.map(drop)
    }

    #[callable]
    fn start(&self, cx: &Cx<Self>, task: String, key: Option<String>) -> Result<Started> {
        let run = match task.as_str() {
            "order" => cx.tasks().order("book".to_owned()),
            "slow" => cx.tasks().slow(),
            "steady" => cx.tasks().steady(),
            "hangs" => cx.tasks().hangs(false),
            "hangsRepeatable" => cx.tasks().hangs(true),
            "both" => cx.tasks().both(),
            _ => cx.tasks().nested(),
        };
        let run = run.retry(Retry { attempts: 2, ..Retry::default() });
        if let Some(key) = key { run.key(key).start() } else { run.start() }
    }

    #[callable]
    fn later(&self, cx: &Cx<Self>) -> Result<RunId> {
        cx.tasks().order("book".to_owned()).after(Duration::from_secs(60)).map(Into::into)
    }

    #[callable]
    fn pay(&self, cx: &Cx<Self>, id: RunId, amount: u64) -> Result<()> {
        cx.runs().send(&id, "paid", &amount)
    }

    #[callable]
    fn cancel_and_fail(&self, cx: &Cx<Self>, id: RunId) -> Result<()> {
        cx.runs().cancel(&id, None)?;
        Err(Error::msg("never mind"))
    }

    #[callable]
    fn set_verdict(&mut self, verdict: String) {
        self.verdict = Some(verdict);
    }

    #[callable]
    fn ended(&self) -> Vec<String> {
        self.ended.clone()
    }

    fn on_run_ended(&mut self, run: &RunInfo) {
        let charged = if run.has_done("charge") { " charged" } else { "" };
        self.ended.push(format!("{} {}{charged}", run.task, run.status.as_str()));
    }

    fn on_step_uncertain(&self, step: &UncertainStep) -> Result<Verdict> {
        match self.verdict.as_deref() {
            Some("again") => Ok(Verdict::Again),
            Some("done") => Verdict::done(&format!("{} was found", step.step.name)),
            _ => Ok(Verdict::Ask),
        }
    }
}

/// Does something again and again.
#[derive(Default, Serialize, Deserialize)]
struct Bell {
    rung: u32,
}

#[agent]
impl Bell {
    #[task(every = "1h")]
    async fn hourly(cx: &Cx<Self>) -> Result<()> {
        cx.env::<World>()?.note(cx.stash(&1).unwrap_err().label().unwrap_or_default());
        Ok(())
    }

    #[callable]
    fn ring(&mut self) {
        self.rung += 1;
    }
}

async fn start(builder: NodeBuilder, world: &Arc<World>) -> Node {
    let builder = builder
        .agent::<Shop>()
        .unwrap()
        .agent::<Bell>()
        .unwrap()
        .env_arc(TypeId::of::<World>(), Arc::clone(world) as _);
    builder.start().await.unwrap()
}

async fn fresh() -> (Node, Arc<World>, Client) {
    by(TestClock::new()).await
}

async fn by(clock: impl Clock) -> (Node, Arc<World>, Client) {
    let world = Arc::new(World::default());
    let node = start(memory().clock(clock), &world).await;
    let client = Client::greeted(&node, "Shop", "a").await;
    (node, world, client)
}

fn shop() -> AgentId {
    AgentId::new("Shop", "a")
}

async fn begin(client: &mut Client, task: &str) -> RunId {
    let started: Started = serde_json::from_value(client.result("start", json!([task, null])).await).unwrap();
    assert!(started.accepted);
    started.id
}

async fn ask(node: &Node, ask: RunAsk) -> Result<RunInfo> {
    match node.runs(&shop(), ask).await? {
        RunAnswer::Run(run) => Ok(*run.expect("the run is there")),
        other => panic!("{other:?}"),
    }
}

async fn see(node: &Node, id: &RunId) -> RunInfo {
    ask(node, RunAsk::Get(id.clone())).await.unwrap()
}

async fn until_it_is(node: &Node, id: &RunId, status: RunStatus) -> RunInfo {
    for _ in 0..3_000 {
        let run = see(node, id).await;
        if run.status == status {
            return run;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it is {:?}", see(node, id).await)
}

fn result(run: &RunInfo) -> Value {
    run.result.as_deref().map_or(Value::Null, |json| serde_json::from_str(json.get()).unwrap())
}

async fn code<T: std::fmt::Debug>(outcome: impl Future<Output = Result<T>>) -> String {
    outcome.await.unwrap_err().label().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_run_does_its_steps_once_and_keeps_its_result() {
    let (node, world, mut client) = fresh().await;
    let id = begin(&mut client, "order").await;
    let run = until_it_is(&node, &id, RunStatus::Completed).await;
    assert_eq!(result(&run), "book: charge done, number 1, ship done");
    assert_eq!(world.done(), ["charge", "ship"]);
    let steps: Vec<_> = run.steps.iter().map(|step| (step.name.as_str(), step.kind.as_str())).collect();
    assert_eq!(steps, [("charge", "step"), ("count", "turn"), ("ship", "step")]);
    assert_eq!(client.result("ended", json!([])).await, json!(["order completed charged"]));
}

#[tokio::test(start_paused = true)]
async fn a_failed_step_is_done_again_and_those_before_it_are_not() {
    let (node, world, mut client) = fresh().await;
    world.stuck.lock().push("ship".to_owned());
    let id = begin(&mut client, "order").await;
    until(|| world.done() == ["charge", "ship"]).await;
    world.stuck.lock().clear();
    // The attempt takes too long.
    tokio::time::sleep(Duration::from_secs(16 * 60)).await;
    let run = until_it_is(&node, &id, RunStatus::Completed).await;
    assert_eq!(result(&run), "book: charge done, number 1, ship done");
    assert_eq!(world.done(), ["charge", "ship", "ship"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_keeps_failing_ends_with_its_reason_and_can_be_resumed_where_it_was() {
    let (node, world, mut client) = fresh().await;
    world.failures.store(99, Ordering::SeqCst);
    let id = begin(&mut client, "order").await;
    let run = until_it_is(&node, &id, RunStatus::Failed).await;
    assert_eq!((run.code.as_deref(), run.error.as_deref()), (Some("task_failed"), Some("not now")));
    assert_eq!(world.done(), ["charge", "charge"], "two attempts");
    world.failures.store(0, Ordering::SeqCst);
    ask(&node, RunAsk::Resume(id.clone())).await.unwrap();
    until_it_is(&node, &id, RunStatus::Completed).await;
    assert_eq!(world.done(), ["charge", "charge", "charge", "ship"]);
    assert_eq!(client.result("ended", json!([])).await, json!(["order failed", "order completed charged"]));
    assert_eq!(code(ask(&node, RunAsk::Resume(id.clone()))).await, "run_over");
    ask(&node, RunAsk::Restart(id.clone())).await.unwrap();
    until_it_is(&node, &id, RunStatus::Completed).await;
    assert_eq!(world.done().len(), 6, "all over again");
}

#[tokio::test(start_paused = true)]
async fn days_pass_without_memory_events_and_answers_come_and_the_code_goes_on() {
    let world = Arc::new(World::default());
    let dir = tempfile::tempdir().unwrap();
    let clock = fast();
    let node = start(on_disk(&dir).durability(Blocking).clock(clock).options(sleepy()), &world).await;
    let mut client = Client::greeted(&node, "Shop", "a").await;
    let id = begin(&mut client, "slow").await;
    let told = client.until_type("progress").await;
    assert_eq!((&told["workflowName"], &told["progress"]), (&json!("slow"), &json!({"at": "start"})));
    client.leave();
    until_asleep(&node).await;
    let run = see(&node, &id).await;
    assert_eq!((run.status, run.wakes_at.is_some()), (RunStatus::Waiting, true));
    node.shutdown(Duration::ZERO).await;
    drop(node);
    let node = start(on_disk(&dir).durability(Blocking).clock(clock).options(sleepy()), &world).await;
    pass(3 * DAY).await;
    until_asleep(&node).await;
    let run = see(&node, &id).await;
    assert_eq!(serde_json::from_str::<Value>(run.progress.as_deref().unwrap().get()).unwrap(), json!({"at": "awake"}));
    let mut client = Client::greeted(&node, "Shop", "a").await;
    client.result("pay", json!([id, 17])).await;
    until(|| !world.done().is_empty()).await;
    let answer = |who: &str, yes: bool| {
        let answer = Answer { approved: yes, by: Some(who.to_owned()), reason: None };
        let (node, ask) = (node.clone(), RunAsk::Answer(id.clone(), "ship".to_owned(), answer));
        async move { node.runs(&shop(), ask).await }
    };
    until_step(&node, &id, "approval").await;
    let RunAnswer::Answered(first) = answer("ann", true).await.unwrap() else { panic!() };
    let RunAnswer::Answered(second) = answer("bob", false).await.unwrap() else { panic!() };
    assert!(first.accepted && !second.accepted);
    assert_eq!(second.answer, Answer::approve().by("ann"));
    let run = until_it_is(&node, &id, RunStatus::Completed).await;
    assert_eq!(result(&run), "Some(17) by ann");
    assert_eq!(world.done(), ["before", "after"]);
}

async fn until_step(node: &Node, id: &RunId, kind: &str) {
    for _ in 0..3_000 {
        if see(node, id).await.steps.iter().any(|step| step.kind == kind) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not get there");
}

#[tokio::test(start_paused = true)]
async fn what_is_waited_for_in_vain_expires_and_what_came_early_is_kept() {
    let (node, _, mut client) = by(fast()).await;
    let id = begin(&mut client, "slow").await;
    client.result("pay", json!([id, 1])).await;
    client.result("pay", json!([id, 2])).await;
    pass(3 * DAY + Duration::from_secs(1)).await;
    let run = see(&node, &id).await;
    let approval = run.steps.last().unwrap();
    assert_eq!(approval.payload.as_deref().unwrap().get(), r#"{"paid":1}"#, "the first that was sent");
    pass(8 * DAY).await;
    assert_eq!(result(&see(&node, &id).await), "expired");
    let late = RunAsk::Answer(id.clone(), "ship".to_owned(), Answer::approve());
    assert_eq!(code(node.runs(&shop(), late)).await, "not_asked");
    assert_eq!(code(node.runs(&shop(), RunAsk::Send(id, "paid".to_owned(), "1".to_owned()))).await, "run_over");
}

#[tokio::test(start_paused = true)]
async fn a_denied_request_ends_the_run_with_who_and_why() {
    let (node, world, mut client) = by(fast()).await;
    let id = begin(&mut client, "slow").await;
    pass(6 * DAY).await;
    let answer = Answer::deny().by("ann").reason("too much");
    node.runs(&shop(), RunAsk::Answer(id.clone(), "ship".to_owned(), answer)).await.unwrap();
    let run = until_it_is(&node, &id, RunStatus::Failed).await;
    assert_eq!(
        (run.code.as_deref(), run.error.as_deref()),
        (Some("not_approved"), Some("It was denied by ann: too much."))
    );
    assert_eq!(world.done(), ["before"]);
}

#[tokio::test(start_paused = true)]
async fn a_key_has_one_run_and_a_failed_turn_has_none() {
    let (node, _, mut client) = fresh().await;
    let first = client.result("start", json!(["slow", "k"])).await;
    let second = client.result("start", json!(["slow", "k"])).await;
    assert_eq!((&second["id"], &second["accepted"]), (&first["id"], &json!(false)));
    assert_eq!(client.failure("start", json!(["order", "k"])).await["code"], "idempotency_conflict");
    let id = RunId::new(first["id"].as_str().unwrap());
    client.failure("cancelAndFail", json!([id])).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(see(&node, &id).await.status, RunStatus::Waiting, "the turn that ended it was undone");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_ended_stops_at_its_next_wait_and_its_class_hears_what_was_done() {
    let (node, world, mut client) = fresh().await;
    world.stuck.lock().push("ship".to_owned());
    let id = begin(&mut client, "order").await;
    until(|| world.done() == ["charge", "ship"]).await;
    let run = ask(&node, RunAsk::Cancel(id.clone(), Some("changed my mind".to_owned()))).await.unwrap();
    assert_eq!((run.status, run.error.as_deref()), (RunStatus::Cancelled, Some("changed my mind")));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(client.result("ended", json!([])).await, json!(["order cancelled charged"]));
    assert_eq!(code(ask(&node, RunAsk::Cancel(id.clone(), None))).await, "run_over");
    node.runs(&shop(), RunAsk::Delete(id.clone())).await.unwrap();
    assert_eq!(code(ask(&node, RunAsk::Cancel(id, None))).await, "run_unknown");
}

#[tokio::test(start_paused = true)]
async fn a_paused_run_stops_before_its_next_step_and_goes_on_when_it_is_resumed() {
    let (node, world, mut client) = by(fast()).await;
    let id = begin(&mut client, "slow").await;
    until_it_is(&node, &id, RunStatus::Waiting).await;
    ask(&node, RunAsk::Pause(id.clone())).await.unwrap();
    client.result("pay", json!([id, 5])).await;
    pass(10 * DAY).await;
    assert_eq!(see(&node, &id).await.status, RunStatus::Paused);
    ask(&node, RunAsk::Resume(id.clone())).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let approval = RunAsk::Answer(id.clone(), "ship".to_owned(), Answer::approve());
    node.runs(&shop(), approval).await.unwrap();
    let run = until_it_is(&node, &id, RunStatus::Completed).await;
    assert_eq!(result(&run), "Some(5) by ");
    assert_eq!(world.done(), ["before", "after"]);
}

#[tokio::test(start_paused = true)]
async fn a_hung_step_is_broken_off_and_asks_unless_it_is_repeatable() {
    let (node, world, mut client) = fresh().await;
    world.stuck.lock().push("hang".to_owned());
    let id = begin(&mut client, "hangsRepeatable").await;
    let run = until_it_is(&node, &id, RunStatus::Failed).await;
    assert_eq!((run.code.as_deref(), world.done().len()), (Some("step_timeout"), 2));
    let id = begin(&mut client, "hangs").await;
    let run = until_it_is(&node, &id, RunStatus::Uncertain).await;
    assert!(run.error.as_deref().unwrap().contains("did not end within 5s"), "{run:?}");
    assert_eq!(code(ask(&node, RunAsk::Resume(id.clone()))).await, "run_busy");
    ask(&node, RunAsk::Resolve(id.clone(), Verdict::Fail("it was not".to_owned()))).await.unwrap();
    assert_eq!(see(&node, &id).await.error.as_deref(), Some("it was not"));
    assert_eq!(code(ask(&node, RunAsk::Resolve(id, Verdict::Again))).await, "not_asked");
}

/// A node that is dropped while the first step is under way, and what the next one makes of it.
async fn broken_off(verdict: Option<&str>) -> (tempfile::TempDir, Arc<World>, RunId, Node) {
    let (world, clock) = (Arc::new(World::default()), TestClock::new());
    let dir = tempfile::tempdir().unwrap();
    let node = start(on_disk(&dir).durability(Blocking).clock(clock), &world).await;
    let mut client = Client::greeted(&node, "Shop", "a").await;
    if let Some(verdict) = verdict {
        client.result("setVerdict", json!([verdict])).await;
    }
    world.stuck.lock().push("charge".to_owned());
    let id = begin(&mut client, "order").await;
    until(|| world.done() == ["charge"]).await;
    node.shutdown(Duration::ZERO).await;
    drop((client, node));
    world.stuck.lock().clear();
    let node = start(on_disk(&dir).durability(Blocking).clock(clock), &world).await;
    (dir, world, id, node)
}

#[tokio::test(start_paused = true)]
async fn a_step_that_was_under_way_is_asked_about_and_whoever_knows_says_so() {
    let (_dir, world, id, node) = broken_off(None).await;
    let run = until_it_is(&node, &id, RunStatus::Uncertain).await;
    assert_eq!((run.code.as_deref(), world.done().len()), (Some("step_uncertain"), 1));
    let verdict = Verdict::done(&"found").unwrap();
    ask(&node, RunAsk::Resolve(id.clone(), verdict)).await.unwrap();
    let run = until_it_is(&node, &id, RunStatus::Completed).await;
    assert_eq!(result(&run), "book: found, number 1, ship done");
    assert_eq!(world.done(), ["charge", "ship"]);
}

#[tokio::test(start_paused = true)]
async fn a_class_that_knows_what_became_of_a_step_is_asked_first() {
    let (_dir, world, id, node) = broken_off(Some("again")).await;
    until_it_is(&node, &id, RunStatus::Completed).await;
    assert_eq!(world.done(), ["charge", "charge", "ship"]);
    let (_dir, world, id, node) = broken_off(Some("done")).await;
    let run = until_it_is(&node, &id, RunStatus::Completed).await;
    assert_eq!(result(&run), "book: charge was found, number 1, ship done");
    assert_eq!(world.done(), ["charge", "ship"]);
}

#[tokio::test(start_paused = true)]
async fn code_that_comes_to_another_step_than_before_is_stopped_and_told_what_changed() {
    let (node, world, mut client) = fresh().await;
    world.stuck.lock().push("ship".to_owned());
    let id = begin(&mut client, "order").await;
    until(|| world.done() == ["charge", "ship"]).await;
    *world.renamed.lock() = true;
    world.stuck.lock().clear();
    tokio::time::sleep(Duration::from_secs(16 * 60)).await;
    let run = until_it_is(&node, &id, RunStatus::Failed).await;
    assert_eq!(run.code.as_deref(), Some("step_mismatch"));
    let error = run.error.unwrap();
    assert!(
        error.contains("\"charge\"") && error.contains("\"refund\"") && error.contains("restart the run"),
        "{error}"
    );
    *world.renamed.lock() = false;
    ask(&node, RunAsk::Resume(id.clone())).await.unwrap();
    until_it_is(&node, &id, RunStatus::Completed).await;
    assert_eq!(world.done(), ["charge", "ship", "ship"]);
}

#[tokio::test(start_paused = true)]
async fn branches_count_their_own_steps_and_leave_memory_together() {
    let (node, world, mut client) = by(fast()).await;
    let id = begin(&mut client, "both").await;
    until_it_is(&node, &id, RunStatus::Waiting).await;
    pass(DAY + Duration::from_secs(1)).await;
    let run = until_it_is(&node, &id, RunStatus::Completed).await;
    assert_eq!(result(&run), json!(["left done", "right done"]));
    assert_eq!(world.done(), ["left", "right", "second", "second"]);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_was_ordered_once_becomes_a_run_with_its_first_step() {
    let (node, world, mut client) = fresh().await;
    let id: RunId = serde_json::from_value(client.result("later", json!([])).await).unwrap();
    assert!(matches!(node.runs(&shop(), RunAsk::Get(id.clone())).await.unwrap(), RunAnswer::Run(None)));
    tokio::time::sleep(Duration::from_secs(61)).await;
    let run = until_it_is(&node, &id, RunStatus::Completed).await;
    assert_eq!((run.task.as_ref(), world.done().len()), ("order", 2));
    assert!(node.schedules(&shop()).await.unwrap().iter().all(|schedule| schedule.id.as_str() != id.as_str()));
}

#[tokio::test(start_paused = true)]
async fn what_is_put_aside_is_there_when_the_code_is_run_again() {
    let (node, world, mut client) = fresh().await;
    world.failures.store(1, Ordering::SeqCst);
    let id = begin(&mut client, "steady").await;
    let run = until_it_is(&node, &id, RunStatus::Completed).await;
    assert_eq!(result(&run), 1, "it was run before");
}

#[tokio::test(start_paused = true)]
async fn a_step_in_a_step_and_steps_of_what_repeats_are_refused() {
    let (node, world, mut client) = fresh().await;
    let id = begin(&mut client, "nested").await;
    assert_eq!(until_it_is(&node, &id, RunStatus::Failed).await.code.as_deref(), Some("step_nested"));
    Client::greeted(&node, "Bell", "a").await.result("ring", json!([])).await;
    tokio::time::sleep(Duration::from_secs(3601)).await;
    assert_eq!(world.done(), ["not_a_run"]);
}

#[tokio::test(start_paused = true)]
async fn runs_are_listed_newest_first_by_status_and_forgotten_after_their_time() {
    let world = Arc::new(World::default());
    let options = Options { run_retention: DAY, steps_per_run: 2, ..Options::default() };
    let node = start(memory().clock(fast()).options(options), &world).await;
    let mut client = Client::greeted(&node, "Shop", "a").await;
    let first = begin(&mut client, "steady").await;
    let second = begin(&mut client, "steady").await;
    until_it_is(&node, &second, RunStatus::Completed).await;
    let full = begin(&mut client, "order").await;
    assert_eq!(until_it_is(&node, &full, RunStatus::Failed).await.code.as_deref(), Some("too_many_steps"));
    let list = |status: Option<RunStatus>, limit| {
        let (node, ask) = (node.clone(), RunAsk::List(RunQuery { status, limit, ..RunQuery::default() }));
        async move { node.runs(&shop(), ask).await }
    };
    let RunAnswer::Page(page) = list(None, Some(2)).await.unwrap() else { panic!() };
    let ids: Vec<_> = page.runs.iter().map(|run| run.id.clone()).collect();
    assert_eq!(ids, [full.clone(), second.clone()]);
    assert_eq!(page.next, Some(page.runs[1].number));
    let RunAnswer::Page(page) = list(Some(RunStatus::Completed), None).await.unwrap() else { panic!() };
    assert_eq!(page.runs.iter().map(|run| run.id.clone()).collect::<Vec<_>>(), [second, first]);
    pass(2 * DAY).await;
    let last = begin(&mut client, "steady").await;
    let RunAnswer::Page(page) = list(None, None).await.unwrap() else { panic!() };
    assert_eq!(page.runs.iter().map(|run| run.id.clone()).collect::<Vec<_>>(), [last]);
}

#[tokio::test]
async fn a_fork_and_an_agent_that_was_put_back_hold_their_runs() {
    let (world, dir) = (Arc::new(World::default()), tempfile::tempdir().unwrap());
    let node = start(on_disk(&dir), &world).await;
    let mut client = Client::greeted(&node, "Shop", "a").await;
    let id = begin(&mut client, "slow").await;
    until_it_is(&node, &id, RunStatus::Waiting).await;
    node.fork(&shop(), "b", hostel_store::Moment::Now).await.unwrap();
    let twin = AgentId::new("Shop", "b");
    let RunAnswer::Run(Some(run)) = node.runs(&twin, RunAsk::Get(id.clone())).await.unwrap() else { panic!() };
    assert_eq!((run.status, run.code.as_deref()), (RunStatus::Paused, Some("run_put_back")));
    assert_eq!(see(&node, &id).await.status, RunStatus::Waiting, "the original goes on");
    node.restore(&shop(), hostel_store::Moment::Now).await.unwrap();
    assert_eq!(see(&node, &id).await.status, RunStatus::Paused);
    ask(&node, RunAsk::Resume(id.clone())).await.unwrap();
    until_it_is(&node, &id, RunStatus::Waiting).await;
    assert_eq!(world.done(), ["before"]);
}

#[tokio::test]
async fn whoever_names_an_agent_that_is_not_there_creates_none() {
    let world = Arc::new(World::default());
    let node = start(memory(), &world).await;
    let nobody = AgentId::new("Shop", "nobody");
    assert_eq!(code(node.runs(&nobody, RunAsk::Cancel(RunId::new("x"), None))).await, "agent_not_found");
    assert_eq!(code(node.runs(&nobody, RunAsk::List(RunQuery::default()))).await, "agent_not_found");
}
