//! Keeps the journal of a data directory: recovery at the start, retirement on the way, a clean end.

mod damaged;
mod historian;
mod room;
mod rounds;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hostel_journal::replay::{FileBases, replay};
use hostel_journal::scan::{Scan, ScanError, scan, settle};
use hostel_journal::seams::{Lease, LeaseStore, LocalLease};
use hostel_journal::{
    AgentId, Archive, CommitLog, Health, Journal, Ledger, LocalDisk, Log, LogOptions, Lsn, Tail, points,
};
use parking_lot::{Condvar, Mutex, RwLock, RwLockReadGuard};

use self::damaged::Damaged;
use self::historian::Historian;
use self::rounds::Rounds;
use crate::layout::relative;
use crate::lock::DirLock;
use crate::{AgentKey, Error, ErrorKind, Options};

const SUBJECT: &str = "the journal";
/// How often the keeper looks.
const PERIOD: Duration = Duration::from_secs(5);

/// Which agents' files are behind the journal, and where they are.
#[derive(Debug, Default)]
pub(crate) struct Dirt {
    ledger: Ledger,
    bases: HashMap<AgentId, Box<str>>,
}

impl Dirt {
    pub(crate) fn appended(&mut self, agent: AgentId, key: &AgentKey, lsn: Lsn) {
        self.ledger.appended(agent, lsn);
        self.bases.entry(agent).or_insert_with(|| relative(key).into());
    }

    pub(crate) fn copied(&mut self, agent: AgentId) {
        self.ledger.copied(agent);
    }

    fn due(&mut self) -> (Vec<AgentId>, Vec<String>) {
        let due = self.ledger.begin_sync();
        let bases = due.iter().filter_map(|agent| self.bases.get(agent)).map(|base| base.to_string()).collect();
        (due, bases)
    }

    fn synced(&mut self, agents: &[AgentId]) {
        self.ledger.synced(agents);
        for agent in agents {
            if !self.ledger.needs(*agent) {
                self.bases.remove(agent);
            }
        }
        if self.bases.len() * 4 < self.bases.capacity() {
            self.bases.shrink_to(self.bases.len() * 2);
        }
    }
}

/// The journal of a data directory, and everything that is to be done about it besides appending.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) journal: Journal<LocalDisk>,
    pub(crate) dirt: Arc<Mutex<Dirt>>,
    /// Rises when agents that are open should copy their logs into their files.
    pub(crate) tide: AtomicU64,
    damaged: Damaged,
    bases: FileBases<LocalDisk>,
    historian: Historian,
    lease: LocalLease<LocalDisk>,
    rounds: Rounds,
    checkpoint_bytes: u64,
    checkpoint_after: Duration,
    /// Held for reading while somebody copies files, for writing while segments leave the journal.
    held: RwLock<()>,
    ends: Mutex<bool>,
    bell: Condvar,
    /// Held to the very end, so that no other process sees the directory half-way.
    _lock: DirLock,
}

/// Nothing leaves the journal, and nothing changes in history.
#[derive(Debug)]
pub(crate) struct Pause<'a> {
    _journal: RwLockReadGuard<'a, ()>,
    _history: RwLockReadGuard<'a, ()>,
}

impl Keeper {
    /// Recovers what the last process left, and begins a log of its own.
    pub(crate) fn open(root: &Path, lock: DirLock, options: &Options) -> Result<(Arc<Self>, JoinHandle<()>), Error> {
        Self::begin(root, lock, options).map_err(|error| room::looked_at(error, root))
    }

