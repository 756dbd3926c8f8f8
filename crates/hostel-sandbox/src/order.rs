//! What the server tells the helper, and what it hears.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Command, Error, Network, Policy, Result};

/// All that the helper has to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) policy: Policy,
    /// Empty: nothing is run, only told how the sandbox is.
    pub(crate) argv: Vec<String>,
    pub(crate) dir: PathBuf,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) terminal: bool,
}

/// What the helper says, a line each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Word {
    /// Nothing works here.
    Unavailable(String),
    /// This order does not work.
    Failed(String),
    /// The command runs.
    Started,
    /// The command is over, and so is all that it started.
    Over { code: Option<i32>, signal: Option<i32>, why: Why },
}

/// Why a command is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Why {
    Itself,
    Time,
    Memory,
    Processes,
    Asked,
}

/// What the server says: a byte each.
pub(crate) const TERM: u8 = b'T';
/// The longest order: it passes through a variable of the environment, which Linux bounds at 128 KiB.
const LONGEST: usize = 100 << 10;

impl Order {
    /// The order to run `command` under `policy`, with every path resolved and checked.
    pub(crate) fn new(policy: &Policy, command: &Command) -> Result<Self> {
        let policy = resolved(policy)?;
        let inside = command.dir.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !inside {
            return Err(Error::Refused(format!("{} is not a directory of the workspace", command.dir.display())));
        }
        let dir = policy.workspace.join(&command.dir);
        let env = environment(&policy, command)?;
        Ok(Self { policy, argv: command.argv.clone(), dir, env, terminal: command.terminal.is_some() })
    }

    pub(crate) fn text(&self) -> Result<String> {
        let text = serde_json::to_string(self).map_err(|error| Error::Refused(error.to_string()))?;
        if text.len() > LONGEST || text.contains("\\u0000") {
            return Err(Error::Refused(
                "the command with its variables is too long, or has a NUL in it: put it into a file".into(),
            ));
        }
        Ok(text)
    }
}

/// Links are resolved now, by the server: in the sandbox each path is what it was when it was checked.
fn resolved(policy: &Policy) -> Result<Policy> {
    let mut policy = policy.clone();
    let hidden: Vec<PathBuf> =
        policy.hide.iter().map(|path| path.canonicalize().unwrap_or_else(|_| path.clone())).collect();
    let one = |path: &Path| path.canonicalize().map_err(|error| Error::Refused(format!("{}: {error}", path.display())));
    policy.workspace = one(&policy.workspace)?;
    policy.home = policy.home.as_deref().map(one).transpose()?;
    policy.write = policy.write.iter().map(|path| one(path)).collect::<Result<_>>()?;
    policy.read = policy.read.iter().map(|path| one(path)).collect::<Result<_>>()?;
    let writable: Vec<&PathBuf> = std::iter::once(&policy.workspace).chain(&policy.write).chain(&policy.home).collect();
    for path in &writable {
        if !path.is_dir() || path.components().count() < 3 || system(path) {
            return Err(Error::Refused(format!("{} is not a directory that commands may change", path.display())));
        }
    }
    let shown = writable.into_iter().map(|path| (path, false)).chain(policy.read.iter().map(|path| (path, true)));
    for (path, is_read) in shown {
        let shows = |hidden: &PathBuf| hidden.starts_with(path) || (is_read && path.starts_with(hidden));
        if let Some(hidden) = hidden.iter().find(|hidden| shows(hidden)) {
            return Err(Error::Refused(format!("{} would show {}, which is hidden", path.display(), hidden.display())));
        }
    }
    policy.hide = hidden;
    Ok(policy)
}

/// Directories of the machine that no policy makes writable.
fn system(path: &Path) -> bool {
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/boot", "/dev", "/proc", "/sys", "/run"]
        .iter()
        .any(|dir| path.starts_with(dir))
}

fn environment(policy: &Policy, command: &Command) -> Result<BTreeMap<String, String>> {
    let usual = [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("USER", "agent"),
        ("LOGNAME", "agent"),
        ("SHELL", "/bin/sh"),
        ("LANG", "C.UTF-8"),
        ("TMPDIR", "/tmp"),
        ("TERM", if command.terminal.is_some() { "xterm-256color" } else { "dumb" }),
    ];
    let mut env: BTreeMap<String, String> = usual.map(|(name, value)| (name.into(), value.into())).into();
    let home = policy.home.as_deref().unwrap_or(Path::new(HOME));
    env.insert("HOME".into(), home.to_string_lossy().into_owned());
    for (name, value) in &command.env {
        let fine = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty();
        if !fine || name.starts_with("LD_") || name == VARIABLE {
            return Err(Error::Refused(format!("{name:?} cannot be a variable of a command")));
        }
        env.insert(name.clone(), value.clone());
    }
    Ok(env)
}

/// Home, where none is given.
pub(crate) const HOME: &str = "/tmp/home";
/// The variable by which the last stage of the helper is told.
pub(crate) const VARIABLE: &str = "HOSTEL_SANDBOX_ORDER";

impl Network {
    pub(crate) fn is_own(&self) -> bool {
        matches!(self, Self::None)
    }
}
