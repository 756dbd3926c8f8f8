//! One agent in this process: inbox, instance, gate and connections.
//!
//! Whoever brings a job runs the inbox until it is empty; jobs brought meanwhile are appended. So turns of one agent are
//! strictly one after another, without a task or a thread of its own. Only [`turn`] touches the instance.

mod alarm;
mod call;
mod cause;
mod connect;
mod cycle;
mod family;
mod frames;
mod group;
mod host;
mod job;
mod keyed;
mod lifecycle;
mod mask;
mod request;
mod restore;
mod runs;
mod state;
pub mod stored;
mod sync;
mod task;
mod tasks;
mod turn;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};

use hostel_core::{AgentId, connection::ConnectionKey, erased::Class};
use hostel_store::AgentDb;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

pub(crate) use self::{
    alarm::{Moving, Wish},
    cause::By,
    connect::Opened,
    family::{Admission, Doomed},
    job::Job,
    restore::Replacement,
    tasks::{Answer, Ask},
};
use self::{group::Running, turn::Awake};
use crate::{gate::Gate, heavy::Weight, metrics::ClassMetrics, node::Shared, peer::Peer};

/// Jobs run in one go before others get their turn on the thread.
const DRAIN_BUDGET: usize = 64;
/// Waiting jobs beyond which connections stop reading.
const CROWDED: usize = 256;
/// The alarm of an agent that has none.
const NO_ALARM: i64 = i64::MAX;

/// Agents, and beginnings of their async work, that may be on one stack when another agent is to run on it.
const DEEPEST: usize = 8;
/// The same when async work is to begin. There is always room for that of the agent on top, so that its calls begin in
/// order; only hooks that set off themselves get here.
const DEEPEST_WORK: usize = 16;