    fn begin(root: &Path, lock: DirLock, options: &Options) -> Result<(Arc<Self>, JoinHandle<()>), Error> {
        let failed = |doing: &'static str| move |e: io::Error| Error::io(SUBJECT, doing, e);
        let disk = LocalDisk::new(root).map_err(failed("opening it"))?;
        let (bases, lease_store) = (FileBases(disk.clone()), LocalLease(disk.clone()));
        let lease = lease_store.acquire().map_err(failed("taking its lease"))?;
        let mut scan = read(&disk)?;
        let mut damaged = damaged::read(&disk).map_err(failed("reading the list of damaged agents"))?;
        // What comes after a gap must never be laid over what was before it.
        let before = scan.records.len();
        scan.records.retain(|agent, _| !damaged.contains_key(agent));
        let left_out = scan.records.len() < before;
        settle(&disk, &scan).and_then(|()| points::pass("replay")).map_err(failed("syncing it"))?;
        let kept = recover(&disk, &bases, &scan, &mut damaged).map_err(failed("replaying it"))?;
        points::pass("replayed").map_err(failed("replaying it"))?;
        let lease = Lease {
            epoch: lease.epoch.max(scan.epoch + 1),
            lsn: lease.lsn.max(scan.tail.lsn),
            segment: lease.segment.max(scan.highest),
        };
        lease_store.record(lease).map_err(failed("taking its lease"))?;
        let historian = Historian::new(disk.clone(), &options.history).map_err(failed("looking for its history"))?;
        let damaged_ones = (kept || left_out).then_some(&damaged);
        clear(&disk, &historian, &scan, damaged_ones).map_err(failed("handing over what was replayed"))?;
        let tail = Tail { lsn: lease.lsn, ..Tail::default() };
        let log_options = LogOptions { segment_bytes: options.journal_segment_bytes };
        let log = Log::begin(disk, log_options, lease.epoch, tail, lease.segment, salt());
        let journal = log.and_then(Journal::start).map_err(failed("beginning a segment"))?;
        let keeper = Arc::new(Self {
            journal,
            dirt: Arc::default(),
            tide: AtomicU64::new(0),
            damaged: Damaged::new(damaged),
            bases,
            historian,
            lease: lease_store,
            rounds: Rounds::default(),
            checkpoint_bytes: options.checkpoint_bytes,
            checkpoint_after: options.checkpoint_after,
            held: RwLock::default(),
            ends: Mutex::new(false),
            bell: Condvar::new(),
            _lock: lock,
        });
        let at_work = Arc::clone(&keeper);
        let thread = std::thread::Builder::new().name("hostel-keeper".to_owned());
        let housekeeping = thread.spawn(move || at_work.run()).map_err(failed("starting its keeper"))?;
        keeper.historian.start().map_err(failed("starting the thread of its history"))?;
        Ok((keeper, housekeeping))
    }

    /// Refuses an agent whose part of the journal is damaged.
    pub(crate) fn check(&self, key: &AgentKey) -> Result<(), Error> {
        self.damaged.check(key)
    }

    /// An agent whose part of the journal was damaged is whole again, in its file and in the journal.
    pub(crate) fn healed(&self, key: &AgentKey) -> io::Result<()> {
        self.damaged.healed(key, &self.bases, &self.bases.0)
    }

    /// What is kept of turns whose records have left the journal.
    pub(crate) fn archive(&self) -> &Archive<LocalDisk> {
        self.historian.archive()
    }

    /// Every durable turn of an agent that is kept, in the journal and in history.
    #[cfg(test)]
    pub(crate) fn listing(&self, key: &AgentKey) -> io::Result<hostel_journal::Listing> {
        let live = self.journal.log().live();
        self.archive().listing(&live, key.namespace(), crate::layout::identify(key))
    }

    /// Refuses new writes while the journal cannot take them.
    pub(crate) fn accepts(&self) -> Result<(), Error> {
        match self.journal.health() {
            Health::Fine => Ok(()),
            Health::Low(failure) => Err(Error::io(SUBJECT, "reserving room for it", failure.to_io())),
            Health::Failed(failure) => Err(Error::io(SUBJECT, "writing it", failure.to_io())),
        }
    }

    fn run(&self) {
        let mut last = Instant::now();
        let mut ends = self.ends.lock();
        while !*ends {
            self.bell.wait_for(&mut ends, PERIOD.min(self.checkpoint_after));
            if *ends {
                return;
            }
            let much = self.journal.log().bytes() > self.checkpoint_bytes / 2;
            if (much || last.elapsed() >= self.checkpoint_after) && !self.dirt.lock().ledger.is_empty() {
                parking_lot::MutexGuard::unlocked(&mut ends, || self.checkpoint());
                last = Instant::now();
            }
        }
    }

    /// Syncs the files of agents whose logs were copied, asks the others to copy theirs, and retires what nobody needs.
    pub(crate) fn checkpoint(&self) {
        self.tide.fetch_add(1, Ordering::Release);
        if let Err(error) = self.sync_bases().and_then(|()| self.retire()) {
            tracing::error!(%error, "a checkpoint failed; the journal keeps what it has");
        }
    }

    fn sync_bases(&self) -> io::Result<()> {
        self.rounds.sync(&self.dirt, &self.bases)
    }

