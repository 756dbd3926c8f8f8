//! The durability seam: a commit goes in, a durable acknowledgement comes out.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::{AgentKey, Error, ErrorKind};

/// A committed turn that may not be on disk yet. It owns what it needs, so it may travel to any thread
/// and outlive the [`AgentDb`](crate::AgentDb) that made it.
#[derive(Clone, Debug)]
pub struct Commit {
    target: Option<(SyncHandle, u64)>,
}

/// Waits until `commit`, and with it every earlier commit of the same agent, would survive the loss of
/// power. Blocks for a sync, so it belongs on a thread where waiting is allowed. May be called from
/// several threads for commits of one agent: they share syncs.
///
/// # Errors
///
/// If the sync fails, now or for an earlier commit of the same open database: what the disk holds is
/// then unknown, nothing more is acknowledged and [`AgentDb::rebuild`](crate::AgentDb::rebuild) is due.
pub fn make_durable(commit: &Commit) -> Result<(), Error> {
    match &commit.target {
        Some((handle, sequence)) => handle.sync_to(*sequence),
        None => Ok(()),
    }
}

impl Commit {
    /// A commit that needs no sync.
    pub(crate) fn immediate() -> Self {
        Self { target: None }
    }

    /// Whether a sync has covered this commit already.
    pub fn is_durable(&self) -> bool {
        match &self.target {
            Some((handle, sequence)) => handle.0.synced.load(Ordering::Acquire) >= *sequence,
            None => true,
        }
    }

    pub(crate) fn pending(handle: SyncHandle, sequence: u64) -> Self {
        Self { target: Some((handle, sequence)) }
    }
}

/// Syncs the log of one open database.
#[derive(Clone, Debug)]
pub struct SyncHandle(Arc<SyncState>);

#[derive(Debug)]
struct SyncState {
    key: AgentKey,
    wal: File,
    ledger: Arc<DirLedger>,
    shard: PathBuf,
    /// How many commits there were, and how many of them a sync has covered. Read without the lock below:
    /// the thread that runs turns must not wait for a sync.
    committed: AtomicU64,
    synced: AtomicU64,
    failed: AtomicBool,
    /// Held by who syncs. What it guards: the log's own name may not be in the directory yet.
    name_pending: Mutex<bool>,
}

impl SyncHandle {
    /// `wal` is the log as SQLite has it open: the same file, so one descriptor's sync covers the other's
    /// writes. (Descriptors of the *database* file are never opened here: closing one would drop SQLite's
    /// lock on it, as POSIX wants.)
    pub(crate) fn new(key: AgentKey, wal: File, ledger: Arc<DirLedger>, shard: PathBuf) -> Self {
        Self(Arc::new(SyncState {
            key,
            wal,
            ledger,
            shard,
            committed: AtomicU64::new(0),
            synced: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            name_pending: Mutex::new(true),
        }))
    }

    /// Counts one more commit and returns its number.
    pub(crate) fn committed(&self) -> u64 {
        self.0.committed.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Makes everything committed so far durable.
    ///
    /// # Errors
    ///
    /// As [`make_durable`].
    pub fn sync(&self) -> Result<(), Error> {
        self.sync_to(self.0.committed.load(Ordering::Acquire))
    }

    /// Whether a sync has failed; then the database must be rebuilt before it is written again.
    pub fn has_failed(&self) -> bool {
        self.0.failed.load(Ordering::Acquire)
    }

    fn sync_to(&self, sequence: u64) -> Result<(), Error> {
        let mut name_pending = self.0.name_pending.lock();
        if self.has_failed() {
            return Err(self.failed_before());
        }
        if self.0.synced.load(Ordering::Acquire) >= sequence {
            return Ok(());
        }
        let covers = self.0.committed.load(Ordering::Acquire);
        if let Err(cause) = self.sync_now(*name_pending) {
            self.0.failed.store(true, Ordering::Release);
            return Err(Error::io(&self.subject(), "making a commit durable", cause));
        }
        *name_pending = false;
        self.0.synced.store(covers, Ordering::Release);
        Ok(())
    }

    fn sync_now(&self, name_pending: bool) -> io::Result<()> {
        self.0.wal.sync_data()?;
        if name_pending {
            sync_dir(&self.0.shard)?;
            self.0.ledger.ensure(&self.0.shard)?;
        }
        Ok(())
    }

    fn subject(&self) -> String {
        format!("agent {}", self.0.key)
    }

    fn failed_before(&self) -> Error {
        let message = format!(
            "agent {}: an earlier sync failed, so what the disk holds is unknown; the database must be rebuilt before it is used again",
            self.0.key
        );
        Error::new(ErrorKind::Failed, message)
    }

    /// Marks the database as needing a rebuild, as a failed sync does.
    #[cfg(test)]
    pub(crate) fn fail(&self) {
        self.0.failed.store(true, Ordering::Release);
    }
}

/// Which shard directories are known to be reachable from the root after a power cut.
#[derive(Debug)]
pub(crate) struct DirLedger {
    root: PathBuf,
    known: Mutex<HashSet<PathBuf>>,
}

impl DirLedger {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, known: Mutex::default() }
    }

    /// Syncs the directories above `shard`, once in the life of the process.
    fn ensure(&self, shard: &Path) -> io::Result<()> {
        if self.known.lock().contains(shard) {
            return Ok(());
        }
        let above = shard.ancestors().skip(1).take_while(|dir| dir.starts_with(&self.root));
        for dir in above {
            sync_dir(dir)?;
        }
        self.known.lock().insert(shard.to_owned());
        Ok(())
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::make_durable;
    use crate::{Options, Store};

    #[test]
    fn after_a_failed_sync_nothing_is_acknowledged_until_the_database_is_rebuilt() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let mut agent = store.agent("counter", "a").unwrap();
        agent.set_state("1").unwrap();
        let commit = agent.commit().unwrap().unwrap();
        agent.sync_handle().unwrap().fail();

        assert_eq!(make_durable(&commit).unwrap_err().code(), "storage_failed");
        assert_eq!(agent.begin().unwrap_err().code(), "storage_failed");
        assert_eq!(agent.set_state("2").unwrap_err().code(), "storage_failed");

        agent.rebuild().unwrap();
        assert_eq!(agent.state().unwrap().as_deref(), Some("1"));
        agent.begin().unwrap();
        agent.set_state("2").unwrap();
        make_durable(&agent.commit().unwrap().unwrap()).unwrap();
        assert_eq!(make_durable(&commit).unwrap_err().code(), "storage_failed");
    }

    #[test]
    fn one_sync_covers_every_commit_made_before_it_and_none_after() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let mut agent = store.agent("counter", "a").unwrap();
        let mut commit = |n: &str| {
            agent.set_state(n).unwrap();
            agent.commit().unwrap().unwrap()
        };
        let (first, second) = (commit("1"), commit("2"));
        make_durable(&first).unwrap();
        assert!(second.is_durable());
        assert!(!commit("3").is_durable());
    }
}
