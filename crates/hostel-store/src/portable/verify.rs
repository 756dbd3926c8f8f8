//! The word that everything in a data directory is as it was written, or what is not. Nothing is changed, not even a time.
//!
//! Checked are the lease, every segment and record of the journal, every file of the history, every agent's database, the register of
//! wake-ups, and the sums of a backup. A database has no checksums of its own. So it is compared page by page with what journal and
//! history say was written last, as far back as they reach; of older pages only SQLite's own check can tell.

mod agents;
mod backup;
mod database;
mod family;
mod history;
mod journal;
mod pages;
mod read_only;
mod register;

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use hostel_journal::{AgentId, Archive, Kind, Retention};
use serde::Serialize;

use super::Progress;
use crate::layout::Layout;
use crate::lock::DirLock;
use crate::{Error, ErrorKind};

use read_only::ReadOnly;

/// What was checked and what was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verified {
    /// Databases that were checked.
    pub agents: u64,
    /// Records of the journal.
    pub journal_records: u64,
    /// Records of the history.
    pub history_records: u64,
    /// Databases whose check was broken off because it took too long: nothing wrong was found as far as it went. Not counted in
    /// `agents`.
    pub unfinished: Vec<String>,
    /// Bytes read.
    pub bytes: u64,
    /// Whether the next start has nothing to replay.
    pub clean: bool,
    /// What is worth knowing and no reason to worry.
    pub notes: Vec<String>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// The agents that are there: of each the first 16 bytes of the SHA-256 of its namespace, a zero byte, and its name.
    #[serde(skip)]
    pub there: HashSet<[u8; 16]>,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, below the directory.
    pub path: String,
    /// Whose it is, as far as that is known.
    pub agent: Option<String>,
    /// What is wrong with it.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// How thorough a check is.
#[derive(Clone, Copy, Debug, Default)]
pub struct VerifyOptions {
    /// How long SQLite's own check of one database may take; without it, as long as it takes.
    pub longest: Option<Duration>,
}

/// What every part of the check works on.
struct Work<'a> {
    options: VerifyOptions,
    layout: Layout,
    disk: ReadOnly,
    archive: Archive<ReadOnly>,
    done: Verified,
    family: family::Family,
    progress: &'a mut dyn FnMut(Progress),
}

impl Work<'_> {
    fn problem(&mut self, path: &str, agent: Option<String>, what: impl Into<String>, remedy: &str) {
        self.done.problems.push(Problem { path: path.to_owned(), agent, what: what.into(), remedy: remedy.to_owned() });
    }

    fn note(&mut self, note: impl Into<String>) {
        self.done.notes.push(note.into());
    }

    fn progress(&mut self, doing: &'static str, done: u64, of: u64) {
        (self.progress)(Progress { doing, done, of, bytes: self.done.bytes });
    }
}

/// Checks a data directory, or a backup, that no server uses, as thoroughly as can be. `progress` hears how far it is.
///
/// # Errors
///
/// As [`verify_with`].
pub fn verify(dir: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Verified, Error> {
    verify_with(dir, VerifyOptions::default(), progress)
}

/// Checks a data directory, or a backup, that no server uses. `progress` hears how far it is.
///
/// # Errors
///
/// `storage_locked` if a server has the directory; `storage_failed` if it is no data directory. What is wrong with its files is
/// no error but the result.
pub fn verify_with(dir: &Path, options: VerifyOptions, progress: &mut dyn FnMut(Progress)) -> Result<Verified, Error> {
    let root = dir.canonicalize().map_err(|e| Error::directory(dir, "looking for it", &e))?;
    let layout = Layout::new(root.clone());
    let lock = DirLock::look(dir, &layout.lock())?;
    let is_ours = ["agents", "journal", "staging"].iter().any(|part| root.join(part).is_dir());
    if !is_ours {
        let message =
            format!("{} is no data directory: it has neither agents nor a journal; name another", dir.display());
        return Err(Error::new(ErrorKind::Failed, message));
    }
    let disk = ReadOnly::new(&root);
    let archive = Archive::new(disk.clone(), |_: &str| Retention::default());
    let mut work =
        Work { options, disk, archive, layout, done: Verified::default(), family: family::Family::default(), progress };
    if !backup::check(&mut work) {
        return Ok(work.done);
    }
    let journal = journal::check(&mut work);
    let alarms = register::check(&mut work);
    let history = history::check(&mut work);
    let known = agents::Known { journal: &journal, history: &history, alarms: alarms.as_ref() };
    let there = agents::check(&mut work, &known);
    history.check_absent(&mut work, &there);
    let is_gone = |agent: &&AgentId| {
        let last = journal.records.get(agent).and_then(|records| records.last());
        last.is_some_and(|last| last.kind == Kind::Destroy)
    };
    work.done.there = there.iter().filter(|agent| !is_gone(agent)).map(|agent| agent.0.to_be_bytes()).collect();
    std::mem::take(&mut work.family).check(&mut work);
    if lock.is_none() && work.layout.lock().exists() {
        let message = format!("a server was started on {} meanwhile; stop it and verify again", dir.display());
        return Err(Error::new(ErrorKind::Locked, message));
    }
    Ok(work.done)
}
