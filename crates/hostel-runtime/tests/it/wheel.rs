//! Many agents due together, runs that hang, and clocks that jump.

use std::{
    any::TypeId,
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use hostel::{AgentId, BoxFuture, Cx, Missed, Order, Result, Retry, When};
use hostel_macros::agent;
use hostel_runtime::{Clock, Node, NodeBuilder, Options};
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::support::{TestClock, awake, memory};

/// What ran, how often, and how many at a time.
#[derive(Default)]
struct Log {
    runs: Mutex<HashMap<String, usize>>,
    under_way: AtomicUsize,
    most: AtomicUsize,
}

impl Log {
    fn note(&self, what: &str) {
        *self.runs.lock().unwrap().entry(what.to_owned()).or_default() += 1;
    }

    fn count(&self, what: &str) -> usize {
        self.runs.lock().unwrap().get(what).copied().unwrap_or_default()
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Worker {
    runs: usize,
}

#[agent]
impl Worker {
    #[task]
    fn turn(&mut self, cx: &Cx<Self>) -> Result<()> {
        self.runs += 1;
        cx.env::<Log>()?.note(cx.name());
        Ok(())
    }

    #[task]
    async fn wait(cx: &Cx<Self>, seconds: u64) -> Result<()> {
        let log = cx.env::<Log>()?;
        let now = log.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        log.most.fetch_max(now, Ordering::SeqCst);
        cx.sleep(Duration::from_millis(1_000 * seconds + 10)).await;
        log.under_way.fetch_sub(1, Ordering::SeqCst);
        log.note(cx.name());
        Ok(())
    }

    #[task(timeout = "5s")]
    async fn hang(cx: &Cx<Self>) -> Result<()> {
        cx.env::<Log>()?.note("hang");
        cx.sleep(Duration::from_secs(86_400)).await;
        Ok(())
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn start(builder: NodeBuilder, clock: impl Clock) -> (Node, Arc<Log>) {
    let log = Arc::new(Log::default());
    let builder = builder.agent::<Worker>().unwrap().clock(clock).env_arc(TypeId::of::<Log>(), log.clone());
    (builder.start().await.unwrap(), log)
}

fn worker(name: impl std::fmt::Display) -> AgentId {
    AgentId::new("Worker", &name.to_string())
}

fn at(task: &'static str, args: &impl Serialize, when: When) -> Order {
    Order { when: Some(when), ..Order::new(task, args).unwrap() }
}

#[tokio::test(start_paused = true)]
async fn many_agents_due_in_the_same_minute_all_run_once_and_few_at_a_time() {
    const AGENTS: usize = 500;
    let options = Options { wakes_at_once: 8, max_idle_awake: 16, ..Options::default() };
    let clock = TestClock::new();
    let (node, log) = start(memory().options(options), clock).await;
    let due = clock.now() + SignedDuration::from_secs(3_600);
    for n in 0..AGENTS {
        let order = match n % 2 {
            0 => at("turn", &[(); 0], When::At(due)),
            _ => at("wait", &(0,), When::At(due)),
        };
        node.order(&worker(n), order, None).await.unwrap();
    }
    tokio::time::sleep(seconds(3_599)).await;
    assert!(log.runs.lock().unwrap().is_empty());
    tokio::time::sleep(seconds(60)).await;
    let runs = log.runs.lock().unwrap().clone();
    assert_eq!((runs.len(), runs.values().filter(|runs| **runs != 1).count()), (AGENTS, 0));
    assert!(log.most.load(Ordering::SeqCst) <= 8, "{:?}", log.most);
}

#[tokio::test(start_paused = true)]
async fn of_many_that_are_due_together_those_that_are_done_do_not_stay_in_memory() {
    const AGENTS: usize = 39;
    let options = Options { wakes_at_once: 4, max_idle_awake: 40, idle_after: seconds(86_400), ..Options::default() };
    let (node, log) = start(memory().options(options), TestClock::new()).await;
    for n in 0..AGENTS {
        let order = at("turn", &[(); 0], When::After(seconds(60)));
        node.order(&worker(n), order, None).await.unwrap();
    }
    assert_eq!(awake(&node).await, AGENTS, "they have just been asked");
    tokio::time::sleep(seconds(120)).await;
    assert_eq!(log.runs.lock().unwrap().len(), AGENTS);
    assert!(awake(&node).await <= 20 + 4, "{}", awake(&node).await);
}

#[tokio::test(start_paused = true)]
async fn runs_that_wait_for_long_keep_no_other_agent_from_being_woken() {
    let options = Options { wakes_at_once: 1, ..Options::default() };
    let (node, log) = start(memory().options(options), TestClock::new()).await;
    for n in 0..5 {
        node.order(&worker(format_args!("slow {n}")), at("wait", &(600,), When::After(seconds(10))), None)
            .await
            .unwrap();
    }
    node.order(&worker("quick"), at("turn", &[(); 0], When::After(seconds(11))), None).await.unwrap();
    tokio::time::sleep(seconds(25)).await;
    assert_eq!(log.count("quick"), 1);
    tokio::time::sleep(seconds(700)).await;
    assert_eq!((0..5).map(|n| log.count(&format!("slow {n}"))).sum::<usize>(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_hangs_is_broken_off_and_tried_again() {
    let (node, log) = start(memory(), TestClock::new()).await;
    let order = Order { retry: Retry { attempts: 3, ..Retry::default() }, ..Order::new("hang", &[(); 0]).unwrap() };
    node.order(&worker("a"), order, None).await.unwrap();
    node.order(&worker("a"), Order::new("turn", &[(); 0]).unwrap(), None).await.unwrap();
    tokio::time::sleep(seconds(4)).await;
    assert_eq!((log.count("hang"), log.count("a")), (1, 0));
    tokio::time::sleep(seconds(20)).await;
    assert_eq!((log.count("hang"), log.count("a")), (3, 1), "then what is behind it has its turn");
    let letters = node.dead_letters(&worker("a")).await.unwrap();
    assert_eq!((letters.len(), &*letters[0].code, letters[0].attempts), (1, "task_timeout", 3));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_over_of_a_run_that_has_ended_when_the_node_stops() {
    let (node, log) = start(memory(), TestClock::new()).await;
    node.order(&worker("a"), Order::new("wait", &(1,)).unwrap(), None).await.unwrap();
    tokio::time::sleep(seconds(3)).await;
    assert_eq!(log.count("a"), 1);
    let begun = tokio::time::Instant::now();
    node.shutdown(seconds(60)).await;
    assert!(begun.elapsed() < seconds(1), "its deadline is not waited for");
}

/// A clock that can be set, over one that goes on steadily.
#[derive(Debug, Clone)]
struct SetClock {
    steady: TestClock,
    ahead: Arc<AtomicI64>,
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        self.steady.now() + SignedDuration::from_secs(self.ahead.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        self.steady.sleep(duration)
    }
}

/// Agents with one schedule of each kind, and a clock.
async fn scheduled() -> (Node, Arc<Log>, SetClock) {
    let clock = SetClock { steady: TestClock::new(), ahead: Arc::default() };
    let (node, log) = start(memory(), clock.clone()).await;
    let hourly = || When::Cron(Box::new(hostel::Cron::parse("30 * * * *", None).unwrap()));
    let orders = [
        ("once", at("turn", &[(); 0], When::After(seconds(1_800)))),
        ("hourly", at("turn", &[(); 0], hourly())),
        ("each hour", Order { missed: Missed::All, ..at("turn", &[(); 0], hourly()) }),
        ("interval", at("turn", &[(); 0], When::Every(seconds(1_200)))),
        ("deadline", at("wait", &(60,), When::After(seconds(10)))),
    ];
    for (name, order) in orders {
        node.order(&worker(name), order, None).await.unwrap();
    }
    tokio::time::sleep(seconds(20)).await;
    (node, log, clock)
}

impl SetClock {
    fn jump(&self, seconds: i64) {
        self.ahead.fetch_add(seconds, Ordering::SeqCst);
    }
}

fn counts(log: &Log) -> [usize; 5] {
    ["once", "hourly", "each hour", "interval", "deadline"].map(|name| log.count(name))
}

#[tokio::test(start_paused = true)]
async fn threat_33_a_clock_that_jumps_ahead_by_an_hour_makes_what_is_due_run_once_and_moves_no_deadline() {
    let (_node, log, clock) = scheduled().await;
    clock.jump(3_600);
    // It is seen within half a minute.
    tokio::time::sleep(seconds(31)).await;
    assert_eq!(counts(&log), [1, 1, 1, 1, 0]);
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(counts(&log), [1, 1, 1, 1, 1], "a run under way takes its time by the steady clock");
    // 01:01:51 on the wall by now.
    tokio::time::sleep(seconds(1_800)).await;
    assert_eq!(counts(&log), [1, 2, 2, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn threat_33_a_clock_that_jumps_back_by_an_hour_repeats_nothing_and_loses_nothing() {
    let (_node, log, clock) = scheduled().await;
    tokio::time::sleep(seconds(1_900)).await;
    assert_eq!(counts(&log), [1, 1, 1, 1, 1]);
    clock.jump(-3_600);
    tokio::time::sleep(seconds(3_500)).await;
    assert_eq!(counts(&log)[..3], [1, 1, 1], "00:30 comes again on the wall, and is done already");
    assert_eq!(counts(&log)[3..], [3, 1], "an interval is as long as it is, whatever the wall shows");
    tokio::time::sleep(seconds(3_700)).await;
    assert_eq!(counts(&log)[..3], [1, 2, 2]);
}

#[tokio::test(start_paused = true)]
async fn threat_33_a_clock_that_jumps_ahead_by_four_hundred_days_starts_no_storm() {
    let (node, log, clock) = scheduled().await;
    clock.jump(400 * 86_400);
    tokio::time::sleep(seconds(120)).await;
    let [once, hourly, each, interval, deadline] = counts(&log);
    assert_eq!((once, hourly, interval, deadline), (1, 1, 1, 1));
    assert!((1..=1_000).contains(&each), "made up for, within bounds: {each}");
    let next = node.schedules(&worker("hourly")).await.unwrap()[0].due;
    assert!(next > clock.now() && next < clock.now() + 1.hour());
}
