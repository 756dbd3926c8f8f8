//! History: what happens to a record when nobody needs it to bring a file up to date any more.
//!
//! A segment that leaves the log is handed over ([`Archive::take_over`]): a rename, nothing more. In the background
//! ([`Archive::tend`]) its records are sorted by class and agent into files that never change again, each with an index, and
//! the segment goes. What is older than a class keeps is folded into the class's base: one whole image of each agent.
//! Nothing of this is read at a start.
//!
//! At every moment a record is in at least one place, and readers take each once: so a crash at any step costs nothing.

mod check;
mod fold;
mod format;
mod gaps;
mod import;
mod merge;
mod names;
mod past;
mod read;
mod retain;
mod split;
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
use crate::log::LiveSegment;
use crate::record::AgentId;
use crate::segment::Extent;
use crate::{DIR, Lsn, points};
pub use check::{Findings, Flaw};
use format::FileKind;
use gaps::{Gap, Gaps};
use names::{FileName, HISTORY, PENDING, Pending, sort_out};
pub use past::{Listing, Past, read_live};
use past::{live_listing, open_pending};
use read::Hist;
pub use trail::Trail;
use walk::Walk;

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

/// What [`Archive::tend`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tended {
    /// Segments that were taken apart.
    pub segments: u64,
    /// Records that moved into history files.
    pub records: u64,
    /// Files that were merged or folded into a base.
    pub merged: u64,
    /// It was stopped before it was done.
    pub stopped: bool,
}

type Policy = Box<dyn Fn(&str) -> Retention + Send + Sync>;

