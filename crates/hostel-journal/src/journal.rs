//! The thread that groups commits: takes everything queued, writes once, syncs once, tells everybody. When nothing is
//! queued it sleeps; when something is, it starts at once.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};

use crate::disk::Disk;
use crate::log::Log;
use crate::record::Entry;
use crate::seams::CommitLog;
use crate::{Epoch, Lsn, points};

/// Bytes of one batch, beyond the first entry. More would make the first of them wait for long.
const BATCH_BYTES: usize = 4 << 20;
/// Bytes that may wait in the queue before whoever brings more has to wait.
const QUEUE_BYTES: usize = 64 << 20;
/// Entries, and bytes, that are gathered at most before they are written unasked: see [`Journal::gather`].
const GATHERED: usize = 64;
const GATHERED_BYTES: usize = 1 << 20;
/// How long after a failure the log is opened again.
const RETRY: Duration = Duration::from_millis(100);
/// A batch that takes longer is worth a line in the log,
const SLOW: Duration = Duration::from_millis(500);
/// once in so long.
const SLOW_AGAIN: Duration = Duration::from_secs(10);

/// Whoever brought an entry, as the journal sees it.
pub trait Ticket: Send {
    /// Whether the entry may still be written. Asked on the writer's thread just before: an entry that builds upon one
    /// that failed must not follow it.
    fn stands(&self) -> bool;

    /// What became of it. Told on the writer's thread, in order; must not wait for the journal.
    fn settle(self: Box<Self>, outcome: Result<Lsn, Failure>);
}

/// Why a turn is not durable and never will be.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The kind of the cause.
    pub kind: io::ErrorKind,
    /// The cause in words.
    pub message: Arc<str>,
}

impl Failure {
    fn of(error: &io::Error) -> Self {
        Self { kind: error.kind(), message: error.to_string().into() }
    }

    /// As an error of the file system.
    pub fn to_io(&self) -> io::Error {
        io::Error::new(self.kind, self.message.to_string())
    }
}

/// Whether new turns should be begun.
#[derive(Clone, Debug)]
pub enum Health {
    /// Yes.
    Fine,
    /// The reserve is in use: what is under way can be finished, nothing new should begin.
    Low(Failure),
    /// A write or a sync failed; the log is being opened again.
    Failed(Failure),
}

/// Figures since the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Batches written, each with one sync.
    pub syncs: u64,
    /// Entries written.
    pub entries: u64,
    /// Bytes written.
    pub bytes: u64,
}

/// Asks whoever it asks for a call of [`Journal::write_now`], soon.
pub type Summons = Arc<dyn Fn() + Send + Sync>;

/// A node's log with its writer. Dropping it finishes what is queued.
#[derive(Debug)]
pub struct Journal<D: Disk> {
    shared: Arc<Shared<D>>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared<D: Disk> {
    log: Mutex<Log<D>>,
    queue: Mutex<Queue>,
    /// Something is queued, or the journal ends.
    work: Condvar,
    /// There is room in the queue, or a batch is settled.
    settled: Condvar,
    health: RwLock<Health>,
    /// 0 fine, 1 low, 2 failed: the health without a lock.
    unwell: AtomicU8,
    writer: Mutex<Option<ThreadId>>,
    /// When the disk was last called slow.
    slow: Mutex<Option<Instant>>,
    epoch: Epoch,
    syncs: AtomicU64,
    entries: AtomicU64,
    bytes: AtomicU64,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(Entry, Box<dyn Ticket>)>,
    bytes: usize,
    /// How many of those waiting may be written now; the others are being gathered.
    due: usize,
    summons: Option<Summons>,
    /// The summons went out, and was not followed yet.
    summoned: bool,
    /// Entries ever queued, and ever settled.
    queued: u64,
    settled: u64,
    idle: bool,
    ends: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue")
            .field("waiting", &self.waiting.len())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl<D: Disk> Journal<D> {
    /// Starts the writer of a log.
    ///
    /// # Errors
    /// If there is no thread for it.
    pub fn start(log: Log<D>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            epoch: log.epoch(),
            log: Mutex::new(log),
            queue: Mutex::default(),
            work: Condvar::new(),
            settled: Condvar::new(),
            health: RwLock::new(Health::Fine),
            unwell: AtomicU8::new(0),
            writer: Mutex::new(None),
            slow: Mutex::new(None),
            syncs: AtomicU64::new(0),
            entries: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        });
        let at_work = Arc::clone(&shared);
        let writer = thread::Builder::new().name("hostel-journal".to_owned()).spawn(move || at_work.run())?;
        *shared.writer.lock() = Some(writer.thread().id());
        Ok(Self { shared, writer: Some(writer) })
    }