thread_local! {
    /// Agents that are running on this thread's stack.
    static DEPTH: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// One more agent on this thread's stack, while it lives.
struct Deeper(usize);

impl Deeper {
    /// `None` when `limit` are on it already.
    fn enter(limit: usize) -> Option<Self> {
        let depth = DEPTH.get();
        DEPTH.set(depth + 1);
        let entered = Self(depth);
        (depth < limit).then_some(entered)
    }
}

impl Drop for Deeper {
    fn drop(&mut self) {
        DEPTH.set(self.0);
    }
}

/// One agent of this process, awake or asleep.
pub(crate) struct Cell {
    pub(crate) id: AgentId,
    pub(crate) class: Arc<dyn Class>,
    pub(crate) metrics: Arc<ClassMetrics>,
    node: Arc<Shared>,
    me: Weak<Cell>,
    /// Unique among all cells ever made; marks the thread that is inside one of its turns.
    token: u64,
    inbox: Mutex<Inbox>,
    /// The instance. Holding this lock is being in a turn.
    core: Mutex<Option<Awake>>,
    /// Whether `core` holds one, for those who must not wait for a turn.
    awake: AtomicBool,
    /// The open database. Locked for one statement at a time, inside the turn.
    store: Mutex<Option<AgentDb>>,
    /// The state as of the last turn that changed it, while the agent is awake.
    kept_state: Mutex<Option<Arc<str>>>,
    /// Turns are committed that the journal has not got yet. Changed only with `core` locked.
    holds: AtomicBool,
    /// What the turn under way has asked for so far.
    scratch: Mutex<turn::Scratch>,
    gate: Gate,
    peers: Mutex<BTreeMap<ConnectionKey, Arc<Peer>>>,
    /// Async work under way; the agent stays awake meanwhile.
    busy: AtomicUsize,
    /// Milliseconds on the node's monotonic clock.
    last_active: AtomicU64,
    /// The wake-up as of the last commit.
    wanted: alarm::Wanted,
    /// How many times over it is being moved later in the register.
    moving: AtomicU32,
    /// The wake-up as the node's register will have it once everything queued is written: a later one from when it is
    /// queued, an earlier one from when it is durable.
    registered_alarm: AtomicI64,
    alarm_failures: AtomicU32,
    /// A failing `on_alarm` is not run again before this.
    alarm_not_before: AtomicI64,
    /// Runs of tasks under way.
    running: tasks::Running,
    /// What the class declares is on order.
    declared: AtomicBool,
    /// It is known that the agent has no MCP servers.
    has_no_mcp: AtomicBool,
    /// `on_alarm` is at work.
    ringing: AtomicBool,
    /// A turn has set the wake-up since `on_alarm` began.
    alarm_renewed: AtomicBool,
    weight: Weight,
    less_crowded: Notify,
    props: Mutex<Option<Arc<Value>>>,
    /// Async calls with an idempotency key under way.
    keyed: Mutex<HashMap<String, keyed::KeyedCall>>,
    /// When this agent's state was last warned of in the log.
    warned: state::Warned,
    /// Breaks off async work when the writes it may rest on are lost; made when first needed.
    lifetime: Mutex<Option<CancellationToken>>,
    /// How often the agent lost writes, was put back, put out or destroyed; async work from before may not change it any more.
    era: AtomicU64,
    /// The agent's identity as text, for those it calls; made when first needed.
    label: OnceLock<Arc<str>>,
}

#[derive(Default)]
struct Inbox {
    queue: VecDeque<Job>,
    /// Somebody is running the jobs, or will.
    running: bool,
    /// `on_start` waits for something; no job may run yet.
    starting: bool,
    /// The cell is no longer in the registry.
    retired: bool,
}

impl Inbox {
    fn is_idle(&self) -> bool {
        !self.running && !self.starting && self.queue.is_empty()
    }

    fn push(&mut self, job: Job) -> Option<Job> {
        self.queue.push_back(job);
        None
    }
}

impl Cell {
    pub(crate) fn new(
        id: AgentId,
        class: Arc<dyn Class>,
        metrics: Arc<ClassMetrics>,
        node: Arc<Shared>,
        token: u64,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            id,
            class,
            metrics,
            node,
            me: me.clone(),
            token,
            inbox: Mutex::default(),
            core: Mutex::default(),
            awake: AtomicBool::new(false),
            store: Mutex::default(),
            kept_state: Mutex::default(),
            holds: AtomicBool::new(false),
            scratch: Mutex::default(),
            gate: Gate::default(),
            peers: Mutex::default(),
            busy: AtomicUsize::new(0),
            last_active: AtomicU64::new(0),
            wanted: alarm::Wanted::default(),
            moving: AtomicU32::new(0),
            registered_alarm: AtomicI64::new(NO_ALARM),
            alarm_failures: AtomicU32::new(0),
            alarm_not_before: AtomicI64::new(i64::MIN),
            running: tasks::Running::default(),
            declared: AtomicBool::new(false),
            has_no_mcp: AtomicBool::new(false),
            ringing: AtomicBool::new(false),
            alarm_renewed: AtomicBool::new(false),
            weight: Weight::default(),
            less_crowded: Notify::new(),
            props: Mutex::default(),
            keyed: Mutex::default(),
            warned: state::Warned::default(),
            lifetime: Mutex::default(),
            era: AtomicU64::new(0),
            label: OnceLock::new(),
        })
    }

    fn arc(&self) -> Arc<Self> {
        self.me.upgrade().expect("a cell is only ever used through its Arc")
    }

    /// Gives the agent something to do, now if nobody is running it.
    ///
    /// # Errors
    /// Gives the job back when the cell has left the registry: look the agent up again.
    pub(crate) fn submit(&self, job: Job) -> Result<(), Job> {
        let first = {
            let mut inbox = self.inbox.lock();
            if inbox.retired {
                return Err(job);
            }
            if inbox.starting {
                drop(inbox);
                return self.submit_while_starting(job);
            }
            let idle = inbox.is_idle();
            // With nobody before it, it need not pass through the queue.
            let first = if idle { Some(job) } else { inbox.push(job) };
            if inbox.running || inbox.starting {
                return Ok(());
            }
            inbox.running = true;
            first
        };
        self.run_from(first);
        Ok(())
    }

    /// Puts a job behind those that wait, for somebody who will [`submit`](Self::submit) another at once, which runs them all.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub(crate) fn enqueue(&self, job: Job) -> Result<(), Job> {
        let mut inbox = self.inbox.lock();
        if inbox.retired {
            return Err(job);
        }
        inbox.queue.push_back(job);
        Ok(())
    }

    /// Gives the agent something to do that somebody else runs.
    ///
    /// # Errors
    /// As [`Cell::submit`].
    pub(crate) fn post(&self, job: Job) -> Result<(), Job> {
        {
            let mut inbox = self.inbox.lock();
            if inbox.retired {
                return Err(job);
            }
            inbox.queue.push_back(job);
            if inbox.running || inbox.starting {
                return Ok(());
            }
            inbox.running = true;
        }
        let cell = self.arc();
        self.node.spawn(async move { cell.run() });
        Ok(())
    }

    /// Has `job` done before whatever waits. A cell that has left the registry needs none.
    fn submit_first(&self, job: Job) {
        {
            let mut inbox = self.inbox.lock();
            if inbox.retired {
                return;
            }
            inbox.queue.push_front(job);
            if inbox.running || inbox.starting {
                return;
            }
            inbox.running = true;
        }
        self.run();
    }

    /// Runs the inbox, here or beside the event loop. Only for whoever set `running`.
    fn run(&self) {
        self.run_from(None);
    }

    /// [`Cell::run`], beginning with `first`.
    fn run_from(&self, mut first: Option<Job>) {
        if self.weight.is_heavy() {
            self.put_back(first);
            return self.run_beside();
        }
        // An agent that calls another runs it on this very stack; a long chain goes on in a task of its own.
        let emptied = match Deeper::enter(DEEPEST) {
            Some(_deeper) if !turn::inside_any() => self.drain(&mut first),
            _ => false,
        };
        if !emptied {
            self.put_back(first);
            let cell = self.arc();
            self.node.spawn(async move { cell.run() });
        }
    }

    fn put_back(&self, first: Option<Job>) {
        if let Some(job) = first {
            self.inbox.lock().queue.push_front(job);
        }
    }

    fn run_beside(&self) {
        let cell = self.arc();
        let node = Arc::clone(&self.node);
        self.node.spawn(async move {
            let Ok(_lane) = node.heavy_lane.acquire().await else { return };
            let ran = tokio::task::spawn_blocking(move || {
                if !cell.drain(&mut None) {
                    cell.run()
                }
            })
            .await;
            debug_assert!(ran.is_ok(), "turns catch their own panics");
        });
    }

    /// Runs `first` and what waits, until the inbox is empty (`true`) or the budget is used up (`false`).
    fn drain(&self, first: &mut Option<Job>) -> bool {
        let running = Running::enter(self.token);
        let emptied = self.drain_as(&running, first);
        // Usually the last turn of a group has ended it; the last job need not have been a turn.
        self.end_group();
        emptied
    }

    fn drain_as(&self, running: &Running, first: &mut Option<Job>) -> bool {
        let mut begun = Instant::now();
        let mut group_begun = None;
        for left in (0..DRAIN_BUDGET).rev() {
            let Some((job, followed)) = first.take().map(|job| (job, false)).or_else(|| self.next_job()) else {
                return true;
            };
            let followed = followed && left > 0 && self.is_young(group_begun, begun);
            running.followed(followed);
            self.touch(begun);
            // Neither waking nor putting an image in place says anything of the turns to come.
            let is_usual = self.is_awake() && !matches!(job, Job::Replace(..));
            // The agent's code is caught where it runs; what gets here is a mistake of ours or a destructor of theirs.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.handle(job))) {
                self.panicked(&*panic);
            }
            if !followed {
                self.end_group();
            }
            group_begun = if self.holds.load(Ordering::Relaxed) { group_begun.or(Some(begun)) } else { None };
            let ended = Instant::now();
            if is_usual {
                self.weight.judge(ended - begun, self.node.options.heavy_turn);
            }
            begun = ended;
            if self.weight.is_heavy() {
                break;
            }
        }
        false
    }

    /// The next job, and whether it and the one behind it are turns.
    fn next_job(&self) -> Option<(Job, bool)> {
        let mut inbox = self.inbox.lock();
        let job = if inbox.starting { None } else { inbox.queue.pop_front() };
        if job.is_none() {
            inbox.running = false;
            inbox.queue.shrink_to(4);
            self.retire_if_unneeded(&mut inbox);
        }
        if inbox.queue.len() == CROWDED {
            self.less_crowded.notify_waiters();
        }
        job.map(|job| {
            let followed = job.is_turn() && inbox.queue.front().is_some_and(Job::is_turn);
            (job, followed)
        })
    }

    /// A cell that is asleep and that nobody is connected to leaves the registry, for good.
    fn retire_if_unneeded(&self, inbox: &mut Inbox) {
        let idle = inbox.is_idle();
        // How often a wake-up has failed is remembered here alone.
        let idle = idle && self.alarm_failures.load(Ordering::Relaxed) == 0 && self.moving.load(Ordering::Acquire) == 0;
        if idle && !self.is_awake() && !self.has_work() && self.peers.lock().is_empty() && self.gate.is_quiet() {
            inbox.retired = true;
            self.node.forget(&self.id, self.token);
        }
    }

    /// Waits while too many jobs are queued.
    pub(crate) async fn until_less_crowded(&self) {
        loop {
            let notified = self.less_crowded.notified();
            if self.inbox.lock().queue.len() <= CROWDED {
                return;
            }
            notified.await;
        }
    }

    pub(crate) fn is_crowded(&self) -> bool {
        self.inbox.lock().queue.len() > CROWDED
    }

    /// Whether no job waits or runs, and nothing waits behind the gate.
    pub(crate) fn is_at_rest(&self) -> bool {
        let inbox = self.inbox.lock();
        !inbox.running && inbox.queue.is_empty() && self.gate.is_quiet()
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.node)
    }

    pub(crate) fn token(&self) -> u64 {
        self.token
    }

    pub(crate) fn has_token(&self, token: u64) -> bool {
        self.token == token
    }

    /// The state as of the last commit, if the agent is awake; the inner `None` is "never had one".
    pub(crate) fn committed_state(&self) -> Option<Option<Arc<str>>> {
        self.core.lock().as_ref().map(|awake| awake.state.clone())
    }

    fn touch(&self, now: Instant) {
        self.last_active.store(self.node.uptime_ms(now), Ordering::Relaxed);
    }

    fn set_props(&self, props: Option<Arc<Value>>) {
        if props.is_some() {
            *self.props.lock() = props;
        }
    }

    pub(crate) fn socket_count(&self) -> usize {
        self.peers.lock().len()
    }

    pub(crate) fn is_awake(&self) -> bool {
        self.awake.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cell").field("id", &self.id).finish_non_exhaustive()
    }
}