/// Everything that may hold something of a class, open.
#[derive(Debug, Default)]
struct Class {
    pending: Vec<(String, Walk)>,
    hists: Vec<Hist>,
    /// Files in which nothing can be read.
    damage: Vec<String>,
    gaps: Vec<Gap>,
}

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

    /// Takes a segment that has left the log over, whose records end at `end`. Durable when it returns; may be done again.
    /// A segment without records is removed.
    ///
    /// # Errors
    /// If the file system refuses; then the segment is where it was, or is handed over.
    pub fn take_over(&self, segment_path: &str, id: u64, end: u64) -> io::Result<()> {
        points::pass("archive")?;
        self.make_ready()?;
        if (Extent { id, end }).is_empty() {
            self.disk.remove(segment_path)?;
            return self.disk.sync_dir(DIR);
        }
        let path = Pending { id, end }.path();
        match self.disk.rename(segment_path, &path) {
            // It was handed over before.
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.disk.open(&path).is_ok() => {}
            other => other?,
        }
        self.disk.sync_dir(PENDING)?;
        self.disk.sync_dir(DIR)
    }

    /// Takes a copy of a segment that stays where it is, because it is damaged and somebody may want to look at it.
    /// Durable when it returns.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn take_copy(&self, segment_path: &str, id: u64, end: u64) -> io::Result<()> {
        const NEW: &str = "history/pending/new.tmp";
        self.make_ready()?;
        self.disk.remove(NEW)?;
        let (from, to) = (self.disk.open(segment_path)?, self.disk.create(NEW, 0)?);
        let mut chunk = vec![0; 1 << 20];
        let mut at = 0;
        while at < end {
            let wanted = usize::try_from(end - at).map_or(chunk.len(), |left| left.min(chunk.len()));
            let read = from.read_at(at, &mut chunk[..wanted])?;
            if read == 0 {
                break;
            }
            to.write_at(at, &chunk[..read])?;
            at += read as u64;
        }
        to.sync()?;
        self.disk.rename(NEW, &Pending { id, end }.path())?;
        self.disk.sync_dir(PENDING)
    }

    /// Remembers that something of `agent` at or before `lsn` will never be in history, or is not in its file: no image is
    /// carried across. Durable when it returns.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn note_gaps(&self, agents: impl IntoIterator<Item = AgentId>, lsn: Lsn) -> io::Result<()> {
        let gaps: Vec<Gap> = agents.into_iter().map(|agent| Gap { agent: Some(agent), lsn }).collect();
        if gaps.is_empty() { Ok(()) } else { self.add_gaps(&gaps) }
    }

    fn add_gaps(&self, gaps: &[Gap]) -> io::Result<()> {
        self.make_ready()?;
        let _one = self.gaps.lock();
        Gaps::read(&self.disk)?.add(&self.disk, gaps)
    }

    /// Makes the directories, and makes durable what an earlier process has handed over: after a kill that may be in the
    /// kernel's memory alone, and a segment that comes back when younger ones are gone is not part of the log any more.
    /// To be done at a start before anything is removed from the log's directory.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn make_ready(&self) -> io::Result<()> {
        if self.ready.load(Ordering::Acquire) {
            return Ok(());
        }
        self.disk.create_dir(PENDING)?;
        self.disk.sync_dir(PENDING)?;
        self.disk.sync_dir(HISTORY)?;
        self.disk.sync_dir("")?;
        self.ready.store(true, Ordering::Release);
        Ok(())
    }

    /// Takes apart what was handed over, and lets go of what is older than it needs to be. `now_ms` is the time in Unix
    /// milliseconds. May stop anywhere, by [`Archive::stop`] or a crash, and be done again.
    ///
    /// # Errors
    /// If the file system refuses. What was handed over stays.
    pub fn tend(&self, now_ms: i64) -> io::Result<Tended> {
        let _one = self.tending.lock();
        let mut done = Tended::default();
        let went = self.tend_all(now_ms, &mut done);
        done.stopped = self.stopped.load(Ordering::Acquire);
        match went {
            Err(e) if e.kind() == io::ErrorKind::Interrupted && done.stopped => Ok(done),
            other => other.map(|()| done),
        }
    }

    fn tend_all(&self, now_ms: i64, done: &mut Tended) -> io::Result<()> {
        let pending = self.pending()?;
        let namespaces = self.namespaces()?;
        if pending.is_empty() && namespaces.is_empty() {
            return Ok(());
        }
        self.make_ready()?;
        // First what is not kept at all: otherwise there would be a hole between old turns and new ones.
        for namespace in namespaces.iter().filter(|namespace| self.retention(namespace).keeps_nothing()) {
            let _step = self.steps.write();
            self.forget(namespace)?;
        }
        let mut failed = Ok(());
        for pending in pending {
            let _step = self.steps.write();
            match self.take_apart(pending) {
                Ok(records) => {
                    done.segments += 1;
                    done.records += records;
                }
                // One that is damaged as a whole stays, and is told of with every reading.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => failed = Err(error),
                Err(error) => return Err(error),
            }
        }
        for namespace in self.namespaces()? {
            let _step = self.steps.write();
            done.merged += self.retain(&namespace, now_ms)?;
        }
        failed
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

    /// What history holds of an agent, in order and each once: base, files, and what was handed over. To be read *after*
    /// the live log, see [`read_live`]; [`Archive::listing`] does both.
    ///
    /// # Errors
    /// If a file cannot be read; `InvalidData`, with a sentence, if something of this agent is damaged.
    pub fn records(&self, namespace: &str, agent: AgentId) -> io::Result<Vec<Past>> {
        self.listing(&[], namespace, agent)?.whole()
    }

    /// What the live log and history hold of an agent, and what of it is damaged. `live` is
    /// [`Log::live`](crate::Log::live), asked for just before.
    ///
    /// # Errors
    /// If a file cannot be read; `InvalidData` if a handed-over segment is damaged so that nothing in it can be told apart.
    pub fn listing(&self, live: &[LiveSegment], namespace: &str, agent: AgentId) -> io::Result<Listing> {
        let mut listing = live_listing(&self.disk, live, agent)?;
        let Class { pending, hists, damage, gaps: suspected } = self.open_class(namespace)?;
        let mut archived = Listing { damage, ..Listing::default() };
        for (path, walk) in pending {
            archived.add_segment(&path, walk, agent)?;
        }
        // A segment that came back after a power cut may hold what was folded into the base long since.
        if let Some(base) = hists.iter().find(|hist| hist.facts.kind == FileKind::Base) {
            archived.records.retain(|past| past.turn() > base.facts.last.cast_signed());
        }
        for hist in hists {
            archived.add_file(&hist, agent)?;
        }
        listing.append(archived);
        let mut gaps = Gaps::read(&self.disk)?;
        gaps.suspect(suspected);
        listing.settle(&gaps);
        Ok(listing)
    }

    /// Opens everything that may hold something of a class, at one moment.
    fn open_class(&self, namespace: &str) -> io::Result<Class> {
        let _nothing_goes = self.files.read();
        let mut class = Class::default();
        for pending in self.pending()? {
            class.pending.push((pending.path(), open_pending(&self.disk, pending)?.1));
        }
        let (count, _) = sort_out(&self.disk.list(&names::dir(namespace))?);
        for name in count {
            match Hist::open(&self.disk, &name.path(namespace)) {
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    class.damage.push(error.to_string());
                    class.gaps.extend(name.gap());
                }
                hist => class.hists.push(hist?),
            }
        }
        Ok(class)
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

    /// Whether there is nothing: no history, and nothing handed over.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(self.pending()?.is_empty() && self.namespaces()?.is_empty())
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

    /// Removes files of a class, in this order, while nobody is looking.
    fn remove(&self, namespace: &str, files: &[FileName]) -> io::Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let _nobody_looks = self.files.write();
        files.iter().try_for_each(|name| self.disk.remove(&name.path(namespace)))?;
        self.disk.sync_dir(&names::dir(namespace))
    }

    /// Removes everything of a class, oldest first: what is left after a crash has no hole.
    fn forget(&self, namespace: &str) -> io::Result<()> {
        let (count, replaced) = sort_out(&self.disk.list(&names::dir(namespace))?);
        self.remove(namespace, &replaced)?;
        count.iter().try_for_each(|name| self.remove(namespace, std::slice::from_ref(name)))
    }

    fn salt(&self, what: &str) -> u64 {
        self.salts.hash_one((what, std::time::SystemTime::now()))
    }
}
