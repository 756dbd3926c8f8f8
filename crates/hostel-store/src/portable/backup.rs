//! A backup of a whole data directory while it is in use, which costs what has changed since the last one.
//!
//! The files are copied as they are, in their order, perhaps torn and each at another moment; then the journal, to where it is durable. While that
//! goes on nothing leaves the journal, so it holds every page that was written into a file meanwhile, and the first start on the copy lays
//! them, as after a crash: every agent is then as it was at the moment when the end of the journal was taken. No turn waits
//! for any of this.
//!
//! The backup is a data directory itself. New files are gathered beside the old ones and put in place when all of
//! them are there, so it can be served at every moment.

mod beside;
mod catalog;
mod stage;
mod switch;

use std::fs;
use std::io;
use std::path::Path;

use hostel_journal::seams::{Lease, LeaseStore, LocalLease};
use hostel_journal::{DIR, LocalDisk};
use serde::Serialize;

use super::{Progress, tree};
use crate::keeper::Keeper;
use crate::lock::DirLock;
use crate::{Error, ErrorKind, Store};

use beside::Told;
pub(super) use beside::{BESIDE, brought};
pub use beside::{Beside, Held, LeftOut};
pub(super) use catalog::Catalog;
use stage::Stage;
pub(crate) use switch::enter;

/// The list of a whole backup.
pub(super) const LIST: &str = "backup.list";
/// The list of the state to which a switch is under way.
pub(super) const SWITCH: &str = "backup.switch";
/// A list in the making.
const NEXT: &str = "backup.next";
/// The list of a backup that was served, and is none any more.
const SERVED: &str = "backup.served";
/// Where new files are gathered.
pub(super) const STAGING: &str = "staging";
/// What belongs to a backup.
pub(super) const PARTS: [&str; 4] = ["agents", "history", "journal", BESIDE];

/// What a backup has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BackedUp {
    /// The last turn that is in it, of all agents.
    pub turn: u64,
    /// When the copy of the journal was taken, in Unix milliseconds.
    pub time_ms: i64,
    /// Files in the backup.
    pub files: u64,
    /// Files that were copied this time.
    pub copied: u64,
    /// Their bytes.
    pub copied_bytes: u64,
    /// Files that are not there any more and were removed.
    pub removed: u64,
    /// What is kept outside of databases and was worked in meanwhile: of each, what is in the backup is younger than `time_ms`, and
    /// perhaps of more than one moment.
    pub worked_in: Vec<String>,
    /// What could not be taken.
    pub left_out: Vec<LeftOut>,
}

impl Store {
    /// Brings the backup in `dir` up to date, or makes one there. Everything acknowledged before the call is in it. `dir` is a data
    /// directory afterwards: to restore, serve it, or a copy of it. It may be called at any time; it may stop anywhere.
    /// Meanwhile the journal keeps what it has, so it grows.
    ///
    /// # Errors
    ///
    /// If `dir` is neither empty nor a backup of this data directory, or is in use; if it cannot be written. The backup
    /// that was there is still one then.
    pub fn backup(&self, dir: &Path, progress: &mut dyn FnMut(Progress)) -> Result<BackedUp, Error> {
        self.backup_with(dir, &[], progress)
    }

    /// [`Store::backup`], with what is kept of agents elsewhere. What of it is at rest is in the backup as it was at the moment of the
    /// backup; what is worked in is taken after that moment, and named in the answer, as is what cannot be taken.
    ///
    /// # Errors
    ///
    /// Those of [`Store::backup`].
    pub fn backup_with(
        &self,
        dir: &Path,
        beside: &[Beside<'_>],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<BackedUp, Error> {
        let Some(keeper) = &self.inner.keeper else {
            return Err(Error::new(
                ErrorKind::Failed,
                "a store in memory has no files to back up; use a data directory",
            ));
        };
        let source = self.inner.layout.root();
        let remedy = "the backup that was there is still one; see to the cause and run it again";
        let failed = |e| Error::io("the backup", "writing it", e).with_remedy(remedy);
        check_place(source, dir)?;
        fs::create_dir_all(dir).map_err(failed)?;
        let target = dir.canonicalize().map_err(failed)?;
        check_place(source, &target)?;
        let begun = begin(source, &target)?;
        let mut work = Work { store: self, keeper, progress };
        let done = work.run(source, &target, begun.old, beside).map_err(failed)?;
        drop(begun.lock);
        Ok(done)
    }
}

struct Begun {
    lock: DirLock,
    old: Catalog,
}

/// Neither directory may be in the other: it would be copied into itself.
fn check_place(source: &Path, dir: &Path) -> Result<(), Error> {
    if dir.starts_with(source) || source.starts_with(dir) {
        let message = format!("{} and the data directory are in each other; choose another directory", dir.display());
        return Err(Error::new(ErrorKind::Failed, message));
    }
    Ok(())
}

/// Takes the directory, if it is one to write into, and finishes what an earlier backup has left.
fn begin(source: &Path, target: &Path) -> Result<Begun, Error> {
    let failed = |e| Error::io("the backup", "reading what is there", e);
    let ours = |name: &String| ["lock", "lost+found", LIST, SWITCH, NEXT, STAGING].contains(&name.as_str());
    let is_backup = [LIST, SWITCH].iter().any(|list| target.join(list).exists());
    if !is_backup && let Some(other) = tree::names(target).map_err(failed)?.into_iter().find(|name| !ours(name)) {
        let message = format!(
            "{} is neither empty nor a backup (there is {other} in it; a backup that was served is none any more); choose another directory",
            target.display()
        );
        return Err(Error::new(ErrorKind::Failed, message));
    }
    let lock = DirLock::take(target, &target.join("lock"))?;
    switch::complete(target, &mut || {}).map_err(failed)?;
    let old = Catalog::read(&target.join(LIST)).map_err(failed)?.unwrap_or_default();
    if !old.files.is_empty() && Path::new(&old.source) != source {
        let message = format!(
            "{} is a backup of {}, and this server has {}; choose another directory",
            target.display(),
            old.source,
            source.display()
        );
        return Err(Error::new(ErrorKind::Failed, message));
    }
    Ok(Begun { lock, old })
}

struct Work<'a> {
    store: &'a Store,
    keeper: &'a Keeper,
    progress: &'a mut dyn FnMut(Progress),
}