    /// The lease under which this journal writes.
    pub fn epoch(&self) -> Epoch {
        self.shared.epoch
    }

    /// Whether new turns should be begun.
    pub fn health(&self) -> Health {
        match self.shared.unwell.load(Ordering::Acquire) {
            0 => Health::Fine,
            _ => self.shared.health.read().clone(),
        }
    }

    /// Figures since the start.
    pub fn counts(&self) -> Counts {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts { syncs: load(&self.shared.syncs), entries: load(&self.shared.entries), bytes: load(&self.shared.bytes) }
    }

    /// The log, between two batches.
    pub fn log(&self) -> MutexGuard<'_, Log<D>> {
        self.shared.log.lock()
    }

    /// Has turns gathered: what is queued is written when [`Journal::write_now`] is called, for which `summons` asks once.
    /// An event loop answers it at the end of the round it is in, so that all turns of a round share a sync, and the
    /// writer's thread does not interrupt it. `None`: the writer begins as soon as something is queued, as at first.
    pub fn gather(&self, summons: Option<Summons>) {
        self.shared.queue.lock().summons = summons;
        self.write_now();
    }

    /// Has everything queued so far written, without waiting for it.
    pub fn write_now(&self) {
        let mut queue = self.shared.queue.lock();
        queue.summoned = false;
        self.shared.release(&mut queue);
    }

    /// Whether this is the writer's own thread, which must not wait for itself.
    pub fn is_writer(&self) -> bool {
        *self.shared.writer.lock() == Some(thread::current().id())
    }
}

impl<D: Disk> CommitLog for Journal<D> {
    fn append(&self, entry: Entry, ticket: Box<dyn Ticket>) {
        let mut queue = self.shared.queue.lock();
        while queue.bytes > QUEUE_BYTES && !self.is_writer() {
            self.shared.settled.wait(&mut queue);
        }
        queue.bytes += entry.footprint();
        queue.queued += 1;
        queue.waiting.push_back((entry, ticket));
        let few = queue.waiting.len() - queue.due < GATHERED && queue.bytes < GATHERED_BYTES;
        match &queue.summons {
            Some(_) if few && queue.summoned => {}
            Some(summons) if few => {
                let summons = Arc::clone(summons);
                queue.summoned = true;
                drop(queue);
                summons();
            }
            _ => self.shared.release(&mut queue),
        }
    }

    fn flush(&self) {
        let mut queue = self.shared.queue.lock();
        self.shared.release(&mut queue);
        let until = queue.queued;
        while queue.settled < until {
            self.shared.settled.wait(&mut queue);
        }
    }
}

impl<D: Disk> Drop for Journal<D> {
    fn drop(&mut self) {
        self.shared.queue.lock().ends = true;
        self.shared.work.notify_one();
        if let Some(writer) = self.writer.take()
            && writer.thread().id() != thread::current().id()
            && writer.join().is_err()
        {
            tracing::error!("the journal's writer panicked");
        }
    }
}

impl<D: Disk> Shared<D> {
    fn run(&self) {
        let mut batch = Vec::new();
        loop {
            let more = self.take(&mut batch);
            if !batch.is_empty() {
                let count = batch.len() as u64;
                self.write(&mut batch);
                self.queue.lock().settled += count;
                self.settled.notify_all();
            } else if !more {
                return;
            }
            self.keep_well();
        }
    }

    /// Everything queued may be written.
    fn release(&self, queue: &mut Queue) {
        queue.due = queue.waiting.len();
        if queue.due > 0 && std::mem::take(&mut queue.idle) {
            self.work.notify_one();
        }
    }

    /// Waits for work, takes a batch of it. `false` when the journal ends and the queue is empty.
    fn take(&self, batch: &mut Vec<(Entry, Box<dyn Ticket>)>) -> bool {
        let mut queue = self.queue.lock();
        if queue.due == 0 && !queue.ends {
            queue.idle = true;
            if self.unwell.load(Ordering::Relaxed) == 0 {
                self.work.wait(&mut queue);
            } else {
                self.work.wait_for(&mut queue, RETRY);
            }
            queue.idle = false;
        }
        let mut bytes = 0;
        while let Some((entry, _)) = queue.waiting.front() {
            let more = entry.footprint();
            if bytes > 0 && bytes + more > BATCH_BYTES {
                break;
            }
            bytes += more;
            queue.bytes -= more;
            queue.due = queue.due.saturating_sub(1);
            batch.extend(queue.waiting.pop_front());
        }
        if queue.waiting.capacity() > 1024 && queue.waiting.is_empty() {
            queue.waiting = VecDeque::new();
        }
        !queue.ends
    }