    /// As long as what is returned is there, nothing leaves the journal, and nothing changes in history.
    pub(crate) fn pause_retirement(&self) -> Pause<'_> {
        Pause { _journal: self.held.read_recursive(), _history: self.archive().pause() }
    }

    fn retire(&self) -> io::Result<()> {
        let Some(_nobody_holds) = self.held.try_write() else { return Ok(()) };
        let mut log = self.journal.log();
        // What was appended is in the books before the log is free again only for older batches, so the floor is taken
        // after a flush of none: records not in the books yet are in the current segment, which is never retired.
        let floor = self.dirt.lock().ledger.floor();
        let retired = log.retire(floor);
        let disk = log.disk().clone();
        drop(log);
        for extent in &retired {
            points::pass("retire")?;
            self.historian.take(&disk, *extent)?;
            self.journal.log().removed(extent.id);
        }
        if !retired.is_empty() {
            self.historian.wake();
        }
        Ok(())
    }

    /// Something of the agents' files is in doubt: the journal is kept whole.
    pub(crate) fn doubt(&self) {
        self.rounds.doubt();
    }

    /// Finishes what is queued, and leaves a directory that needs no recovery if everything is in the agents' files.
    pub(crate) fn shut_down(&self) {
        *self.ends.lock() = true;
        self.bell.notify_all();
        self.historian.stop();
        self.journal.flush();
        if let Err(error) = self.sync_bases().and_then(|()| self.end()) {
            tracing::warn!(%error, "the journal could not be emptied; the next start replays it");
        }
        self.historian.join();
    }

    fn end(&self) -> io::Result<()> {
        let mut log = self.journal.log();
        let tail = log.tail();
        self.lease.record(Lease { epoch: log.epoch(), lsn: tail.lsn, segment: tail.segment })?;
        let floor = self.dirt.lock().ledger.floor();
        log.end(floor, |disk, extent| self.historian.take(disk, extent)).map(drop)
    }
}

fn salt() -> u64 {
    RandomState::new().hash_one(std::time::SystemTime::now())
}

fn read(disk: &LocalDisk) -> Result<Scan, Error> {
    let mut said = Instant::now();
    let progress = |bytes: u64| {
        if said.elapsed() > Duration::from_secs(1) {
            tracing::info!(megabytes = bytes >> 20, "reading the journal");
            said = Instant::now();
        }
    };
    let scan = scan(disk, progress).map_err(|e| match e {
        ScanError::Io(e) => Error::io(SUBJECT, "reading it", e),
        other => Error::new(ErrorKind::Corrupt, other.to_string()),
    })?;
    if let Some(damage) = scan.damage.iter().find(|damage| damage.agent.is_none()) {
        let message = format!(
            "the journal is damaged: {damage} cannot be read, and nothing tells whose it was; restore the data directory from a backup"
        );
        return Err(Error::new(ErrorKind::Corrupt, message));
    }
    if scan.torn {
        tracing::warn!(
            lsn = scan.tail.lsn,
            "the journal ends in a write that was not finished; nothing of it was acknowledged"
        );
    }
    Ok(scan)
}

/// Replays the scan. Returns whether its segments have to be kept for somebody to look at.
fn recover(
    disk: &LocalDisk,
    bases: &FileBases<LocalDisk>,
    scan: &Scan,
    damaged: &mut HashMap<AgentId, String>,
) -> io::Result<bool> {
    if scan.records.is_empty() && scan.damage.is_empty() {
        return Ok(false);
    }
    let begun = Instant::now();
    tracing::info!(
        agents = scan.records.len(),
        megabytes = scan.bytes >> 20,
        "the last stop was not clean: replaying the journal"
    );
    let mut said = Instant::now();
    let mut progress = |done: usize, of: usize| {
        if said.elapsed() > Duration::from_secs(1) {
            tracing::info!(done, of, "replaying the journal");
            said = Instant::now();
        }
    };
    let base_of = |namespace: &str, name: &str| relative(&AgentKey::new(namespace, name));
    let done = replay(disk, bases, scan, &base_of, &mut progress)?;
    tracing::info!(agents = done.agents, records = done.records, took = ?begun.elapsed(), "the journal is replayed");
    for stuck in &done.stuck {
        tracing::error!(agent = stuck.base.as_deref().unwrap_or("?"), id = %format_args!("{:032x}", stuck.agent.0), why = %stuck.why, "an agent could not be brought up to date");
        damaged.insert(stuck.agent, stuck.why.clone());
    }
    if !done.stuck.is_empty() {
        damaged::write(disk, damaged)?;
    }
    Ok(!done.stuck.is_empty())
}

/// Takes the segments that were replayed out of the log, oldest first. With damaged agents they are kept for somebody to
/// look at, and history gets copies.
fn clear(
    disk: &LocalDisk,
    historian: &Historian,
    scan: &Scan,
    damaged: Option<&HashMap<AgentId, String>>,
) -> io::Result<()> {
    if let Some(damaged) = damaged {
        historian.keep_from(damaged.keys().copied(), scan.tail.lsn)?;
    }
    for extent in &scan.segments {
        match damaged {
            Some(_) => historian.keep(disk, *extent)?,
            None => historian.take(disk, *extent)?,
        }
    }
    scan.orphans.iter().try_for_each(|id| match damaged {
        Some(_) => historian::put_aside(disk, *id),
        None => Log::remove(disk, *id),
    })
}
