//! Git, by the `git` program, in a manner that no repository can turn against the machine it is on.
//!
//! What a repository brings along is not trusted. No hook, filter, pager, editor, credential helper, signing program or file system
//! monitor of its configuration is run; no configuration of the user or the machine is read; nobody is asked for a password;
//! only the transports that were allowed are used; git's directories are named, not looked for. A repository whose configuration
//! says more than plain facts ([`Error::Git`] names the setting) is refused before git looks at it.
//!
//! ```no_run
//! use hostel_workspace::git::{CloneOptions, Git, GitOptions};
//! use hostel_workspace::{Limits, Workspace};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let git = Git::new(GitOptions::default());
//! let workspace = Workspace::create("/var/lib/hostel/workspaces/coder", Limits::default())?;
//! let repo = git.clone_into(&workspace, "https://example.org/project.git", &CloneOptions::default()).await?;
//! let before = repo.snapshot("turn-1").await?;
//! workspace.apply(&workspace.plan_write("NOTES.md", "what I found\n")?)?;
//! println!("{}", repo.diff(&Default::default()).await?.text);
//! repo.restore(&before.tree).await?;
//! # Ok(())
//! # }
//! ```

mod branch;
mod clone;
mod commit;
mod config;
mod head;
mod locks;
mod look;
mod merge;
mod options;
mod program;
mod remote;
mod snapshot;
mod worktree;

use std::path::{Path, PathBuf};

use crate::{Error, Kind, Place, Result, Workspace};

pub use self::branch::Branch;
pub use self::clone::CloneOptions;
pub use self::commit::{CommitPlan, Prepared, Push, What};
pub use self::head::Head;
pub use self::look::{Commit, Diff, DiffOptions, Range, Status, StatusEntry};
pub use self::merge::Merged;
pub use self::options::{Author, Confine, Credential, Git, GitOptions, Transport};
pub use self::snapshot::Snapshot;
pub use self::worktree::Worktree;

/// A repository and the work tree of a workspace.
///
/// Dropping the future of an operation ends the git program, and with it what it was doing: a clone leaves what it had, a commit is
/// made or not. What git leaves locked then, or left so when the server or the machine stopped, is waited for and unlocked by the
/// next operation; what others have locked since is theirs.
#[derive(Debug, Clone)]
pub struct Repo {
    git: Git,
    workspace: Workspace,
    /// Of this work tree: its `HEAD` and index.
    dir: PathBuf,
    /// Of the repository: objects, branches, configuration.
    common: PathBuf,
}

impl Git {
    /// The repository whose `.git` directory is at the top of `workspace`.
    ///
    /// # Errors
    /// [`Error::Git`] if there is none, or if `.git` is a link or a file that points elsewhere.
    pub fn open(&self, workspace: &Workspace) -> Result<Repo> {
        let refused = |why: &str| Err(Error::Git { command: "open".into(), why: why.to_owned() });
        match workspace.kind_of(&Place::parse(".git")?) {
            Ok(Kind::Directory) => Ok(self.at(workspace, workspace.path().join(".git"))),
            Err(Error::NotFound { .. }) => refused("the workspace is not a git repository: clone one, or begin one"),
            Ok(_) => refused("`.git` is not a directory of the workspace; what it points to is not followed"),
            Err(error) => Err(error),
        }
    }

    /// Begins a repository in `workspace`, or opens the one that is there.
    ///
    /// # Errors
    /// [`Error::Git`].
    pub async fn init(&self, workspace: &Workspace, branch: &str) -> Result<Repo> {
        let repo = self.at(workspace, workspace.path().join(".git"));
        branch::check_name(branch)?;
        // A crash may have left one that is only begun.
        if workspace.kind_of(&Place::parse(".git/HEAD")?).is_err() {
            if workspace.kind_of(&Place::parse(".git")?).is_ok() {
                self.open(workspace)?;
            }
            self.make(&repo, branch).await?;
        }
        self.open(workspace)
    }

    /// A repository of our own at `dir`, outside of `workspace`, that keeps snapshots of a workspace without git. It is made if
    /// it is not there. Nothing in the workspace can change it.
    ///
    /// # Errors
    /// [`Error::Git`].
    pub async fn shadow(&self, workspace: &Workspace, dir: &Path) -> Result<Repo> {
        let repo = self.at(workspace, dir.to_owned());
        if !dir.join("HEAD").is_file() {
            std::fs::create_dir_all(dir).map_err(|error| Error::of("the shadow repository", error))?;
            self.make(&repo, "main").await?;
        }
        Ok(repo)
    }

    async fn make(&self, repo: &Repo, branch: &str) -> Result<()> {
        let branch = format!("--initial-branch={branch}");
        self.command("init").args(["--quiet", "--template=", &branch]).of(repo).run().await.map(drop)
    }

    fn at(&self, workspace: &Workspace, dir: PathBuf) -> Repo {
        Repo { git: self.clone(), workspace: workspace.clone(), common: dir.clone(), dir }
    }
}

impl Repo {
    /// The workspace that is its work tree.
    #[must_use]
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// The directory that has its configuration and hooks: whoever runs commands in the workspace keeps both from being written.
    #[must_use]
    pub fn git_dir(&self) -> &Path {
        &self.common
    }

    /// A command in this repository, after a look at its configuration and at what was cut off before.
    async fn command(&self, name: &str) -> Result<program::Command<'_>> {
        config::check(self, name).await?;
        self.calmed().await;
        Ok(self.git.command(name).of(self))
    }
}
