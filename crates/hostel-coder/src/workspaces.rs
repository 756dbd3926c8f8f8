//! Where agents work: a directory for each, and what may be done in it.

mod address;
mod at_work;
mod beside;
mod carried;
mod ending;
mod landing;
mod marks;
mod options;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use hostel::{AgentId, App, Belongings, Error, Result};
use hostel_sandbox::{Command, Job, Policy, Sandbox};
use hostel_workspace::{
    Limits, Workspace,
    git::{Git, GitOptions, Repo},
};
use sha2::{Digest as _, Sha256};
use tokio::sync::{OnceCell, watch};

pub(crate) use self::address::normal_address;
use self::{
    address::HOSTS,
    at_work::{AtWork, Presence},
    marks::Marks,
};
use crate::{Budgets, CommandOptions, github::Access, hands::Lent, policy::PolicyDefaults, shell::Shells};

/// How many letters of an agent's name are in its directory's name.
const READABLE: usize = 40;

/// Where the workspaces of agents are, and what may be done in them. The application shares one with its agents:
/// `App::env(Workspaces::new(..))`; without it a [`CoderAgent`](crate::CoderAgent) only talks.
///
/// ```
/// use hostel_coder::Workspaces;
///
/// let data = "/var/lib/hostel";
/// let workspaces = Workspaces::new(format!("{data}/workspaces")).hide(data).hosts(["git.example.org"]);
/// # let _ = workspaces;
/// ```
#[derive(Debug)]
pub struct Workspaces {
    root: PathBuf,
    hide: Vec<PathBuf>,
    hosts: Vec<String>,
    git: Git,
    github: Access,
    old_tools: bool,
    limits: Limits,
    sandbox: Sandbox,
    policy: PolicyDefaults,
    commands: CommandOptions,
    shells: Shells,
    lent: Lent,
    era: String,
    probed: OnceCell<Result<(), String>>,
    budgets: Budgets,
    marks: Marks,
    at_work: AtWork,
    /// Counts whenever a step of an errand is over.
    freed: watch::Sender<u64>,
}

