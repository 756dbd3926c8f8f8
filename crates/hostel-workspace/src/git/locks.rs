//! What git programs leave behind that end in the middle: the locks of files that they were about to replace.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use super::{Git, Repo};

/// How long a git program that outlived its server has to come to its end.
const PATIENCE: Duration = Duration::from_secs(5);
const OFTEN: Duration = Duration::from_millis(20);

/// How far the clock of files may be from that of programs, and how long a program that is being ended may still write.
const SLACK: Duration = Duration::from_secs(1);

/// How deep the names of branches are looked through.
const DEEPEST: usize = 12;

/// Since when no git program of ours can have been cut off, for each repository that one was in. In all others that may have happened
/// before we began.
#[derive(Debug)]
pub(super) struct Calm {
    began: SystemTime,
    known: Mutex<HashMap<PathBuf, Option<SystemTime>>>,
}

impl Calm {
    pub(super) fn new() -> Self {
        Self { began: SystemTime::now(), known: Mutex::default() }
    }

    /// When the last program was cut off here, unless what it left is gone.
    fn cut_off(&self, dir: &Path) -> Option<SystemTime> {
        self.known().get(dir).copied().unwrap_or(Some(self.began))
    }

    fn known(&self) -> MutexGuard<'_, HashMap<PathBuf, Option<SystemTime>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A program at work in a repository. If it is dropped before [`Midway::ended`], the program was cut off.
pub(super) struct Midway<'a> {
    git: &'a Git,
    dir: Option<&'a Path>,
}

impl<'a> Midway<'a> {
    pub(super) fn new(git: &'a Git, repo: Option<&'a Repo>) -> Self {
        Self { git, dir: repo.map(|repo| &*repo.dir) }
    }

    pub(super) fn ended(mut self) {
        self.dir = None;
    }
}

impl Drop for Midway<'_> {
    fn drop(&mut self) {
        if let Some(dir) = self.dir {
            self.git.calm.known().insert(dir.to_owned(), Some(SystemTime::now()));
        }
    }
}

impl Repo {
    /// Before the first program in this repository, and the first one after one was cut off: git programs that were at work before may
    /// be so still, for they do not end with the server, or may have ended in the middle and left locks that nothing removes. Those
    /// are waited for, a while, and removed if they are as old as that. Without a lock nothing is waited for.
    pub(super) async fn calmed(&self) {
        let Some(cut_off) = self.git.calm.cut_off(&self.dir) else { return };
        let until = Instant::now() + PATIENCE + SLACK;
        loop {
            self.locks().iter().filter(|lock| is_left(lock, cut_off)).for_each(|lock| drop(std::fs::remove_file(lock)));
            if self.locks().is_empty() || Instant::now() >= until {
                break;
            }
            tokio::time::sleep(OFTEN).await;
        }
        self.git.calm.known().insert(self.dir.clone(), None);
    }

    fn locks(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for dir in [&self.dir, &self.common] {
            locks_in(dir, 0, &mut found);
        }
        locks_in(&self.common.join("refs"), DEEPEST, &mut found);
        found.sort();
        found.dedup();
        found
    }
}

/// Whether it is of a program that was cut off then. One that somebody has begun since is theirs.
fn is_left(lock: &Path, cut_off: SystemTime) -> bool {
    let Ok(made) = std::fs::metadata(lock).and_then(|about| about.modified()) else { return false };
    made <= cut_off + SLACK && made.elapsed().is_ok_and(|age| age >= PATIENCE)
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
