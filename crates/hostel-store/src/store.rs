//! The store: a data directory, or its double in memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::connect::Blank;
use crate::durability::{Commit, sync_dir};
use crate::keeper::Keeper;
use crate::kept::KeptLog;
use crate::layout::{Layout, relative};
use crate::listing::{self, AgentEntry};
use crate::lock::DirLock;
use crate::node::{NodeDb, Ticket};
use crate::registry::Registry;
use crate::{AgentDb, AgentKey, Error, ErrorKind, Options, adopt, key, portable};
use hostel_journal::{Counts as JournalCounts, Summons};

/// All agents of one node. Cheap to clone; any thread may use it.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

/// What every open database of a store shares.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) layout: Layout,
    pub(crate) in_memory: bool,
    pub(crate) registry: Arc<Registry>,
    /// `None` in memory.
    pub(crate) keeper: Option<Arc<Keeper>>,
    /// Databases that were closed with something in SQLite's log that is not in the file: how much of it is durable.
    pub(crate) cuts: Mutex<HashMap<String, KeptLog>>,
    /// Databases whose files are not what the journal says, and will be after a restart.
    pub(crate) stale: Mutex<HashSet<String>>,
    blank: Option<Blank>,
    pub(crate) node: NodeDb,
    housekeeping: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let (Some(keeper), housekeeping) = (self.keeper.take(), self.housekeeping.lock().take()) else { return };
        let on_writer = keeper.journal.is_writer();
        let end = move || {
            keeper.shut_down();
            if housekeeping.is_some_and(|thread| thread.join().is_err()) {
                tracing::error!("the journal's keeper panicked");
            }
        };
        // The last handle may go with an acknowledgement, on the journal's own thread.
        if on_writer { drop(std::thread::spawn(end)) } else { end() }
    }
}

impl Inner {
    /// Refuses a write that could not become durable.
    pub(crate) fn accepts(&self) -> Result<(), Error> {
        self.keeper.as_ref().map_or(Ok(()), |keeper| keeper.accepts())
    }

    /// Refuses an agent whose file is not what the journal says.
    pub(crate) fn check_stale(&self, key: &AgentKey) -> Result<(), Error> {
        if !self.stale.lock().contains(&relative(key)) {
            return Ok(());
        }
        let message = format!(
            "agent {key}: its database was replaced, and the new one could not be put in place; restart the server to have it put there from the journal"
        );
        Err(Error::new(ErrorKind::Failed, message))
    }

    /// The file that new agents start from.
    pub(crate) fn blank(&self) -> Result<&Blank, Error> {
        self.blank.as_ref().ok_or_else(|| Error::new(ErrorKind::Failed, "a store in memory has no files"))
    }
}

