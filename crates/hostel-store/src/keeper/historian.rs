//! What becomes of segments that the journal needs no more: handed over to history, and taken apart by a thread of its own.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hostel_journal::{AgentId, Archive, DIR, Disk, Extent, LocalDisk, Log, Lsn, segment};
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::HistoryOptions;

/// How often what a class keeps is compared with what it has, if nothing is handed over meanwhile.
const PERIOD: Duration = Duration::from_secs(60 * 60);
/// The same after the start, which itself reads nothing of history.
const FIRST: Duration = Duration::from_secs(60);

/// The archive of a data directory, with its thread.
#[derive(Debug)]
pub(crate) struct Historian {
    archive: Arc<Archive<LocalDisk>>,
    /// Nothing is kept and nothing was: segments are simply removed.
    off: bool,
    work: Arc<Work>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Work {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct State {
    due: bool,
    busy: bool,
    ends: bool,
}

impl Historian {
    /// Reads nothing but the names in the directory.
    pub(crate) fn new(disk: LocalDisk, options: &HistoryOptions) -> io::Result<Self> {
        let policy = options.clone();
        let archive = Arc::new(Archive::new(disk, move |class: &str| policy.of(class)));
        // What an earlier process kept goes first, so that there is never a hole in what is kept.
        let off = options.is_off() && archive.is_empty()?;
        if !off {
            archive.make_ready()?;
        }
        Ok(Self { archive, off, work: Arc::default(), thread: Mutex::default() })
    }

    pub(crate) fn archive(&self) -> &Archive<LocalDisk> {
        &self.archive
    }

    /// Takes a segment out of the journal's directory, durably.
    pub(crate) fn take(&self, disk: &LocalDisk, extent: Extent) -> io::Result<()> {
        if self.off {
            return Log::remove(disk, extent.id);
        }
        self.archive.take_over(&extent.path(), extent.id, extent.end)
    }

    /// The turns of these agents up to `lsn` are not, or not all, in their files: what comes later does not build on them.
    pub(crate) fn keep_from(&self, agents: impl Iterator<Item = AgentId>, lsn: Lsn) -> io::Result<()> {
        if self.off { Ok(()) } else { self.archive.note_gaps(agents, lsn) }
    }

    /// Puts a damaged segment aside for somebody to look at. History gets a copy of what can be read of it.
    pub(crate) fn keep(&self, disk: &LocalDisk, extent: Extent) -> io::Result<()> {
        if !self.off && !extent.is_empty() {
            self.archive.take_copy(&extent.path(), extent.id, extent.end)?;
        }
        put_aside(disk, extent.id)
    }

    /// Starts the thread, with something to do if an earlier process has left something handed over.
    pub(crate) fn start(&self) -> io::Result<()> {
        if self.off {
            return Ok(());
        }
        self.work.state.lock().due = self.archive.has_pending()?;
        let (archive, work) = (Arc::clone(&self.archive), Arc::clone(&self.work));
        let thread = std::thread::Builder::new().name("hostel-history".to_owned());
        *self.thread.lock() = Some(thread.spawn(move || work.run(&archive))?);
        Ok(())
    }

    /// Something was handed over.
    pub(crate) fn wake(&self) {
        self.work.state.lock().due = true;
        self.work.bell.notify_all();
    }

    /// Has the thread end soon. What it does not get done is done at the next start.
    pub(crate) fn stop(&self) {
        self.archive.stop();
        self.work.state.lock().ends = true;
        self.work.bell.notify_all();
    }

    /// Waits for the thread's end.
    pub(crate) fn join(&self) {
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of history panicked");
        }
    }
}

/// Renames a segment, durably, so that it does not count any more.
pub(super) fn put_aside(disk: &LocalDisk, id: u64) -> io::Result<()> {
    let path = segment::path(id);
    disk.rename(&path, &format!("{path}.damaged"))?;
    disk.sync_dir(DIR)
}

impl Work {
    fn run(&self, archive: &Archive<LocalDisk>) {
        let mut state = self.state.lock();
        let mut patience = FIRST;
        while !state.ends {
            if state.due || self.bell.wait_for(&mut state, patience).timed_out() {
                (state.due, state.busy, patience) = (false, true, PERIOD);
                MutexGuard::unlocked(&mut state, || tend(archive));
                state.busy = false;
                self.bell.notify_all();
            }
        }
    }

