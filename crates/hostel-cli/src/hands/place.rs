//! Where commands run here: a directory, an environment, perhaps a sandbox.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use hostel_sandbox::{Command, Job, Limits, Policy, Sandbox, Terminal};

use crate::failure::Usage;

/// The variables that commands are given in any case.
const USUAL: [&str; 10] = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"];
/// Of these, what counts in a sandbox, which has a home and a temporary directory of its own.
const SANDBOXED: [&str; 5] = ["PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ"];
/// How long a command may run at most, and how much it may say, whatever is ordered.
const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);
const OUTPUT: u64 = 64 << 20;

/// Where commands run here.
#[derive(Debug)]
pub(crate) struct Place {
    root: PathBuf,
    env: Vec<(String, String)>,
    sandboxed: bool,
    sandbox: Sandbox,
}

/// What is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) line: String,
    pub(super) directory: String,
    pub(super) time: Duration,
    pub(super) output_bytes: u64,
    /// Whether it runs in the background: typed into, and only the end of what it says kept.
    pub(super) background: bool,
    pub(super) terminal: bool,
}

impl Wanted {
    /// A command that does nothing.
    fn nothing() -> Self {
        let (line, directory) = (":".to_owned(), String::new());
        Self { line, directory, time: LONGEST, output_bytes: OUTPUT, background: false, terminal: false }
    }

    fn limits(&self) -> Limits {
        let output_bytes = if self.background { u64::MAX } else { self.output_bytes.min(OUTPUT) };
        Limits { time: self.time.min(LONGEST), output_bytes, ..Limits::default() }
    }

    fn command(&self) -> Command {
        match self.terminal {
            true => Command::shell(&self.line).terminal(Terminal::default()),
            // One pipe for both, so that errors stand where they were said.
            false => Command::shell(format!("exec 2>&1\n{}", self.line)),
        }
        .dir(&self.directory)
    }
}

impl Place {
    /// This directory; `keep` are the names of further variables that commands are given.
    pub(crate) async fn open(directory: &Path, keep: &[String], sandboxed: bool) -> anyhow::Result<Self> {
        let unusable = |why: &dyn std::fmt::Display| Usage(format!("{} cannot be lent: {why}", directory.display()));
        let root = directory.canonicalize().map_err(|error| unusable(&error))?;
        if let Some(name) = keep.iter().find(|name| name.starts_with("HOSTEL_") || name.starts_with("LD_")) {
            return Err(Usage(format!("{name} is for no command")).into());
        }
        let usual: &[&str] = if sandboxed { &SANDBOXED } else { &USUAL };
        let names = usual.iter().copied().chain(keep.iter().map(String::as_str));
        let env = names.filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?))).collect();
        let place = Self { root, env, sandboxed, sandbox: Sandbox::new() };
        if sandboxed {
            place.sandbox.probe().await?;
        }
        let tried = async { place.start(&Wanted::nothing()).await?.wait().await };
        tried.await.map_err(|error| unusable(&error))?;
        Ok(place)
    }

    /// The directory.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether commands are sandboxed.
    pub(super) fn is_sandboxed(&self) -> bool {
        self.sandboxed
    }

    /// The directory below this one that a command is to begin in, without what changes nothing; nothing for this one itself.
    ///
    /// # Errors
    /// In words, if it is not there, or leads out of this one, links included.
    pub(super) fn below(&self, directory: &str) -> Result<Option<String>, String> {
        let parts: Vec<_> = Path::new(directory).components().filter(|part| *part != Component::CurDir).collect();
        if !parts.iter().all(|part| matches!(part, Component::Normal(_))) {
            return Err(format!("{directory:?} is not below the directory that is lent"));
        }
        let path: PathBuf = parts.iter().collect();
        let real = self.root.join(&path).canonicalize().map_err(|error| format!("{directory:?}: {error}"))?;
        if !real.starts_with(&self.root) || !real.is_dir() {
            return Err(format!("{directory:?} is not a directory below the one that is lent"));
        }
        let path = path.to_string_lossy().into_owned();
        Ok((!path.is_empty()).then_some(path))
    }

    /// Starts a command in a session and group of its own. Dropped, and if this program dies, it ends with all of its group.
    pub(super) async fn start(&self, wanted: &Wanted) -> hostel_sandbox::Result<Job> {
        let policy = Policy { limits: wanted.limits(), ..Policy::new(&self.root) };
        let command = wanted.command();
        let command = self.env.iter().fold(command, |command, (name, value)| command.env(name, value));
        match self.sandboxed {
            true => self.sandbox.start(&policy, &command).await,
            false => self.sandbox.start_unprotected(&policy, &command).await,
        }
    }
}
