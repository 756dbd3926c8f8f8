//! What git programs leave behind when the machine stops: the locks of files that they were about to replace.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Repo;
use crate::Result;

/// How long a git program that outlived its server has to come to its end.
const PATIENCE: Duration = Duration::from_secs(5);
const OFTEN: Duration = Duration::from_millis(20);

/// How deep the names of branches are looked through.
const DEEPEST: usize = 12;

impl Repo {
    /// To be called after a crash, before anything else: git programs that were at work then may be so still, for they do not end
    /// with the server, or may have ended in the middle, and left locks that nothing removes. Those are waited for, a while, and
    /// removed. Without a lock nothing is waited for.
    ///
    /// # Errors
    /// If a directory of git's cannot be read.
    pub async fn after_crash(&self) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let locks = self.locks();
            if locks.is_empty() {
                return Ok(());
            }
            if Instant::now() >= until {
                locks.iter().for_each(|lock| drop(std::fs::remove_file(lock)));
                return Ok(());
            }
            tokio::time::sleep(OFTEN).await;
        }
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
