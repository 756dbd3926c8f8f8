//! What is beside a workspace: what is made to take its place, its snapshots from before it had a repository, and a repository that is put
//! aside.

use std::path::{Path, PathBuf};

use hostel::Result;
use hostel_workspace::Workspace;

use super::{Workspaces, number, said};
use crate::beside::beside;

/// How the names of directories end that are made beside a workspace.
const BESIDE: &str = "new";
/// Where, in the repository of snapshots, those are that were aside before another was. Git does not look there.
const EARLIER: &str = "earlier";
/// How many of those are kept, as many as rewinds that are remembered.
const MOST_EARLIER: usize = 10;

impl Workspaces {
    /// A new and empty directory on the same file system as `workspace`, that nothing else knows of. What a crash has left of
    /// earlier ones goes.
    pub(crate) async fn beside(&self, workspace: &Workspace) -> Result<Workspace> {
        let (path, limits) = (workspace.path().to_owned(), self.limits.clone());
        beside(move || {
            remove_beside(&path);
            let new = path.with_extension(format!("{:x}.{BESIDE}", number()));
            Workspace::create(new, limits).map_err(said)
        })
        .await
    }

    /// Puts what was made beside it in the place of an empty workspace, in one step.
    pub(crate) async fn put(&self, made: Workspace, workspace: Workspace) -> Result<()> {
        beside(move || {
            std::fs::rename(made.path(), workspace.path())?;
            // What was taken of it before it had a repository.
            let (side, new) = (Self::side(made.path()), Self::side(workspace.path()));
            if side.is_dir() && !new.exists() {
                std::fs::rename(side, new)?;
            }
            let around = workspace.path().parent().map(std::fs::File::open);
            Ok(around.map_or(Ok(()), |dir| dir?.sync_all())?)
        })
        .await
    }

    /// Throws away what was made beside a workspace.
    pub(crate) async fn discard(&self, made: Workspace) -> Result<()> {
        beside(move || Ok(std::fs::remove_dir_all(made.path())?)).await
    }

    /// Where the snapshots of a workspace without a repository are.
    pub(crate) fn side(workspace: &Path) -> PathBuf {
        let mut name = workspace.as_os_str().to_owned();
        name.push(".side");
        name.into()
    }

    /// Where the repository of a workspace is while the files are those of a time without one.
    pub(super) fn git_aside(workspace: &Path) -> PathBuf {
        let mut name = workspace.as_os_str().to_owned();
        name.push(".git");
        name.into()
    }

    /// Takes the repository out of the workspace, if there is one. One that is aside already is kept with the snapshots, for as long as
    /// the agent is there: what was committed in it is nowhere else. Blocks.
    pub(crate) fn put_git_aside(workspace: &Workspace) -> Result<()> {
        let (own, aside) = (workspace.path().join(".git"), Self::git_aside(workspace.path()));
        if own.symlink_metadata().is_err() {
            return Ok(());
        }
        if aside.symlink_metadata().is_ok() {
            std::fs::rename(&aside, Self::earlier(workspace.path())?)?;
        }
        Ok(std::fs::rename(own, aside)?)
    }

    /// The next free place for a repository that was aside. The oldest goes that would be one too many.
    fn earlier(workspace: &Path) -> Result<PathBuf> {
        let dir = Self::side(workspace).join(EARLIER);
        std::fs::create_dir_all(&dir)?;
        let names = std::fs::read_dir(&dir)?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u64>().ok());
        let mut numbers: Vec<u64> = names.collect();
        numbers.sort_unstable();
        for oldest in numbers.iter().take((numbers.len() + 1).saturating_sub(MOST_EARLIER)) {
            std::fs::remove_dir_all(dir.join(oldest.to_string()))?;
        }
        Ok(dir.join((numbers.last().unwrap_or(&0) + 1).to_string()))
    }

    /// Puts it back there. Blocks.
    pub(crate) fn bring_git_back(workspace: &Workspace) -> Result<()> {
        let (own, aside) = (workspace.path().join(".git"), Self::git_aside(workspace.path()));
        if own.symlink_metadata().is_ok() || !aside.exists() {
            return Ok(());
        }
        Ok(std::fs::rename(aside, own)?)
    }
}

/// Removes what a crash has left beside the workspace `path`.
fn remove_beside(path: &Path) {
    let (Some(around), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else { return };
    for entry in std::fs::read_dir(around).into_iter().flatten().flatten() {
        let is_left = |other: &str| {
            other.starts_with(&format!("{name}.")) && (other.ends_with(BESIDE) || other.ends_with("new.side"))
        };
        if entry.file_name().to_str().is_some_and(is_left) {
            // One that a git program is still writing to goes with the next.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use hostel_workspace::Limits;

    use super::*;

    fn begin(workspace: &Workspace, name: &str) {
        fs::create_dir(workspace.path().join(".git")).unwrap();
        fs::write(workspace.path().join(".git/name"), name).unwrap();
    }

    #[test]
    fn a_repository_that_is_put_aside_takes_the_place_of_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::create(dir.path().join("w"), Limits::default()).unwrap();
        Workspaces::put_git_aside(&workspace).unwrap();
        for name in ["first", "second", "third"] {
            begin(&workspace, name);
            Workspaces::put_git_aside(&workspace).unwrap();
        }
        let earlier = Workspaces::side(workspace.path()).join(EARLIER);
        let name = |dir: &Path| fs::read_to_string(dir.join("name")).unwrap();
        assert_eq!((name(&earlier.join("1")), name(&earlier.join("2"))), ("first".into(), "second".into()));
        Workspaces::bring_git_back(&workspace).unwrap();
        assert_eq!(name(&workspace.path().join(".git")), "third");
        assert!(!Workspaces::git_aside(workspace.path()).exists());
        for number in 4..=14 {
            Workspaces::put_git_aside(&workspace).unwrap();
            begin(&workspace, &number.to_string());
        }
        Workspaces::put_git_aside(&workspace).unwrap();
        let mut kept: Vec<_> = fs::read_dir(&earlier).unwrap().map(|entry| name(&entry.unwrap().path())).collect();
        kept.sort_by_key(|name| name.parse().unwrap_or(3));
        assert_eq!(kept, (4..=13).map(|number| number.to_string()).collect::<Vec<_>>());
    }
}