impl Store {
    /// Opens a data directory, creating it if need be, and takes it for this process. Files that an
    /// earlier process left unfinished are finished or removed.
    ///
    /// # Errors
    ///
    /// `storage_locked`, naming the directory and the pid, if another process has it; otherwise if the
    /// directory cannot be written or the node's register cannot be opened.
    pub fn open(dir: &Path, options: Options) -> Result<Self, Error> {
        let failed = |e| Error::directory(dir, "opening it", &e);
        fs::create_dir_all(dir).map_err(failed)?;
        let root = dir.canonicalize().map_err(failed)?;
        let layout = Layout::new(root.clone());
        let lock = DirLock::take(dir, &layout.lock())?;
        portable::backup::enter(&root)?;
        prepare(&layout).map_err(failed)?;
        adopt::adopt(&layout)?;
        let (keeper, housekeeping) = Keeper::open(&root, lock, &options)?;
        let inner = Inner {
            keeper: Some(keeper),
            housekeeping: Mutex::new(Some(housekeeping)),
            cuts: Mutex::default(),
            stale: Mutex::default(),
            blank: Some(Blank::build(layout.temporary())?),
            node: NodeDb::open(&layout.node())?,
            registry: Arc::default(),
            in_memory: false,
            layout,
            options,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// A store without a disk, for tests: each agent's database lives in memory as long as the store, and
    /// opening an agent again finds it. Commits are durable at once.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    pub fn in_memory(options: Options) -> Result<Self, Error> {
        let root = PathBuf::from(":memory:");
        let inner = Inner {
            blank: None,
            node: NodeDb::in_memory()?,
            keeper: None,
            housekeeping: Mutex::default(),
            cuts: Mutex::default(),
            stale: Mutex::default(),
            registry: Arc::default(),
            in_memory: true,
            layout: Layout::new(root),
            options,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The database of one agent. Nothing is read before the first use and nothing is created before the
    /// first write.
    ///
    /// # Errors
    ///
    /// `name_invalid` or `name_too_long`, if no file can be named after it.
    pub fn agent(&self, namespace: &str, name: &str) -> Result<AgentDb, Error> {
        let key = AgentKey::new(namespace, name);
        key.check(&self.inner.options)?;
        Ok(AgentDb::new(Arc::clone(&self.inner), key))
    }

    /// Has `done` called when `commit`, and with it every earlier commit of the same agent, would survive the loss of
    /// power, or never will. Does not block. `done` runs on the journal's thread, or here if it is settled already; it must
    /// be short and must not wait for another commit.
    pub fn submit(&self, commit: Commit, done: impl FnOnce(Result<(), Error>) + Send + 'static) {
        commit.then(Box::new(done));
    }

    /// Has commits gathered: they are written when [`Store::write_now`] is called, for which `summons` asks, or when
    /// somebody waits for one, or when there are many. For an event loop, which answers at the end of a round: all turns of
    /// the round then share a sync. `None` ends it.
    pub fn gather(&self, summons: Option<Summons>) {
        if let Some(keeper) = &self.inner.keeper {
            keeper.journal.gather(summons);
        }
    }

    /// Has every commit so far written, without waiting for it.
    pub fn write_now(&self) {
        if let Some(keeper) = &self.inner.keeper {
            keeper.journal.write_now();
        }
    }

    /// Gives memory of databases that were closed back to the kernel. Takes milliseconds for each hundred megabytes: for
    /// when many were closed.
    pub fn give_back_memory(&self) {
        hostel_vfs::give_back_memory();
    }

    /// What the journal has written since the start.
    pub fn journal_counts(&self) -> JournalCounts {
        self.inner.keeper.as_ref().map(|keeper| keeper.journal.counts()).unwrap_or_default()
    }

    /// Rises whenever agents that stay open should [keep up](crate::AgentDb::keep_up), so that the journal can let go of what they
    /// have written.
    pub fn tide(&self) -> u64 {
        self.inner.keeper.as_ref().map_or(0, |keeper| keeper.tide.load(std::sync::atomic::Ordering::Acquire))
    }

    /// Syncs the agents' files as far as they are closed, and removes what the journal needs no more. It happens by itself
    /// in the background; this is for operators and tests.
    pub fn checkpoint(&self) {
        if let Some(keeper) = &self.inner.keeper {
            keeper.checkpoint();
        }
    }

    /// Agents that have a database, of a class or all, sub-agents included, in the order of their files, starting after the
    /// [`cursor`](AgentEntry::cursor) of the last one seen. Reads the directory and, for each agent that is
    /// not open, the name inside its file.
    ///
    /// # Errors
    ///
    /// If a directory cannot be read. A damaged file does not fail the listing; its entry says so.
    pub fn agents(&self, namespace: Option<&str>, limit: usize, after: Option<&str>) -> Result<Vec<AgentEntry>, Error> {
        check(namespace)?;
        listing::list(&self.inner, namespace, limit, after)
    }

    /// How many agents of a class have a database. Reads directories only, no files.
    ///
    /// # Errors
    ///
    /// If a directory cannot be read.
    pub fn count(&self, namespace: &str) -> Result<u64, Error> {
        check(Some(namespace))?;
        listing::count(&self.inner, namespace)
    }

    /// How many bytes of history each class has on disk, by namespace; what is still in the journal does not count. Reads
    /// directories only.
    ///
    /// # Errors
    ///
    /// If a directory cannot be read.
    pub fn history_sizes(&self) -> Result<BTreeMap<String, u64>, Error> {
        let Some(keeper) = &self.inner.keeper else { return Ok(BTreeMap::new()) };
        keeper.archive().sizes().map_err(|e| Error::io("the history", "measuring it", e))
    }

    /// All registered wake-ups, earliest first, in Unix milliseconds.
    ///
    /// # Errors
    ///
    /// If the node's register cannot be read.
    pub fn alarms(&self) -> Result<Vec<(AgentKey, i64)>, Error> {
        self.inner.node.alarms()
    }

    /// The time that [`Store::note_time`] noted last, in Unix milliseconds.
    ///
    /// # Errors
    ///
    /// If the node's register cannot be read.
    pub fn noted_time(&self) -> Result<Option<i64>, Error> {
        self.inner.node.noted_time()
    }

    /// Notes what time it is, for the next start. Not synced.
    ///
    /// # Errors
    ///
    /// If the node's register cannot be written.
    pub fn note_time(&self, now_ms: i64) -> Result<(), Error> {
        self.inner.node.note_time(now_ms)
    }

    /// The latest that the registered wake-up of one agent may be once everything queued is written, in Unix milliseconds;
    /// `None` if there is or may be none.
    ///
    /// # Errors
    ///
    /// If the node's register cannot be read.
    pub fn registered_alarm(&self, key: &AgentKey) -> Result<Option<i64>, Error> {
        self.inner.node.latest_alarm(key)
    }

    /// Registers the wake-up of an agent in place of its earlier one. Durable when it returns, so it blocks
    /// for a sync.
    ///
    /// # Errors
    ///
    /// If the node's register cannot be written.
    pub fn register_alarm(&self, key: &AgentKey, at_ms: i64) -> Result<(), Error> {
        self.inner.node.register(key, at_ms)
    }

    /// Has the wake-up of an agent registered, or removed, after every change that was queued before. It is done and durable
    /// when [`QueuedAlarm::settle`] returns, and changes that are settled at the same time share a sync.
    pub fn queue_alarm(&self, key: &AgentKey, at_ms: Option<i64>) -> QueuedAlarm {
        QueuedAlarm { store: self.clone(), ticket: self.inner.node.queue(key, at_ms) }
    }

    /// What [`Store::note_declared`] noted for a class.
    ///
    /// # Errors
    ///
    /// If the node's register cannot be read.
    pub fn declared(&self, namespace: &str) -> Result<Option<String>, Error> {
        self.inner.node.declared(namespace)
    }

    /// Notes what a class declares, once all its agents are in step with it. Durable when it returns.
    ///
    /// # Errors
    ///
    /// If the node's register cannot be written.
    pub fn note_declared(&self, namespace: &str, fingerprint: &str) -> Result<(), Error> {
        self.inner.node.note_declared(namespace, fingerprint)
    }

    /// Removes the wake-up of an agent; with `only_if_at_ms` only if it is for that moment. Durable when it
    /// returns.
    ///
    /// # Errors
    ///
    /// If the node's register cannot be written.
    pub fn clear_alarm(&self, key: &AgentKey, only_if_at_ms: Option<i64>) -> Result<(), Error> {
        self.inner.node.clear(key, only_if_at_ms)
    }
}

/// A change of the register on its way.
#[must_use = "nothing is written before it is settled"]
#[derive(Debug)]
pub struct QueuedAlarm {
    store: Store,
    ticket: Ticket,
}

impl QueuedAlarm {
    /// Returns when the change is durable, so it blocks for a sync.
    ///
    /// # Errors
    ///
    /// If the node's register cannot be written.
    pub fn settle(self) -> Result<(), Error> {
        self.store.inner.node.settle(&self.ticket)
    }
}

fn check(namespace: Option<&str>) -> Result<(), Error> {
    namespace.map_or(Ok(()), key::check_namespace)
}

/// Creates the layout and removes unfinished files.
fn prepare(layout: &Layout) -> std::io::Result<()> {
    for dir in [layout.agents(), layout.temporary()] {
        fs::create_dir_all(dir)?;
    }
    for entry in fs::read_dir(layout.temporary())? {
        fs::remove_file(entry?.path())?;
    }
    sync_dir(layout.root())
}
