//! Which commands run in which workspaces: once none does any more, what those that were cut off have left locked is unlocked.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::SystemTime,
};

use hostel_sandbox::Ended;
use hostel_workspace::Workspace;

use super::Workspaces;

/// What runs in each workspace.
#[derive(Debug, Default)]
pub(super) struct AtWork(Mutex<HashMap<PathBuf, Arc<Mutex<Place>>>>);

/// What runs in one workspace.
#[derive(Debug, Default)]
struct Place {
    running: usize,
    cut_off: Option<CutOff>,
}

/// When those ran that were cut off and not looked after yet.
#[derive(Debug, Clone, Copy)]
struct CutOff {
    from: SystemTime,
    to: SystemTime,
    /// Whether nothing of them is left for sure.
    is_sure: bool,
}

/// A command in a workspace. Dropped, it is over.
pub(super) struct Presence {
    /// Where these are gone, others may look after the place by now.
    of: Weak<Workspaces>,
    path: PathBuf,
    place: Arc<Mutex<Place>>,
    began: SystemTime,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Presence {
    /// Of a command in the workspace at `path` that begins.
    pub(super) fn new(of: &Arc<Workspaces>, path: &Path) -> Self {
        let mut all = held(&of.at_work.0);
        // Where nothing runs, nothing is kept.
        all.retain(|_, place| Arc::strong_count(place) > 1);
        let place = Arc::clone(all.entry(path.to_owned()).or_default());
        drop(all);
        held(&place).running += 1;
        Self { of: Arc::downgrade(of), path: path.to_owned(), place, began: SystemTime::now() }
    }

    /// It is over; nothing is said of why if that is not known. With a sandbox, nothing of it is left. Blocks.
    pub(super) fn over(self, ended: Option<Ended>, is_sandboxed: bool) {
        if ended == Some(Ended::Itself) {
            return;
        }
        let is_sure = is_sandboxed && ended.is_some();
        let now = CutOff { from: self.began, to: SystemTime::now(), is_sure };
        let mut place = held(&self.place);
        place.cut_off = Some(place.cut_off.map_or(now, |before| CutOff {
            from: now.from.min(before.from),
            to: now.to,
            is_sure: now.is_sure && before.is_sure,
        }));
    }

    fn unlock(&self, cut_off: CutOff) {
        let Some(of) = self.of.upgrade() else { return };
        let Ok(workspace) = Workspace::open(&self.path, of.limits.clone()) else { return };
        let Ok(repo) = of.git.open(&workspace) else { return };
        match cut_off.is_sure {
            true => repo.unlock(cut_off.from, cut_off.to),
            false => repo.doubt_of(cut_off.from, cut_off.to),
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut place = held(&self.place);
        // Whoever is at work may have made any lock that is there. Nobody begins before it is looked after.
        if place.running == 1
            && let Some(cut_off) = place.cut_off.take()
        {
            self.unlock(cut_off);
        }
        place.running -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;

    /// A workspace with a repository, and a lock as git makes it that is cut off in the middle.
    fn locked(dir: &Path) -> (Arc<Workspaces>, PathBuf, PathBuf) {
        let (of, path) = (Arc::new(Workspaces::new(dir)), dir.join("w"));
        assert!(Command::new("git").args(["init", "--quiet"]).arg(&path).status().unwrap().success());
        let lock = path.join(".git/index.lock");
        (of, path, lock)
    }

    #[test]
    fn what_a_command_that_was_cut_off_left_locked_is_unlocked_once_nobody_is_at_work() {
        let dir = tempfile::tempdir().unwrap();
        let (of, path, lock) = locked(dir.path());
        let (first, second) = (Presence::new(&of, &path), Presence::new(&of, &path));
        fs::write(&lock, "").unwrap();
        first.over(Some(Ended::Cancelled), true);
        assert!(lock.exists(), "it may be that of the other");
        second.over(Some(Ended::Itself), true);
        assert!(!lock.exists());
    }

    #[tokio::test]
    async fn a_lock_that_somebody_has_stays_also_without_a_sandbox() {
        let dir = tempfile::tempdir().unwrap();
        let (of, path, lock) = locked(dir.path());
        fs::write(&lock, "").unwrap();
        let long_ago = SystemTime::now() - std::time::Duration::from_secs(60);
        fs::File::options().write(true).open(&lock).unwrap().set_modified(long_ago).unwrap();
        let repo = of.git.open(&Workspace::open(&path, of.limits.clone()).unwrap()).unwrap();
        // What was there before this server is not asked about here.
        repo.status().await.unwrap();
        fs::write(&lock, "").unwrap();
        fs::File::options().write(true).open(&lock).unwrap().set_modified(long_ago).unwrap();
        for ended in [Some(Ended::Itself), Some(Ended::Cancelled), None] {
            Presence::new(&of, &path).over(ended, false);
            repo.status().await.unwrap();
            assert!(lock.exists(), "{ended:?}");
        }
    }

    #[test]
    fn a_lock_stays_that_no_command_was_cut_off_at() {
        let dir = tempfile::tempdir().unwrap();
        let (of, path, lock) = locked(dir.path());
        fs::write(&lock, "").unwrap();
        let long_ago = SystemTime::now() - std::time::Duration::from_secs(60);
        fs::File::options().write(true).open(&lock).unwrap().set_modified(long_ago).unwrap();
        Presence::new(&of, &path).over(Some(Ended::TimeLimit), true);
        assert!(lock.exists(), "it is older than the command");
        fs::write(&lock, "new").unwrap();
        Presence::new(&of, &path).over(Some(Ended::Itself), true);
        Presence::new(&of, &path).over(None, true);
        assert!(lock.exists(), "who made it may be at work still");
        Presence::new(&of, &dir.path().join("other")).over(Some(Ended::Cancelled), true);
        assert!(lock.exists(), "it is of another workspace");
    }
}
