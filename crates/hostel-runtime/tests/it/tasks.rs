//! Work for later: schedules, the queue, failures, and what a class declares.

use std::{
    any::TypeId,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hostel::{Cx, Error, Missed, Result, Retry, ScheduleId};
use hostel_macros::agent;
use hostel_runtime::{Node, NodeBuilder};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::support::{Blocking, Client, TestClock, memory, on_disk, sleepy, until_asleep};

#[derive(Default, Serialize, Deserialize)]
struct Planner {
    done: Vec<String>,
}

/// How often tasks are to fail.
#[derive(Default)]
struct Plan {
    failures: AtomicUsize,
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[agent]
impl Planner {
    #[task]
    fn note(&mut self, text: String) {
        self.done.push(text);
    }

    #[task]
    fn fail(&mut self, cx: &Cx<Self>, text: String) -> Result<()> {
        self.done.push(format!("try {text}"));
        let plan = cx.env::<Plan>()?;
        if plan.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(Error::msg("not yet"));
        }
        self.done.push(text);
        Ok(())
    }

    #[task(timeout = "5s")]
    async fn wait(cx: &Cx<Self>, for_seconds: u64, text: String) -> Result<()> {
        cx.sleep(seconds(for_seconds)).await;
        cx.update(|me| me.done.push(text))
    }

    #[callable]
    fn after(&self, cx: &Cx<Self>, delay: u64, text: String) -> Result<ScheduleId> {
        cx.tasks().note(text).after(seconds(delay))
    }

    #[callable]
    fn after_and_fail(&self, cx: &Cx<Self>, delay: u64, text: String) -> Result<()> {
        cx.tasks().note(text).after(seconds(delay))?;
        Err(Error::msg("never mind"))
    }

    #[callable]
    fn every(&self, cx: &Cx<Self>, period: u64, text: String) -> Result<ScheduleId> {
        cx.tasks().note(text).every(seconds(period))
    }

    #[callable]
    fn every_missed(&self, cx: &Cx<Self>, period: u64, text: String) -> Result<ScheduleId> {
        cx.tasks().note(text).missed(Missed::All).every(seconds(period))
    }

    #[callable]
    fn keyed(&self, cx: &Cx<Self>, delay: u64, text: String) -> Result<ScheduleId> {
        cx.tasks().note(text).key("one").after(seconds(delay))
    }

    #[callable]
    fn failing(&self, cx: &Cx<Self>, text: String) -> Result<ScheduleId> {
        cx.tasks().fail(text).retry(Retry { attempts: 3, ..Retry::default() }).now()
    }

    #[callable]
    fn queue(&self, cx: &Cx<Self>, texts: Vec<String>) -> Result<()> {
        texts.into_iter().try_for_each(|text| cx.tasks().note(text).now().map(drop))
    }

    #[callable]
    fn waiting(&self, cx: &Cx<Self>, for_seconds: u64, text: String) -> Result<ScheduleId> {
        cx.tasks().wait(for_seconds, text).retry(Retry { attempts: 1, ..Retry::default() }).now()
    }

    #[callable]
    fn schedules(&self, cx: &Cx<Self>) -> Result<Value> {
        Ok(json!(cx.schedules()?))
    }

    #[callable]
    fn cancel(&self, cx: &Cx<Self>, id: ScheduleId) -> Result<bool> {
        cx.cancel(&id)
    }

    #[callable]
    fn done(&self) -> Vec<String> {
        self.done.clone()
    }
}

async fn start(builder: NodeBuilder, clock: TestClock) -> (Node, Arc<Plan>) {
    let plan = Arc::new(Plan::default());
    let builder = builder.agent::<Planner>().unwrap().clock(clock).env_arc(TypeId::of::<Plan>(), plan.clone());
    (builder.start().await.unwrap(), plan)
}

async fn done(client: &mut Client) -> Value {
    client.result("done", json!([])).await
}

#[tokio::test(start_paused = true)]
async fn a_delayed_task_runs_once_when_it_is_due_and_not_if_its_turn_failed() {
    let (node, _) = start(memory(), TestClock::new()).await;
    let mut client = Client::greeted(&node, "Planner", "a").await;
    client.result("after", json!([3600, "later"])).await;
    client.result("after", json!([60, "soon"])).await;
    client.failure("afterAndFail", json!([1, "never"])).await;
    tokio::time::sleep(seconds(61)).await;
    assert_eq!(done(&mut client).await, json!(["soon"]));
    let shown = client.result("schedules", json!([])).await;
    assert_eq!(
        (&shown[0]["callback"], &shown[0]["payload"], &shown[0]["type"]),
        (&json!("note"), &json!("later"), &json!("delayed"))
    );
    tokio::time::sleep(seconds(3600)).await;
    assert_eq!(done(&mut client).await, json!(["soon", "later"]));
    assert_eq!(client.result("schedules", json!([])).await, json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_repeats_is_kept_once_and_can_be_taken_back() {
    let (node, _) = start(memory(), TestClock::new()).await;
    let mut client = Client::greeted(&node, "Planner", "a").await;
    let id = client.result("every", json!([10, "tick"])).await;
    assert_eq!(client.result("every", json!([10, "tick"])).await, id, "the same again");
    assert_ne!(client.result("every", json!([11, "tick"])).await, id, "another period");
    client.result("cancel", json!([id])).await;
    tokio::time::sleep(seconds(34)).await;
    assert_eq!(done(&mut client).await, json!(["tick", "tick", "tick"]));
    assert_eq!(client.result("cancel", json!(["no-such-1"])).await, false);
}

#[tokio::test(start_paused = true)]
async fn a_key_names_one_run_and_a_new_one_takes_its_place() {
    let (node, _) = start(memory(), TestClock::new()).await;
    let mut client = Client::greeted(&node, "Planner", "a").await;
    client.result("keyed", json!([5, "first"])).await;
    client.result("keyed", json!([10, "second"])).await;
    tokio::time::sleep(seconds(20)).await;
    assert_eq!(done(&mut client).await, json!(["second"]));
}

#[tokio::test(start_paused = true)]
async fn the_same_delay_ordered_again_under_its_key_begins_anew() {
    let (node, _) = start(memory(), TestClock::new()).await;
    let mut client = Client::greeted(&node, "Planner", "a").await;
    client.result("keyed", json!([10, "bell"])).await;
    tokio::time::sleep(seconds(8)).await;
    client.result("keyed", json!([10, "bell"])).await;
    tokio::time::sleep(seconds(8)).await;
    assert_eq!(done(&mut client).await, json!([]));
    tokio::time::sleep(seconds(3)).await;
    assert_eq!(done(&mut client).await, json!(["bell"]));
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_runs_in_order_one_after_the_other() {
    let (node, _) = start(memory(), TestClock::new()).await;
    let mut client = Client::greeted(&node, "Planner", "a").await;
    let texts: Vec<_> = (0..40).map(|n| n.to_string()).collect();
    client.result("queue", json!([texts])).await;
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(done(&mut client).await, json!(texts));
}

#[tokio::test(start_paused = true)]
async fn a_failing_task_is_tried_three_times_and_then_given_up_with_its_reason() {
    let (node, plan) = start(memory(), TestClock::new()).await;
    let mut client = Client::greeted(&node, "Planner", "a").await;
    plan.failures.store(2, Ordering::SeqCst);
    client.result("failing", json!(["third time"])).await;
    tokio::time::sleep(seconds(10)).await;
    assert_eq!(done(&mut client).await, json!(["try third time", "third time"]), "what failed was rolled back");
    plan.failures.store(9, Ordering::SeqCst);
    client.result("failing", json!(["never"])).await;
    tokio::time::sleep(seconds(10)).await;
    assert_eq!(plan.failures.load(Ordering::SeqCst), 6);
    assert_eq!(client.result("schedules", json!([])).await, json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_failing_head_of_the_queue_holds_up_what_is_behind_it_until_it_is_given_up() {
    let (node, plan) = start(memory(), TestClock::new()).await;
    let mut client = Client::greeted(&node, "Planner", "a").await;
    plan.failures.store(9, Ordering::SeqCst);
    client.result("failing", json!(["head"])).await;
    client.result("queue", json!([["behind"]])).await;
    tokio::time::sleep(seconds(10)).await;
    assert_eq!((done(&mut client).await, plan.failures.load(Ordering::SeqCst)), (json!(["behind"]), 6));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_holds_up_nobody_and_one_that_hangs_is_broken_off() {
    let (node, _) = start(memory(), TestClock::new()).await;
    let mut client = Client::greeted(&node, "Planner", "a").await;
    client.result("waiting", json!([3, "slow"])).await;
    client.result("after", json!([1, "quick"])).await;
    tokio::time::sleep(seconds(2)).await;
    assert_eq!(client.result("schedules", json!([])).await[0]["type"], "queued", "it is under way");
    tokio::time::sleep(seconds(2)).await;
    assert_eq!(done(&mut client).await, json!(["quick", "slow"]));
    client.result("waiting", json!([3600, "hung"])).await;
    client.result("queue", json!([["next"]])).await;
    tokio::time::sleep(seconds(6)).await;
    assert_eq!(done(&mut client).await, json!(["quick", "slow", "next"]));
}

#[tokio::test(start_paused = true)]
async fn schedules_survive_a_restart_and_each_missed_run_is_made_up_for_if_wished() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    {
        let (node, _) = start(on_disk(&dir).durability(Blocking), clock).await;
        let mut client = Client::greeted(&node, "Planner", "a").await;
        client.result("every", json!([100, "once"])).await;
        client.result("everyMissed", json!([100, "each"])).await;
        drop(client);
        node.shutdown(seconds(5)).await;
    }
    tokio::time::sleep(seconds(350)).await;
    let (node, _) = start(on_disk(&dir).durability(Blocking), clock).await;
    tokio::time::sleep(seconds(5)).await;
    let mut client = Client::greeted(&node, "Planner", "a").await;
    let ran = done(&mut client).await;
    let count = |text: &str| ran.as_array().unwrap().iter().filter(|ran| *ran == text).count();
    assert_eq!((count("once"), count("each")), (1, 3), "{ran}");
}

#[tokio::test(start_paused = true)]
async fn an_agent_with_nothing_to_do_sleeps_until_its_schedule_is_due() {
    let (node, _) = start(memory().options(sleepy()), TestClock::new()).await;
    let mut client = Client::greeted(&node, "Planner", "a").await;
    client.result("after", json!([20, "later"])).await;
    drop(client);
    until_asleep(&node).await;
    tokio::time::sleep(seconds(30)).await;
    let mut client = Client::greeted(&node, "Planner", "a").await;
    assert_eq!(done(&mut client).await, json!(["later"]));
}

mod declared {
    use super::*;

    macro_rules! class {
        ($module:ident, $($mark:tt)*) => {
            mod $module {
                use super::*;

                #[derive(Default, Serialize, Deserialize)]
                pub(super) struct Clerk {
                    ran: usize,
                }

                #[agent]
                impl Clerk {
                    $($mark)*
                    fn work(&mut self) {
                        self.ran += 1;
                    }

                    #[callable]
                    fn touch(&mut self) {
                        self.ran += 100;
                    }

                    #[callable]
                    fn ran(&self) -> usize {
                        self.ran
                    }

                    #[callable]
                    fn schedules(&self, cx: &Cx<Self>) -> Result<Value> {
                        Ok(json!(cx.schedules()?))
                    }
                }
            }
        };
    }

    class!(hourly, #[task(every = "1h")]);
    class!(at_nine, #[task(cron = "0 9 * * *", zone = "Europe/Berlin")]);
    class!(undeclared, #[task]);

    async fn clerks<A: hostel::Agent>(dir: &tempfile::TempDir, clock: TestClock) -> Node {
        let builder = on_disk(dir).durability(Blocking).agent::<A>().unwrap().clock(clock);
        builder.start().await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_class_declares_runs_on_agents_that_exist_is_never_doubled_and_goes_with_the_declaration() {
        let dir = tempfile::tempdir().unwrap();
        let clock = TestClock::new();
        let node = clerks::<hourly::Clerk>(&dir, clock).await;
        let mut looking = Client::greeted(&node, "Clerk", "nobody").await;
        assert_eq!(looking.result("schedules", json!([])).await, json!([]), "looking creates nothing");
        let mut client = Client::greeted(&node, "Clerk", "a").await;
        client.result("touch", json!([])).await;
        assert_eq!(client.result("schedules", json!([])).await.as_array().unwrap().len(), 1);
        tokio::time::sleep(seconds(3 * 3600 + 60)).await;
        assert_eq!(client.result("ran", json!([])).await, 103);
        drop((client, looking));
        node.shutdown(seconds(5)).await;
        drop(node);

        let node = clerks::<hourly::Clerk>(&dir, clock).await;
        let mut client = Client::greeted(&node, "Clerk", "a").await;
        assert_eq!(client.result("schedules", json!([])).await.as_array().unwrap().len(), 1, "a restart adds none");
        drop(client);
        node.shutdown(seconds(5)).await;
        drop(node);

        let node = clerks::<at_nine::Clerk>(&dir, clock).await;
        let mut client = Client::greeted(&node, "Clerk", "a").await;
        let shown = client.result("schedules", json!([])).await;
        assert_eq!((shown.as_array().unwrap().len(), &shown[0]["cron"]), (1, &json!("0 9 * * *")), "{shown}");
        drop(client);
        node.shutdown(seconds(5)).await;
        drop(node);

        let node = clerks::<undeclared::Clerk>(&dir, clock).await;
        let mut client = Client::greeted(&node, "Clerk", "a").await;
        assert_eq!(client.result("schedules", json!([])).await, json!([]));
        drop(client);
        node.shutdown(seconds(5)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn agents_that_sleep_are_brought_in_step_at_the_start_once_and_without_being_woken() {
        let (dir, clock) = (tempfile::tempdir().unwrap(), TestClock::new());
        let node = clerks::<undeclared::Clerk>(&dir, clock).await;
        for n in 0..40 {
            let mut client = Client::greeted(&node, "Clerk", &n.to_string()).await;
            client.result("touch", json!([])).await;
        }
        node.shutdown(seconds(5)).await;
        drop(node);
        let id = hostel::AgentId::new("Clerk", "7");

        let node = clerks::<hourly::Clerk>(&dir, clock).await;
        super::super::support::until_in_step(&node, &id, "interval").await;
        assert_eq!(node.agents_in_memory(), 0);
        let turns = node.history(&id, hostel_store::HistoryQuery::default()).await.unwrap().turns.len();
        tokio::time::sleep(seconds(3_660)).await;
        let mut client = Client::greeted(&node, "Clerk", "7").await;
        assert_eq!(client.result("ran", json!([])).await, 101, "it was woken for its run");
        drop(client);
        node.shutdown(seconds(5)).await;
        drop(node);

        let node = clerks::<hourly::Clerk>(&dir, clock).await;
        tokio::time::sleep(seconds(60)).await;
        let same = node.history(&id, hostel_store::HistoryQuery::default()).await.unwrap().turns.len();
        assert_eq!((same, turns), (2 + 1, 2), "one run more, and nothing else");
        node.shutdown(seconds(5)).await;
        drop(node);

        let node = clerks::<undeclared::Clerk>(&dir, clock).await;
        super::super::support::until_in_step(&node, &id, "").await;
        node.shutdown(seconds(5)).await;
    }
}
