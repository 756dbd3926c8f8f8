//! What git programs leave behind that end in the middle: the locks of files that they were about to replace.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use super::{Git, Repo};

/// How long a git program that outlived its server has to come to its end.
const PATIENCE: Duration = Duration::from_secs(5);
const OFTEN: Duration = Duration::from_millis(100);

/// How far the clock of files may be from that of programs.
const SLACK: Duration = Duration::from_millis(50);

/// How deep the names of branches are looked through.
const DEEPEST: usize = 12;

/// Which directories of git's may hold locks that nobody removes: those that a program of ours was cut off in, and, until they are
/// looked at, all that there were before we began.
#[derive(Debug)]
pub(super) struct Calm {
    began: SystemTime,
    known: Mutex<HashMap<PathBuf, Known>>,
}

#[derive(Debug)]
struct Known {
    doubt: Option<Doubt>,
    /// How many programs of ours are in it.
    at_work: usize,
}

/// When the locks were made that may be left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Doubt {
    from: SystemTime,
    to: SystemTime,
}

impl Doubt {
    fn until(to: SystemTime) -> Self {
        Self { from: SystemTime::UNIX_EPOCH, to }
    }

    fn and(self, other: Option<Self>) -> Self {
        let other = other.unwrap_or(self);
        Self { from: self.from.min(other.from), to: self.to.max(other.to) }
    }

    /// Whether the lock is of that time. One that somebody made before or since is theirs.
    fn covers(self, lock: &Path) -> bool {
        modified(lock).is_some_and(|made| made + SLACK >= self.from && made <= self.to + SLACK)
    }
}

impl Calm {
    pub(super) fn new() -> Self {
        Self { began: SystemTime::now(), known: Mutex::default() }
    }

    fn with<R>(&self, dir: &Path, look: impl FnOnce(&mut Known) -> R) -> R {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        look(known.entry(dir.to_owned()).or_insert_with(|| Known { doubt: Some(Doubt::until(self.began)), at_work: 0 }))
    }
}

/// A program at work in a repository. If it is dropped before [`Midway::ended`], the program was cut off.
pub(super) struct Midway<'a> {
    git: &'a Git,
    repo: Option<&'a Repo>,
    began: SystemTime,
    is_cut_off: bool,
}

impl<'a> Midway<'a> {
    pub(super) fn new(git: &'a Git, repo: Option<&'a Repo>) -> Self {
        let dirs = repo.into_iter().flat_map(Repo::dirs);
        dirs.for_each(|dir| git.calm.with(dir, |known| known.at_work += 1));
        Self { git, repo, began: SystemTime::now(), is_cut_off: true }
    }

    pub(super) fn ended(mut self) {
        self.is_cut_off = false;
    }
}

impl Drop for Midway<'_> {
    fn drop(&mut self) {
        let doubt = Doubt { from: self.began, to: SystemTime::now() };
        for dir in self.repo.into_iter().flat_map(Repo::dirs) {
            self.git.calm.with(dir, |known| {
                known.at_work -= 1;
                if self.is_cut_off {
                    known.doubt = Some(doubt.and(known.doubt));
                }
            });
        }
    }
}

impl Repo {
    /// Says that a program that is not this server's own, and is over, may have left locks here. The next operation looks for them.
    pub fn doubt(&self) {
        let doubt = Doubt::until(SystemTime::now());
        self.dirs().for_each(|dir| self.git.calm.with(dir, |known| known.doubt = Some(doubt)));
    }

    /// Says that a program that is not this server's own was cut off, and that something of it may be at work still: the next operation
    /// looks for locks that were made from `from` to `to`, and waits for their makers.
    pub fn doubt_of(&self, from: SystemTime, to: SystemTime) {
        let doubt = Doubt { from, to };
        self.dirs().for_each(|dir| self.git.calm.with(dir, |known| known.doubt = Some(doubt.and(known.doubt))));
    }

    /// Says that a program that is not this server's own was cut off, and that nothing of it is left: the locks that were made from `from`
    /// to `to` go at once, or, where a program of this server's is at work, before the next operation. Blocks.
    pub fn unlock(&self, from: SystemTime, to: SystemTime) {
        let doubt = Doubt { from, to };
        for dir in self.dirs() {
            // Nobody begins meanwhile.
            self.git.calm.with(dir, |known| {
                if known.at_work > 0 {
                    known.doubt = Some(doubt.and(known.doubt));
                    return;
                }
                for lock in self.locks(dir).iter().filter(|lock| doubt.covers(lock)) {
                    let _ = std::fs::remove_file(lock);
                }
            });
        }
    }

    /// Before the first program in this repository, and the first one after one was cut off: git programs that were at work before may
    /// be so still, for they do not end with the server, or may have ended in the middle and left locks that nothing removes. Those
    /// are waited for, a while, and removed. Without such a lock nothing is waited for.
    pub(super) async fn calmed(&self) {
        for dir in self.dirs() {
            self.calm(dir).await;
        }
    }

    async fn calm(&self, dir: &Path) {
        let Some(doubt) = self.git.calm.with(dir, |known| known.doubt) else { return };
        let until = Instant::now() + PATIENCE + OFTEN;
        while self.has_left(dir, doubt) {
            if Instant::now() >= until {
                return;
            }
            tokio::time::sleep(OFTEN).await;
        }
        // Another may have been cut off meanwhile.
        self.git.calm.with(dir, |known| known.doubt = known.doubt.filter(|now| *now != doubt));
    }

    /// Removes what is old enough, unless a program of ours is at work there, and says whether there is more.
    fn has_left(&self, dir: &Path, doubt: Doubt) -> bool {
        let locks = self.locks(dir).into_iter().filter(|lock| doubt.covers(lock));
        let is_ours = self.git.calm.with(dir, |known| known.at_work > 0);
        locks.filter(|lock| is_ours || !is_old(lock) || std::fs::remove_file(lock).is_err()).count() > 0
    }

    fn locks(&self, dir: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        locks_in(dir, 0, &mut found);
        if dir == self.common {
            locks_in(&dir.join("refs"), DEEPEST, &mut found);
        }
        found
    }

    /// Where git has locks.
    fn dirs(&self) -> impl Iterator<Item = &Path> {
        let common = Some(&*self.common).filter(|common| *common != self.dir);
        [Some(&*self.dir), common].into_iter().flatten()
    }
}

fn modified(lock: &Path) -> Option<SystemTime> {
    std::fs::metadata(lock).and_then(|about| about.modified()).ok()
}

/// Whether a program that made it had the time to come to its end.
fn is_old(lock: &Path) -> bool {
    modified(lock).and_then(|made| made.elapsed().ok()).is_some_and(|age| age >= PATIENCE)
}

fn locks_in(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth > 0 {
            locks_in(&entry.path(), depth - 1, found);
        } else if kind.is_file() && entry.path().extension().is_some_and(|end| end == "lock") {
            found.push(entry.path());
        }
    }
}
