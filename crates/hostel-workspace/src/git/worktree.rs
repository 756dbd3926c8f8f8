//! Further work trees of one repository, for work side by side.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Repo;
use super::branch::{check_name, check_revision};
use crate::{Error, Result, Workspace};

/// A work tree of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worktree {
    /// Where it is on this machine.
    pub path: PathBuf,
    /// Its branch; nothing if its head is at a commit of its own.
    pub branch: Option<String>,
}

impl Repo {
    /// Makes a further work tree at `path`, a place of the server's own outside of every workspace, on the new branch `branch` that
    /// begins at `start` (or at this head).
    ///
    /// # Errors
    /// [`Error::Git`].
    pub async fn add_worktree(&self, path: &Path, branch: &str, start: Option<&str>) -> Result<Self> {
        check_name(branch)?;
        let start = start.unwrap_or("HEAD");
        check_revision(start)?;
        let args = ["add", "--quiet", "--no-track", "-b", branch, "--", &path.to_string_lossy(), start];
        self.command("worktree").await?.args(args).run().await?;
        self.worktree(path)
    }

    /// Takes the work tree at `path` away, and its branch, if [`Repo::add_worktree`] was cut off while it made them: git says so in a
    /// note that it removes last. One that was made whole stays, and so does one on whose branch somebody has committed.
    ///
    /// # Errors
    /// [`Error::Git`].
    pub async fn clear_unfinished_worktree(&self, path: &Path, branch: &str) -> Result<()> {
        let Ok(tree) = self.worktree(path) else { return Ok(()) };
        // Git may be at it still, if it has outlived a server.
        for _ in 0..100 {
            if !tree.is_unfinished() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let path = path.to_string_lossy().into_owned();
        if !self.is_part_of(branch, "HEAD").await? {
            return self.command("worktree").await?.args(["unlock", "--", &path]).run().await.map(drop);
        }
        self.command("worktree").await?.args(["remove", "--force", "--force", "--", &path]).run().await?;
        self.command("branch").await?.args(["--quiet", "-d", "--", branch]).run().await.map(drop)
    }

    fn is_unfinished(&self) -> bool {
        std::fs::read_to_string(self.dir.join("locked")).is_ok_and(|note| note.trim() == "initializing")
    }

    /// Opens a further work tree that is there.
    ///
    /// # Errors
    /// [`Error::Git`] if it is not one of this repository.
    pub fn worktree(&self, path: &Path) -> Result<Self> {
        let workspace = Workspace::open(path, self.workspace.limits().clone())?;
        let foreign = || Error::Git {
            command: "worktree".into(),
            why: "this directory is not a work tree of the repository".into(),
        };
        let dirs = self.common.join("worktrees");
        let entries = std::fs::read_dir(&dirs).map_err(|_| foreign())?;
        // Git's own note says which it is; the `.git` file in the work tree could have been written by anybody.
        let own = entries.flatten().map(|entry| entry.path()).find(|dir| {
            let note = std::fs::read_to_string(dir.join("gitdir")).unwrap_or_default();
            Path::new(note.trim()).parent().and_then(|tree| tree.canonicalize().ok()).as_deref()
                == Some(workspace.path())
        });
        let dir = own.ok_or_else(foreign)?;
        Ok(Self { git: self.git.clone(), workspace, dir, common: self.common.clone() })
    }

    /// The work trees of the repository, this one first.
    ///
    /// # Errors
    /// [`Error::Git`].
    pub async fn worktrees(&self) -> Result<Vec<Worktree>> {
        let output = self.command("worktree").await?.args(["list", "--porcelain", "-z"]).run().await?;
        let text = output.text();
        let tree = |record: &str| {
            let field = |name: &str| record.split('\0').find_map(|line| line.strip_prefix(name).map(str::to_owned));
            let branch = field("branch refs/heads/");
            Some(Worktree { path: field("worktree ")?.into(), branch })
        };
        Ok(text.split("\0\0").filter_map(tree).collect())
    }

    /// Moves a further work tree, with all that is in it, to another place of the server's own.
    ///
    /// # Errors
    /// [`Error::Git`].
    pub async fn move_worktree(&self, from: &Path, to: &Path) -> Result<Self> {
        self.worktree(from)?;
        let args = ["move", "--", &from.to_string_lossy(), &to.to_string_lossy()];
        self.command("worktree").await?.args(args).run().await?;
        self.worktree(to)
    }

    /// Forgets work trees whose directories are gone. Their branches stay.
    ///
    /// # Errors
    /// [`Error::Git`].
    pub async fn prune_worktrees(&self) -> Result<()> {
        self.command("worktree").await?.arg("prune").run().await.map(drop)
    }

    /// Deletes a further work tree with all that is in it. Its branch stays.
    ///
    /// # Errors
    /// [`Error::Git`].
    pub async fn remove_worktree(&self, path: &Path) -> Result<()> {
        self.worktree(path)?;
        let args = ["remove", "--force", "--", &path.to_string_lossy()];
        self.command("worktree").await?.args(args).run().await.map(drop)
    }
}
