//! Where tests are run: in the sandbox, in a copy of what the agent left.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use hostel_sandbox::{Command, Policy, Sandbox};

/// How much of what tests say is kept.
const KEPT: usize = 4_000;

/// Where tests are run.
#[derive(Debug, Clone)]
pub struct Bench {
    sandbox: Sandbox,
    time: Duration,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Whether it ended with 0.
    pub is_fine: bool,
    /// The end of what it said.
    pub said: String,
}

impl Bench {
    /// With this program as the sandbox's helper, or this very one; a command may take so long.
    pub fn new(helper: Option<&Path>, time: Duration) -> Self {
        Self { sandbox: sandbox(helper), time }
    }

    /// Runs a line of the shell in a directory.
    ///
    /// # Errors
    /// When commands cannot be sandboxed here.
    pub async fn run(&self, dir: &Path, line: &str) -> Result<Ran> {
        let mut policy = Policy::new(dir);
        policy.limits.time = self.time;
        let mut job = self.sandbox.start(&policy, &Command::shell(format!("exec 2>&1\n{line}"))).await?;
        job.close_input().await?;
        let mut said = Vec::new();
        while let Some(piece) = job.next().await {
            said.extend(piece.bytes);
        }
        let exit = job.wait().await?;
        let text = String::from_utf8_lossy(&said);
        let from = text.ceil_char_boundary(text.len().saturating_sub(KEPT));
        Ok(Ran { is_fine: exit.success(), said: text[from..].trim().to_owned() })
    }

    /// Refuses a machine without one of these programs.
    ///
    /// # Errors
    /// Which is missing, or why nothing can be run.
    pub async fn has(&self, dir: &Path, programs: &[String]) -> Result<()> {
        for program in programs {
            if !self.run(dir, &format!("command -v {program}")).await?.is_fine {
                bail!("the program {program} is not on this machine, or not where the sandbox sees it");
            }
        }
        Ok(())
    }
}

/// The sandbox with this helper, or with this very program.
pub(crate) fn sandbox(helper: Option<&Path>) -> Sandbox {
    helper.map_or_else(Sandbox::new, Sandbox::with_helper)
}

/// Writes files below a directory.
pub(crate) fn write(dir: &Path, files: &[(String, String)]) -> Result<()> {
    for (path, content) in files {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap_or(dir))?;
        fs::write(&path, content).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Copies what is in a directory, without git's own; links stay links.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<PathBuf> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, name) = (entry.file_type()?, entry.file_name());
        let target = to.join(&name);
        if kind.is_dir() && name != ".git" {
            copy(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(to.to_owned())
}
