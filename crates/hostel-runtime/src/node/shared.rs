//! What all cells of a node share: registry, store, timers, and where work runs.

use std::{
    any::{Any, TypeId},
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use hostel_core::{AgentId, Error, Result, connection::ConnectionKey};
use hostel_protocol::refusal::Code;
use hostel_store::{AgentDb, AgentKey, Store};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::{Semaphore, oneshot},
    task::{AbortHandle, JoinHandle},
    time::Instant,
};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

use super::{
    NodeBuilder, declarations,
    wheel::{self, Wheel},
};
use crate::{
    cell::{Cell, Doomed, Job},
    clock::{self, Clock},
    directory::Directory,
    durability::Durability,
    memories::Memories,
    options::Options,
    porter::{Carried, Porter},
    quarantine::Quarantine,
    sleep::{self, Sleepers},
    storage,
    watched::Watched,
};

const SHARDS: usize = 32;

/// One part of the registry: agents by identity.
type Shard = Mutex<HashMap<AgentId, Arc<Cell>>>;

/// What all cells of a node share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) store: Store,
    pub(crate) directory: Directory,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) durability: Box<dyn Durability>,
    pub(crate) env: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    pub(crate) quarantine: Quarantine,
    pub(crate) sleepers: Sleepers,
    pub(crate) heavy_lane: Semaphore,
    pub(crate) porter: Arc<Porter>,
    pub(crate) memories: Memories,
    /// Agents that are being deleted from above.
    pub(crate) doomed: Mutex<Doomed>,
    pub(crate) watched: Watched,
    shards: [Shard; SHARDS],
    hasher: RandomState,
    pub(super) wheel: Wheel,
    /// Agents that sleep are in step with what their classes declare, as far as that can be.
    pub(super) in_step: AtomicBool,
    /// Agents whose file must be written anew before it is used: a sync of theirs failed.
    rebuilds: Mutex<HashSet<AgentId>>,
    runtime: Handle,
    tasks: TaskTracker,
    /// What runs as long as the node does.
    loops: Mutex<Vec<JoinHandle<()>>>,
    started: Instant,
    next_token: AtomicU64,
    next_connection: AtomicU64,
    stopping: AtomicBool,
}