    /// Waits until there is nothing to do.
    #[cfg(test)]
    fn rest(&self) {
        let mut state = self.state.lock();
        while state.due || state.busy {
            self.bell.wait(&mut state);
        }
    }
}

fn tend(archive: &Archive<LocalDisk>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    match archive.tend(i64::try_from(now.as_millis()).unwrap_or(i64::MAX)) {
        Ok(done) if done.segments + done.merged > 0 => {
            tracing::debug!(
                segments = done.segments,
                turns = done.records,
                merged = done.merged,
                "history is in order"
            );
        }
        Ok(_) => {}
        Err(error) => tracing::error!(%error, "history could not be put in order; what was handed over stays"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::durability::make_durable;
    use crate::{AgentKey, Options, Store};

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).map(|all| all.map(|entry| entry.unwrap().file_name().into_string().unwrap()));
        entries.map(Iterator::collect).unwrap_or_default()
    }

    fn turn(store: &Store, name: &str) {
        let mut agent = store.agent("counter", name).unwrap();
        let state = format!("{}1", agent.state().unwrap().as_deref().unwrap_or_default());
        agent.begin().unwrap();
        agent.set_state(&state).unwrap();
        make_durable(&agent.commit().unwrap().unwrap()).unwrap();
    }

    fn turns(store: &Store, name: &str) -> usize {
        let keeper = store.inner.keeper.as_ref().unwrap();
        keeper.listing(&AgentKey::new("counter", name)).unwrap().whole().unwrap().len()
    }

    fn rest(store: &Store) {
        store.inner.keeper.as_ref().unwrap().historian.work.rest();
    }

    #[test]
    fn a_clean_stop_leaves_only_the_lease_and_the_next_process_takes_the_rest_apart() {
        let dir = tempfile::tempdir().unwrap();
        for life in 1..=3 {
            let store = Store::open(dir.path(), Options::default()).unwrap();
            turn(&store, "a");
            rest(&store);
            assert_eq!(names(&dir.path().join("history/counter")).len(), life - 1);
            assert_eq!(turns(&store, "a"), life);
            drop(store);
            assert_eq!(names(&dir.path().join("journal")), ["lease"]);
            assert_eq!(names(&dir.path().join("history/pending")).len(), 1);
        }
    }

    /// The directory as a kill would leave it.
    fn killed(dir: &Path) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        let copied = std::process::Command::new("cp").arg("-a").arg(dir.join(".")).arg(copy.path()).status();
        assert!(copied.unwrap().success());
        copy
    }

    #[test]
    fn after_a_crash_what_was_replayed_is_history_too() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        turn(&store, "a");
        let copy = killed(dir.path());
        let after = Store::open(copy.path(), Options::default()).unwrap();
        turn(&after, "a");
        rest(&after);
        assert_eq!(names(&copy.path().join("history/pending")), Vec::<String>::new());
        assert_eq!(turns(&after, "a"), 2);
    }

    #[test]
    fn a_damaged_journal_costs_history_what_is_damaged_and_casts_no_doubt_on_others() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        ["a", "b", "a", "b", "a"].iter().for_each(|name| turn(&store, name));
        let copy = killed(dir.path());
        let segment = copy.path().join("journal/0000000000000001.seg");
        let mut bytes = fs::read(&segment).unwrap();
        // The third record, of `a`, by its number and that of its batch.
        let third = [3_u64.to_le_bytes(), 3_u64.to_le_bytes()].concat();
        let at = bytes.windows(16).position(|window| window == third).unwrap();
        bytes[at + 150] ^= 1;
        fs::write(&segment, bytes).unwrap();

        let after = Store::open(copy.path(), Options::default()).unwrap();
        turn(&after, "b");
        rest(&after);
        assert!(copy.path().join("journal/0000000000000001.seg.damaged").exists());
        let keeper = after.inner.keeper.as_ref().unwrap();
        let b = keeper.listing(&AgentKey::new("counter", "b")).unwrap().whole().unwrap();
        assert_eq!(
            b.iter().map(|past| (past.turn(), past.broken)).collect::<Vec<_>>(),
            [(2, false), (4, false), (6, false)]
        );
        let a = keeper.listing(&AgentKey::new("counter", "a")).unwrap();
        assert_eq!(
            a.records.iter().map(|past| (past.turn(), past.broken)).collect::<Vec<_>>(),
            [(1, false), (5, true)]
        );
    }

    #[test]
    fn without_history_nothing_is_handed_over_and_what_there_was_goes() {
        let dir = tempfile::tempdir().unwrap();
        let off = Options { history: HistoryOptions::off(), ..Options::default() };
        turn(&Store::open(dir.path(), off.clone()).unwrap(), "a");
        assert!(!dir.path().join("history").exists());
        turn(&Store::open(dir.path(), Options::default()).unwrap(), "a");
        let store = Store::open(dir.path(), off.clone()).unwrap();
        rest(&store);
        turn(&store, "a");
        drop(store);
        let store = Store::open(dir.path(), off).unwrap();
        rest(&store);
        assert!(store.inner.keeper.as_ref().unwrap().archive().is_empty().unwrap());
        assert_eq!(turns(&store, "a"), 0);
    }
}
