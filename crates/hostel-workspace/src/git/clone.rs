//! Cloning, and what goes on with where a clone came from.

use super::{Git, Repo, branch};
use crate::{Error, ListOptions, Result, Workspace};

/// How to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CloneOptions {
    /// Only this branch or tag.
    pub branch: Option<String>,
    /// Only so many of the latest commits.
    pub depth: Option<u32>,
}

impl Git {
    /// Clones the repository at `url` into `workspace`, which has to be empty. Submodules are not cloned.
    ///
    /// The network is not looked at here: who must not reach some hosts checks the address before.
    ///
    /// # Errors
    /// [`Error::Git`] if the address is not allowed or git fails, [`Error::TooLarge`] if the clone is larger than the workspace may be.
    /// What was cloned is deleted then.
    pub async fn clone_into(&self, workspace: &Workspace, url: &str, options: &CloneOptions) -> Result<Repo> {
        let (address, protocols) = self.address("clone", url)?;
        let everything = ListOptions { ignored: true, ..ListOptions::default() };
        if !workspace.list("", &everything)?.entries.is_empty() || workspace.kind(".git").is_ok() {
            return Err(Error::Git { command: "clone".into(), why: "the workspace is not empty".into() });
        }
        let repo = self.at(workspace, workspace.path().join(".git"));
        let mut command =
            self.command("clone").args(["--quiet", "--template=", "--no-hardlinks", "--no-recurse-submodules"]);
        if let Some(branch) = &options.branch {
            branch::check_name(branch)?;
            command = command.arg(format!("--branch={branch}")).arg("--single-branch");
        }
        if let Some(depth) = options.depth {
            command = command.arg(format!("--depth={}", depth.max(1)));
        }
        // A shallow clone of a directory is one only over its transport.
        command = if protocols == "file" { command.arg("--no-local") } else { command };
        let cloned = command.args(["--", &address, "."]).of(&repo).network(protocols).run().await;
        match cloned.and_then(|_| workspace.check_size()) {
            Ok(_) => Ok(repo),
            Err(error) => {
                clear(workspace);
                Err(error)
            }
        }
    }
}

/// Empties a workspace that was empty before.
fn clear(workspace: &Workspace) {
    let Ok(entries) = std::fs::read_dir(workspace.path()) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let _ = if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            std::fs::remove_dir_all(path)
        } else {
            std::fs::remove_file(path)
        };
    }
}

impl Repo {
    /// Gets what is new at `remote`. Branches of the workspace stay where they are.
    ///
    /// # Errors
    /// [`Error::Git`].
    pub async fn fetch(&self, remote: &str) -> Result<()> {
        let (_, protocols) = self.remote("fetch", remote, false).await?;
        self.command("fetch").await?.args(["--quiet", "--prune", "--", remote]).network(protocols).run().await.map(drop)
    }

    /// The address of a remote, and the transports that are open for it.
    pub(crate) async fn remote(&self, command: &str, remote: &str, push: bool) -> Result<(String, String)> {
        branch::check_name(remote)?;
        let mut asked = self.command("remote").await?.arg("get-url");
        asked = if push { asked.arg("--push") } else { asked };
        let url = asked.args(["--", remote]).run().await?.line();
        self.git.address(command, &url)
    }
}