impl Work<'_> {
    fn run(&mut self, source: &Path, target: &Path, old: Catalog, beside: &[Beside<'_>]) -> io::Result<BackedUp> {
        let (mut stage, mut told) = (Stage::begin(source, target, old)?, Told::default());
        let mut seen = Vec::new();
        for beside in beside {
            let mut tell = self.tell_beside(beside, stage.copied_bytes);
            seen.push(beside::before(&mut stage, beside, &mut told, &mut tell)?);
        }
        // What is copied into the files now need not be copied with the journal.
        self.keeper.checkpoint();
        {
            let _paused = self.keeper.pause_retirement();
            self.copy_all(&mut stage, "copying databases", &tree::databases(source)?)?;
            let history: Vec<String> = tree::files(source, "history")?;
            let history: Vec<String> = history.into_iter().filter(|path| !path.ends_with(".tmp")).collect();
            self.copy_all(&mut stage, "copying history", &history)?;
            self.copy_journal(&mut stage)?;
        }
        for (beside, seen) in beside.iter().zip(&seen) {
            let mut tell = self.tell_beside(beside, stage.copied_bytes);
            beside::after(&mut stage, beside, seen, &mut told, &mut tell)?;
        }
        switch::commit(target, &stage.new)?;
        let (files, mut done) = (stage.new.files.len() as u64, 0);
        let removed = switch::complete(target, &mut || {
            done += 1;
            (self.progress)(Progress { doing: "switching", done, of: files, bytes: 0 });
        })?;
        let Stage { new, copied, copied_bytes, .. } = stage;
        let (turn, time_ms, Told { worked_in, left_out }) = (new.turn, new.time_ms, told);
        Ok(BackedUp { turn, time_ms, files, copied, copied_bytes, removed, worked_in, left_out })
    }

    /// Looking at all of them comes first, and takes its time, too.
    fn tell_beside(&mut self, beside: &Beside<'_>, bytes: u64) -> impl FnMut(u64, u64, u64) {
        tracing::debug!(of = beside.name, "looking at what is kept outside of databases");
        let mut tell =
            |done, of, bytes| (self.progress)(Progress { doing: "copying files of agents", done, of, bytes });
        tell(0, 0, bytes);
        tell
    }

    fn copy_all(&mut self, stage: &mut Stage<'_>, doing: &'static str, paths: &[String]) -> io::Result<()> {
        let of = paths.len() as u64;
        for (done, path) in (0..).zip(paths) {
            (self.progress)(Progress { doing, done, of, bytes: stage.copied_bytes });
            stage.take(path, used(path))?;
        }
        (self.progress)(Progress { doing, done: of, of, bytes: stage.copied_bytes });
        Ok(())
    }

    /// The end of the journal and the register are taken at one moment, because an earlier wake-up is registered before its turn
    /// is committed, and a later one afterwards.
    fn copy_journal(&mut self, stage: &mut Stage<'_>) -> io::Result<()> {
        let mut taken = None;
        stage.make("node.db", |place| {
            let copied = self.store.inner.node.copy_to(place, || {
                let log = self.keeper.journal.log();
                taken = Some((log.segments(), log.tail(), log.epoch()));
            });
            copied.map_err(io::Error::other)
        })?;
        let Some((segments, tail, epoch)) = taken else { return Err(io::ErrorKind::Other.into()) };
        (stage.new.turn, stage.new.time_ms) = (tail.lsn, crate::agent::now_ms());
        let of = segments.len() as u64;
        for (done, segment) in (0..).zip(&segments) {
            (self.progress)(Progress { doing: "copying the journal", done, of, bytes: stage.copied_bytes });
            stage.take(&segment.path, Some(segment.end))?;
        }
        stage.take("journal/damaged", None)?;
        let segment = segments.last().map_or(tail.segment, |segment| segment.id);
        stage.make("journal/lease", |place| {
            // The lease is below a directory of its own name.
            let root = place.parent().and_then(Path::parent).ok_or(io::ErrorKind::InvalidInput)?;
            debug_assert!(root.join(DIR).is_dir());
            LocalLease(LocalDisk::new(root)?).record(Lease { epoch, lsn: tail.lsn, segment })
        })
    }
}

/// How much of a file counts, if not all of it: of a segment that was handed over, what is before its end, which its name
/// says.
fn used(path: &str) -> Option<u64> {
    let name = path.strip_prefix("history/pending/")?.strip_suffix(".seg")?;
    u64::from_str_radix(name.split_once('-')?.1, 16).ok()
}
