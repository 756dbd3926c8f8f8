//! Where commands are started.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Command, Error, Job, Policy, Result};

/// Runs commands where they can do no harm.
#[derive(Debug, Clone)]
pub struct Sandbox {
    /// The program whose `main` begins with [`run_if_helper`](crate::run_if_helper).
    helper: PathBuf,
}

/// How the sandbox of this machine is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How far the kernel goes along with Landlock: `full`, `partial` or `none`. Namespaces and the filter of system calls are always there.
    pub landlock: String,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// With this very program as the helper: its `main` begins with [`run_if_helper`](crate::run_if_helper). An upgrade of the file
    /// on disk does not matter to it.
    #[must_use]
    pub fn new() -> Self {
        Self::with_helper("/proc/self/exe")
    }

    /// With another program as the helper.
    #[must_use]
    pub fn with_helper(helper: impl Into<PathBuf>) -> Self {
        Self { helper: helper.into() }
    }

    /// Tries out whether commands can be sandboxed on this machine, with everything but a command.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with a sentence that says what is missing. Whoever gets it asks before every command, or runs none.
    pub async fn probe(&self) -> Result<Report> {
        let dir = tempfile::tempdir().map_err(Error::io("a directory for the trial"))?;
        let policy = Policy::new(dir.path());
        let mut job = match self.start(&policy, &Command::new::<String>([])).await {
            Err(Error::Setup(why)) => return Err(Error::Unavailable { why }),
            started => started?,
        };
        let mut said = Vec::new();
        while let Some(piece) = job.next().await {
            said.extend(piece.bytes);
        }
        job.wait().await?;
        serde_json::from_slice(&said).map_err(|_| Error::Unavailable {
            why: String::from_utf8_lossy(&said).trim().trim_start_matches("sandbox: ").to_owned(),
        })
    }

    /// Starts a command.
    ///
    /// # Errors
    /// [`Error::Refused`] if the policy or command cannot be, [`Error::Unavailable`] if this machine cannot sandbox, [`Error::Setup`].
    /// A program that does not exist is no error here: the command ends with code 127, as in a shell.
    pub async fn start(&self, policy: &Policy, command: &Command) -> Result<Job> {
        #[cfg(target_os = "linux")]
        return Job::start(&self.helper, "outer", policy, command).await;
        #[cfg(not(target_os = "linux"))]
        {
            crate::order::Order::new(policy, command)?.text()?;
            let why = format!("there is none for this operating system yet ({})", self.helper.display());
            Err(Error::Unavailable { why })
        }
    }

    /// Starts a command without any sandbox, for machines that have none and people who said yes to this very command: it may do
    /// whatever this process may. Of the policy only the workspace, home and the time, the grace and the bytes of output count, and what
    /// leaves its session goes on after it.
    ///
    /// # Errors
    /// [`Error::Refused`] if the policy or command cannot be; [`Error::Unavailable`] on other systems than Linux.
    pub async fn start_unprotected(&self, policy: &Policy, command: &Command) -> Result<Job> {
        #[cfg(target_os = "linux")]
        return Job::start(&self.helper, "bare", policy, command).await;
        #[cfg(not(target_os = "linux"))]
        self.start(policy, command).await
    }
}
