//! What becomes of segments that the journal needs no more: handed over to history, and taken apart by a thread of its own.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use hostel_journal::{AgentId, Archive, DIR, Disk, Extent, LocalDisk, Log, Lsn, segment};
use parking_lot::{Condvar, Mutex};

use crate::HistoryOptions;

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
    ends: bool,
}

impl Historian {
    /// Reads nothing but the names in the directory.
    pub(crate) fn new(disk: LocalDisk, options: &HistoryOptions) -> io::Result<Self> {
        let policy = options.clone();
        let archive = Arc::new(Archive::new(disk, move |class: &str| policy.of(class)));
        // What an earlier process kept goes first, so that there is never a hole in what is kept.
        let off = options.is_off() && archive.is_empty()?;
        Ok(Self { archive, off, work: Arc::default(), thread: Mutex::default() })
    }

    pub(crate) fn archive(&self) -> &Archive<LocalDisk> {
        &self.archive
    }

    /// Takes a segment out of the journal's directory, durably.
    pub(crate) fn take(&self, disk: &LocalDisk, extent: Extent) -> io::Result<()> {
        if self.off || extent.is_empty() {
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

    /// Starts the thread, with something to do if anything is left of an earlier process.
    pub(crate) fn start(&self) -> io::Result<()> {
        if self.off {
            return Ok(());
        }
        let (archive, work) = (Arc::clone(&self.archive), Arc::clone(&self.work));
        let thread = std::thread::Builder::new().name("hostel-history".to_owned());
        *self.thread.lock() = Some(thread.spawn(move || work.run(&archive))?);
        self.wake();
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
        loop {
            while !state.due && !state.ends {
                self.bell.wait(&mut state);
            }
            if state.ends {
                return;
            }
            state.due = false;
            parking_lot::MutexGuard::unlocked(&mut state, || tend(archive));
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