impl Workspaces {
    /// Workspaces below `root`, which is made when the first one is. Commands run in the sandbox that this very program helps
    /// with: its `main` begins with `hostel_sandbox::run_if_helper()`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self {
            hide: vec![root.clone()],
            root,
            hosts: HOSTS.map(str::to_owned).to_vec(),
            git: Git::new(GitOptions::default()),
            github: Access::default(),
            old_tools: false,
            limits: Limits::default(),
            sandbox: Sandbox::new(),
            policy: PolicyDefaults::default(),
            commands: CommandOptions::default(),
            shells: Shells::default(),
            lent: Lent::default(),
            era: era(),
            probed: OnceCell::new(),
            budgets: Budgets::default(),
            marks: Marks::default(),
            at_work: AtWork::default(),
            freed: watch::Sender::default(),
        }
    }

    pub(crate) fn command_options(&self) -> &CommandOptions {
        &self.commands
    }

    pub(crate) fn shells(&self) -> &Shells {
        &self.shells
    }

    /// The machines that people lend.
    pub(crate) fn lent(&self) -> &Lent {
        &self.lent
    }

    /// What tells this process from those before it.
    pub(crate) fn era(&self) -> &str {
        &self.era
    }

    /// Hears of steps of errands that are over.
    pub(crate) fn freed_steps(&self) -> watch::Receiver<u64> {
        self.freed.subscribe()
    }

    pub(crate) fn free_steps(&self) {
        self.freed.send_modify(|count| *count += 1);
    }

    pub(crate) fn most(&self) -> Budgets {
        self.budgets
    }

    /// Finds out, once, whether commands can be run here.
    pub(crate) async fn probe(&self) {
        let probe = || async { self.sandbox.probe().await.map(drop).map_err(|error| error.to_string()) };
        self.probed.get_or_init(probe).await;
    }

    /// Why no commands can be run, if so.
    pub(crate) fn no_commands(&self) -> Option<&str> {
        match self.probed.get() {
            None => Some("whether they can be sandboxed on this machine is not known yet"),
            Some(probed) => probed.as_ref().err().filter(|_| self.commands.only_sandboxed).map(String::as_str),
        }
    }

    /// Why commands would run without a sandbox, if so.
    pub(crate) fn unsandboxed(&self) -> Option<String> {
        self.probed.get().and_then(|probed| probed.as_ref().err().cloned())
    }

    /// Starts a command: in the sandbox, or, where there is none, without. What a git program that is cut off with it leaves locked is
    /// unlocked.
    pub(crate) async fn start(self: &Arc<Self>, policy: &Policy, command: &Command) -> hostel_sandbox::Result<Job> {
        let command = &self.commands.command(command.clone());
        let presence = Presence::new(self, &policy.workspace);
        let (job, is_sandboxed) = match self.unsandboxed() {
            None => (self.sandbox.start(policy, command).await?, true),
            Some(why) if self.commands.only_sandboxed => return Err(hostel_sandbox::Error::Unavailable { why }),
            Some(_) => (self.sandbox.start_unprotected(policy, command).await?, false),
        };
        Ok(job.at_end(move |ended| presence.over(ended, is_sandboxed)))
    }

    pub(crate) fn policy_defaults(&self) -> &PolicyDefaults {
        &self.policy
    }

    /// The workspace of `agent`, made if it is not there. Blocks.
    pub(crate) fn open(&self, agent: &AgentId) -> Result<Workspace> {
        Workspace::create(self.directory_of(agent), self.limits.clone()).map_err(said)
    }

    /// The workspace of `agent`, if there is one. Blocks.
    pub(crate) fn existing(&self, agent: &AgentId) -> Option<Workspace> {
        self.there(agent).ok()
    }

    /// The workspace of `agent`, which nobody is to make. Blocks.
    pub(crate) fn there(&self, agent: &AgentId) -> hostel_workspace::Result<Workspace> {
        Workspace::open(self.directory_of(agent), self.limits.clone())
    }

    /// Shares them with the agents of `app`, and has the files of an agent that is destroyed deleted, and what runs there ended.
    ///
    /// ```
    /// use hostel::App;
    /// use hostel_coder::{CoderAgent, Workspaces};
    ///
    /// # fn demo(data: &str) -> App {
    /// Workspaces::new(format!("{data}/workspaces")).hide(data).shared_with(App::new().agent::<CoderAgent>())
    /// # }
    /// ```
    pub fn shared_with(self, app: App) -> App {
        let shared = Arc::new(self);
        app.belongings(shared.belongings()).env_shared(shared)
    }

    /// The workspaces as what belongs to agents: in their exports, and deleted when they are destroyed.
    pub fn belongings(self: &Arc<Self>) -> Arc<dyn Belongings> {
        Arc::new(carried::Carried(Arc::clone(self)))
    }

    /// An agent is gone: so is what runs for it, and what it has on the disk. Nothing is waited for.
    fn destroyed(&self, agent: &AgentId) {
        self.shells.end(agent);
        let gone = match self.put_away(agent) {
            Ok(Some(gone)) => gone,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%agent, %error, "the workspace of a destroyed agent stays until the next start");
                return;
            }
        };
        let delete = move || drop(std::fs::remove_dir_all(gone));
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(delete)),
            Err(_) => drop(std::thread::spawn(delete)),
        }
    }

    /// Deletes the workspace of `agent` with all that is kept beside it. Blocks.
    pub(crate) fn delete(&self, agent: &AgentId) -> Result<()> {
        Ok(self.put_away(agent)?.map_or(Ok(()), std::fs::remove_dir_all)?)
    }

    /// The repository in `workspace`: of an agent under another, what git keeps of its work tree is with the one above. Blocks.
    pub(crate) fn repository(&self, workspace: &Workspace, above: Option<&AgentId>) -> hostel_workspace::Result<Repo> {
        let is_tree = workspace.path().join(".git").is_file();
        match above.filter(|_| is_tree).and_then(|above| self.existing(above)) {
            Some(above) => self.git.open(&above)?.worktree(workspace.path()),
            None => self.git.open(workspace),
        }
    }

    /// Where the workspace of `agent` is, or will be.
    ///
    /// The hash decides; the readable part is for people, and small letters alone, so that no file system takes two names for
    /// one.
    pub fn directory_of(&self, agent: &AgentId) -> PathBuf {
        let (namespace, name) = agent.stored();
        let mut hash = Sha256::new();
        hash.update(namespace);
        hash.update([0]);
        hash.update(name);
        let hash = data_encoding::HEXLOWER.encode(&hash.finalize()[..16]);
        self.root.join(format!("{}-{hash}", readable(name)))
    }

    pub(crate) fn runs_git(&self) -> &Git {
        &self.git
    }

    pub(crate) fn on_github(&self) -> &Access {
        &self.github
    }

    pub(crate) fn offers_old_tools(&self) -> bool {
        self.old_tools
    }

    /// What a command in `workspace` may see and write. Blocks.
    pub(crate) fn policy(&self, workspace: &Path) -> Policy {
        let hide = self.hide.iter().filter_map(|dir| dir.canonicalize().ok()).collect();
        self.commands.policy(Policy { hide, ..Policy::new(workspace) })
    }
}

fn era() -> String {
    format!("{}-{}", std::process::id(), number())
}

/// One that nothing here had before.
fn number() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos()
}

fn readable(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars().map(|c| c.to_ascii_lowercase()).take(4 * READABLE) {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
        if out.len() == READABLE {
            break;
        }
    }
    let kept = out.trim_end_matches('-');
    if kept.is_empty() { "x".to_owned() } else { kept.to_owned() }
}

/// A workspace's error as the model is to see it.
#[allow(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
pub(crate) fn said(error: hostel_workspace::Error) -> Error {
    Error::msg(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_agent_has_a_directory_of_its_own_below_the_root() {
        let workspaces = Workspaces::new("/w");
        let of = |class: &str, name: &str| workspaces.directory_of(&AgentId::new(class, name));
        assert_ne!(of("coder", "a"), of("other", "a"));
        assert_ne!(of("coder", "A"), of("coder", "a"));
        for name in ["../../etc/passwd", "", "..", "/etc", "a\0b", "Ünï"] {
            assert_eq!(of("coder", name).parent(), Some(Path::new("/w")), "{name:?}");
        }
        assert!(of("coder", "My Room #7!").to_str().is_some_and(|path| path.starts_with("/w/my-room-7-")));
    }
}