    fn write(&self, batch: &mut Vec<(Entry, Box<dyn Ticket>)>) {
        let mut log = self.log.lock();
        let admitted = |entry: &Entry| log.admits(entry);
        let (mut good, mut refused) = (Vec::with_capacity(batch.len()), Vec::new());
        for (entry, ticket) in batch.drain(..) {
            if !admitted(&entry) {
                refused.push((ticket, Failure::of(&stale())));
            } else if !entry.fits() {
                refused.push((ticket, Failure::of(&io::ErrorKind::FileTooLarge.into())));
            } else if ticket.stands() {
                good.push((entry, ticket));
            } else {
                refused.push((ticket, Failure::of(&io::Error::other("a turn before it was lost"))));
            }
        }
        let written = if good.is_empty() { Ok(0) } else { self.append(&mut log, &good) };
        drop(log);
        // A batch is durable from here on, whatever a test does.
        let _stops_here = points::pass("gate");
        if let Err(failure) = &written {
            tracing::error!(error = %failure.message, turns = good.len(), "the journal could not be written; nothing of the batch is acknowledged");
        }
        for (at, (_, ticket)) in good.into_iter().enumerate() {
            ticket.settle(written.clone().map(|first| first + at as u64));
        }
        for (ticket, failure) in refused {
            ticket.settle(Err(failure));
        }
    }

    fn append(&self, log: &mut Log<D>, good: &[(Entry, Box<dyn Ticket>)]) -> Result<Lsn, Failure> {
        let (was_open, begun) = (log.is_open(), Instant::now());
        let written = log.append(good.iter().map(|(entry, _)| entry));
        self.notice_slowness(begun.elapsed());
        match written {
            Ok(first) => {
                self.syncs.fetch_add(1, Ordering::Relaxed);
                self.entries.fetch_add(good.len() as u64, Ordering::Relaxed);
                let bytes: usize = good.iter().map(|(entry, _)| entry.footprint()).sum();
                self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                Ok(first)
            }
            // While the log is closed, the reason is the one that closed it.
            Err(_) if !was_open => match &*self.health.read() {
                Health::Failed(failure) | Health::Low(failure) => Err(failure.clone()),
                Health::Fine => Err(Failure::of(&io::Error::other("the journal is closed"))),
            },
            Err(error) => {
                let failure = Failure::of(&error);
                self.set_health(Health::Failed(failure.clone()));
                Err(failure)
            }
        }
    }

    fn notice_slowness(&self, took: Duration) {
        let mut said = self.slow.lock();
        if took > SLOW && said.is_none_or(|said| said.elapsed() > SLOW_AGAIN) {
            *said = Some(Instant::now());
            tracing::warn!(?took, "the disk is slow: a batch of turns took long to sync; all writes wait for it");
        }
    }

    /// Opens a failed log again, and keeps a segment in reserve.
    fn keep_well(&self) {
        let mut log = self.log.lock();
        let was = self.unwell.load(Ordering::Relaxed);
        if let Err(error) = log.reopen() {
            return self.set_health(Health::Failed(Failure::of(&error)));
        }
        let health = match log.tend() {
            Ok(()) if was == 0 => return,
            Ok(()) => Health::Fine,
            Err(error) => Health::Low(Failure::of(&error)),
        };
        self.set_health(health);
    }

    fn set_health(&self, health: Health) {
        let level = match &health {
            Health::Fine => 0,
            Health::Low(_) => 1,
            Health::Failed(_) => 2,
        };
        let before = self.unwell.swap(level, Ordering::AcqRel);
        match (&health, before == level) {
            (_, true) => {}
            (Health::Fine, _) => tracing::info!("the journal is writable again"),
            (Health::Low(failure), _) => {
                tracing::error!(error = %failure.message, "no room for the journal's next segment; no new turns until there is");
            }
            (Health::Failed(failure), _) => {
                tracing::error!(error = %failure.message, "the journal failed; it takes nothing until it could be opened again");
            }
        }
        *self.health.write() = health;
    }
}

fn stale() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "the lease of the turn is not in force any more")
}
