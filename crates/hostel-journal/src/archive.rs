//! History: what happens to a record when nobody needs it to bring a file up to date any more.
//!
//! A segment that leaves the log is handed over ([`Archive::take_over`]): a rename, nothing more. In the background
//! ([`Archive::tend`]) its records are sorted by class and agent into files that never change again, each with an index, and
//! the segment goes. What is older than a class keeps is folded into the class's base: one whole image of each agent.
//! Nothing of this is read at a start.
//!
//! At every moment a record is in at least one place, and readers take each once: so a crash at any step costs nothing.

mod awaited;
mod check;
mod fold;
mod format;
mod gaps;
mod hand_over;
mod import;
mod look;
mod merge;
mod names;
mod past;
mod read;
mod retain;
mod roll;
mod split;
mod tend;
mod trail;
mod walk;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use crate::disk::{Disk, DiskFile};
pub use check::{Findings, Flaw};
use names::{FileName, HISTORY, PENDING, Pending, sort_out};
pub use past::{Listing, Past, read_live};
pub use tend::Tended;
pub use trail::Trail;

/// How much of a class is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Turns younger than this are kept.
    pub age: Duration,
    /// As many of the newest turns as fit into this; one whole image of each agent comes on top. Zero here or in `age`:
    /// nothing is kept.
    pub bytes: u64,
}

impl Retention {
    /// Nothing is kept.
    pub const NONE: Self = Self { age: Duration::ZERO, bytes: 0 };

    /// Whether nothing is kept.
    pub fn keeps_nothing(&self) -> bool {
        self.age.is_zero() || self.bytes == 0
    }
}

impl Default for Retention {
    /// 30 days, 4 GiB.
    fn default() -> Self {
        Self { age: Duration::from_secs(30 * 24 * 60 * 60), bytes: 4 << 30 }
    }
}

type Policy = Box<dyn Fn(&str) -> Retention + Send + Sync>;

/// The history of a data directory.
pub struct Archive<D: Disk> {
    disk: D,
    retention: Policy,
    /// Held for writing while files are removed, for reading while they are looked up and opened.
    files: RwLock<()>,
    /// One tends at a time.
    tending: Mutex<()>,
    /// Held for writing during each step of that, for reading while nothing may change.
    steps: RwLock<()>,
    gaps: Mutex<()>,
    importing: Mutex<()>,
    /// Held while a segment comes, until it is awaited, and while one is awaited no more.
    handing_over: Mutex<()>,
    /// The directories are there, durably.
    ready: AtomicBool,
    stopped: AtomicBool,
    salts: RandomState,
}

impl<D: Disk> fmt::Debug for Archive<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive").field("disk", &self.disk).finish_non_exhaustive()
    }
}

impl<D: Disk> Archive<D> {
    /// The history on `disk`; nothing is read yet. `retention` says how much of a class is kept.
    pub fn new(disk: D, retention: impl Fn(&str) -> Retention + Send + Sync + 'static) -> Self {
        Self {
            disk,
            retention: Box::new(retention),
            files: RwLock::default(),
            tending: Mutex::default(),
            steps: RwLock::default(),
            gaps: Mutex::default(),
            importing: Mutex::default(),
            handing_over: Mutex::default(),
            ready: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            salts: RandomState::new(),
        }
    }

    /// The disk under the archive.
    pub fn disk(&self) -> &D {
        &self.disk
    }

    /// How much of a class is kept.
    pub fn retention(&self, namespace: &str) -> Retention {
        (self.retention)(namespace)
    }

    /// As long as the guard is there, no file of history changes, comes or goes, but by [`Archive::take_over`] and
    /// [`Archive::import`]. Waits for the step of [`Archive::tend`] that is under way.
    pub fn pause(&self) -> RwLockReadGuard<'_, ()> {
        self.steps.read_recursive()
    }

    /// Has a [`tend`](Archive::tend) under way return soon, and every later one at once.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// Fails if it is to stop.
    fn go_on(&self) -> io::Result<()> {
        if self.stopped.load(Ordering::Acquire) { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }

    /// Bytes of history by class, without what was only handed over yet.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn sizes(&self) -> io::Result<BTreeMap<String, u64>> {
        let _nothing_goes = self.files.read();
        let mut sizes = BTreeMap::new();
        for namespace in self.namespaces()? {
            let (count, _) = sort_out(&self.disk.list(&names::dir(&namespace))?);
            let length = |name: &FileName| self.disk.open(&name.path(&namespace))?.len();
            let bytes = count.iter().map(length).sum::<io::Result<u64>>()?;
            sizes.insert(namespace, bytes);
        }
        Ok(sizes)
    }

    /// Whether there is nothing: no history, nothing handed over, and nothing of that missing.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(self.pending()?.is_empty() && self.awaited()?.is_empty() && self.namespaces()?.is_empty())
    }

    /// Whether something was handed over and not taken apart yet. Reads names only.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn has_pending(&self) -> io::Result<bool> {
        Ok(!self.pending()?.is_empty())
    }

    /// What was handed over, oldest first.
    fn pending(&self) -> io::Result<Vec<Pending>> {
        let names = self.disk.list(PENDING)?;
        let all: BTreeSet<Pending> = names.iter().filter_map(|name| Pending::parse(name)).collect();
        Ok(all.into_iter().collect())
    }

    /// The classes that have files.
    fn namespaces(&self) -> io::Result<Vec<String>> {
        let mut namespaces = Vec::new();
        for name in self.disk.list(HISTORY)? {
            // No class has a dot in its name, and every file here has one.
            if !name.contains('.') && self.disk.list(&names::dir(&name))?.iter().any(|name| name.ends_with(".hist")) {
                namespaces.push(name);
            }
        }
        namespaces.sort();
        Ok(namespaces)
    }

    fn salt(&self, what: &str) -> u64 {
        self.salts.hash_one((what, std::time::SystemTime::now()))
    }
}