impl Shared {
    pub(super) fn start(builder: NodeBuilder) -> Result<Arc<Self>> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let porter = Arc::new(Porter::default());
        let wheel = Wheel::new(&builder.options);
        let noted = builder.store.noted_time().map_err(storage::error)?;
        let shared = Arc::new(Self {
            options: builder.options,
            store: builder.store,
            directory: builder.directory,
            clock: clock::believable(builder.clock, noted),
            durability: Box::new(Carried { durability: builder.durability, porter: Arc::clone(&porter) }),
            env: builder.env,
            quarantine: Quarantine::default(),
            sleepers: Sleepers::default(),
            heavy_lane: Semaphore::new((cores / 2).max(1)),
            porter: Arc::clone(&porter),
            memories: Memories::default(),
            doomed: Mutex::default(),
            watched: Watched::default(),
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            wheel,
            in_step: AtomicBool::new(false),
            rebuilds: Mutex::default(),
            runtime: Handle::current(),
            tasks: TaskTracker::new(),
            loops: Mutex::default(),
            started: Instant::now(),
            next_token: AtomicU64::new(1),
            next_connection: AtomicU64::new(1),
            stopping: AtomicBool::new(false),
        });
        shared.set_stored_alarms(noted)?;
        shared.porter.start(&shared, &shared.runtime);
        *shared.loops.lock() = vec![
            shared.runtime.spawn(sleep::put_to_sleep(Arc::downgrade(&shared))),
            shared.runtime.spawn(wheel::turn(Arc::downgrade(&shared))),
            shared.runtime.spawn(declarations::keep_in_step(Arc::downgrade(&shared))),
        ];
        Ok(shared)
    }

    fn shard(&self, id: &AgentId) -> &Shard {
        &self.shards[self.hasher.hash_one(id) as usize % SHARDS]
    }

    /// The cell of an agent, made if there is none.
    pub(crate) fn cell(self: &Arc<Self>, id: &AgentId) -> Result<Arc<Cell>> {
        self.check_running()?;
        let mut shard = self.shard(id).lock();
        if let Some(cell) = shard.get(id) {
            return Ok(Arc::clone(cell));
        }
        let binding = self.directory.place_of(id).ok_or_else(|| unknown(id))?;
        let token = self.next_token.fetch_add(1, Ordering::Relaxed);
        let (class, metrics) = (Arc::clone(&binding.class), Arc::clone(&binding.metrics));
        let cell = Cell::new(id.clone(), class, metrics, Arc::clone(self), token);
        shard.insert(id.clone(), Arc::clone(&cell));
        Ok(cell)
    }

    /// Whether there is a class for this agent.
    ///
    /// # Errors
    /// `unknown_agent`, or `shutting_down`.
    pub(crate) fn check_served(&self, id: &AgentId) -> Result<()> {
        self.check_running()?;
        self.directory.place_of(id).map(drop).ok_or_else(|| unknown(id))
    }

    fn check_running(&self) -> Result<()> {
        if !self.is_stopping() {
            return Ok(());
        }
        Err(Error::coded(Code::ShuttingDown, "The server is restarting.").with_fix("come back in a moment"))
    }

    pub(crate) fn existing_cell(&self, id: &AgentId) -> Option<Arc<Cell>> {
        self.shard(id).lock().get(id).cloned()
    }

    pub(crate) fn cells(&self) -> Vec<Arc<Cell>> {
        self.shards.iter().flat_map(|shard| shard.lock().values().cloned().collect::<Vec<_>>()).collect()
    }

    /// Takes a cell that nobody needs out of the registry.
    pub(crate) fn forget(&self, id: &AgentId, token: u64) {
        let mut shard = self.shard(id).lock();
        if shard.get(id).is_some_and(|cell| cell.has_token(token)) {
            shard.remove(id);
            if shard.len() * 4 < shard.capacity() {
                let room = shard.len() * 2;
                shard.shrink_to(room);
            }
        }
    }

    /// Whether no turn is under way or due, and everything said is out.
    pub(crate) fn is_at_rest(&self) -> bool {
        let now = self.clock.now().as_millisecond();
        self.in_step.load(Ordering::Acquire)
            && self.wheel.is_at_rest(now)
            && self.cells().iter().all(|cell| cell.is_at_rest())
    }

    /// Has whoever watches the clock look at it.
    pub(crate) fn look_at_the_clock(&self) {
        self.note_time(self.clock.now().as_millisecond());
        self.wheel.wake();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Nobody can reach the node any more: lets go of every agent, so that store and directory are free again as soon as
    /// the last session and the last piece of work have ended.
    pub(super) fn let_go(&self) {
        self.stopping.store(true, Ordering::Release);
        for shard in &self.shards {
            // Closing agents runs destructors of their authors: not under our lock.
            let cells = std::mem::take(&mut *shard.lock());
            cells.values().for_each(|cell| cell.let_go());
            drop(cells);
        }
        let waiting = self.doomed.lock().let_go();
        drop(waiting);
        self.wheel.close();
        self.sleepers.wake();
    }

    /// Gives an agent a job and waits for its answer.
    pub(crate) async fn ask<T>(
        self: &Arc<Self>,
        id: &AgentId,
        mut job: impl FnMut(oneshot::Sender<Result<T>>) -> Job,
    ) -> Result<T> {
        let (done, answer) = oneshot::channel();
        self.give(id, job(done))?;
        answer.await.unwrap_or_else(|_| {
            Err(Error::coded(Code::AgentUnavailable, format!("{id} went away before it answered."))
                .with_fix("ask again"))
        })
    }

    /// Brings an agent into memory.
    pub(crate) async fn wake(self: &Arc<Self>, id: &AgentId, props: Option<Arc<Value>>) -> Result<()> {
        self.let_in(id).await?;
        self.ask(id, |done| Job::Wake(props.clone(), done)).await
    }

    /// An agent's database. Nothing is read yet.
    pub(crate) fn open_db(&self, id: &AgentId) -> Result<AgentDb> {
        let (namespace, name) = id.stored();
        self.store.agent(namespace, name).map_err(storage::error)
    }

    /// Gives an agent a job that somebody else runs: for where no other agent may run.
    pub(crate) fn post(self: &Arc<Self>, id: &AgentId, mut job: Job) {
        loop {
            let posted = match self.cell(id) {
                Ok(cell) => cell.post(job),
                Err(error) => return self.undeliverable(id, job, error),
            };
            match posted {
                Ok(()) => return,
                Err(back) => job = back,
            }
        }
    }

    fn undeliverable(&self, id: &AgentId, job: Job, error: Error) {
        tracing::debug!(agent = %id, error = ?error, "an agent cannot be reached any more");
        if let Job::Destroy(done) = job {
            done(Err(error));
        }
    }

    /// Gives an agent a job, in whatever cell it has by then.
    pub(crate) fn give(self: &Arc<Self>, id: &AgentId, mut job: Job) -> Result<()> {
        loop {
            match self.cell(id)?.submit(job) {
                Ok(()) => return Ok(()),
                Err(back) => job = back,
            }
        }
    }

    pub(crate) fn next_connection_key(&self) -> ConnectionKey {
        ConnectionKey(self.next_connection.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn note_awake(&self, cell: &Arc<Cell>) {
        self.sleepers.add(cell, &self.options);
    }

    pub(crate) fn uptime_ms(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.started).as_millis()).unwrap_or(u64::MAX)
    }

    /// Runs `work` where waiting for the disk or a lock is allowed, without leaving this thread's stack.
    pub(crate) fn block<T>(&self, work: impl FnOnce() -> T) -> T {
        match Handle::try_current().map(|handle| handle.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
            _ => work(),
        }
    }

    /// Runs async work of an agent; a shutdown waits for it.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.tasks.spawn_on(work, &self.runtime).abort_handle()
    }

    /// The same for what nobody waits for.
    pub(crate) fn spawn_loose(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }

    pub(crate) fn spawn_blocking(&self, work: impl FnOnce() + Send + 'static) {
        self.tasks.spawn_blocking_on(work, &self.runtime);
    }

    /// Something that a shutdown waits for, until it is dropped.
    pub(crate) fn under_way(&self) -> TaskTrackerToken {
        self.tasks.token()
    }

    pub(crate) fn rebuild_later(&self, id: &AgentId) {
        self.rebuilds.lock().insert(id.clone());
    }

    /// Writes an agent's file anew if a sync of it has failed.
    pub(crate) fn rebuild_if_due(&self, id: &AgentId) -> Result<()> {
        if !self.rebuilds.lock().contains(id) {
            return Ok(());
        }
        let mut db = self.open_db(id)?;
        self.block(|| db.rebuild()).map_err(storage::error)?;
        self.rebuilds.lock().remove(id);
        Ok(())
    }

    /// An agent's file is whole again by other means.
    pub(crate) fn rebuilt(&self, id: &AgentId) {
        self.rebuilds.lock().remove(id);
    }

    pub(super) async fn shutdown(self: &Arc<Self>, grace: Duration) {
        self.stopping.store(true, Ordering::Release);
        let reason = format!("{}: the server is restarting, come back in a moment", Code::ShuttingDown.as_str());
        for cell in self.cells() {
            cell.farewell(&reason);
        }
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = self.tasks.len(), "work was still under way when the time to finish it was over");
        }
        let shared = Arc::clone(self);
        let slept = tokio::task::spawn_blocking(move || {
            shared.cells().iter().for_each(|cell| cell.put_out());
            shared.keep_time(shared.clock.now().as_millisecond(), true);
        });
        if slept.await.is_err() {
            tracing::error!("not every agent could be put to sleep");
        }
        self.let_go();
        let loops = std::mem::take(&mut *self.loops.lock());
        for ended in loops {
            // One that was aborted with its runtime has ended as well.
            let _ended = ended.await;
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.store.gather(None);
        self.porter.dismiss();
    }
}

pub(super) fn key_of(id: &AgentId) -> AgentKey {
    let (namespace, name) = id.stored();
    AgentKey::new(namespace, name)
}

fn unknown(id: &AgentId) -> Error {
    Error::coded(Code::UnknownAgent, format!("There is no agent class for {id} here."))
        .with_fix("register it with `App::agent` before it is called")
}
