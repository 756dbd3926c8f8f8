//! Where agents work: a directory for each, and what may be done in it.

mod carried;
mod ending;
mod landing;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use hostel::{AgentId, App, Belongings, Error, Result};
use hostel_sandbox::{Command, Job, Policy, Sandbox};
use hostel_workspace::{
    Limits, Workspace,
    git::{Git, GitOptions, Repo},
};
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;
use url::Url;

use crate::{
    Budgets, CommandOptions,
    beside::beside,
    github::{Access, GithubOptions},
    hands::Lent,
    policy::PolicyDefaults,
    shell::Shells,
};

/// From where may be cloned if nobody says.
const HOSTS: [&str; 4] = ["github.com", "gitlab.com", "codeberg.org", "bitbucket.org"];

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
        }
    }

    /// Keeps `dir` from being seen by commands, with the exception of the workspace a command runs in.
    #[must_use]
    pub fn hide(mut self, dir: impl Into<PathBuf>) -> Self {
        self.hide.push(dir.into());
        self
    }

    /// The hosts from which may be cloned, instead of the four great public ones.
    #[must_use]
    pub fn hosts<S: Into<String>>(mut self, hosts: impl IntoIterator<Item = S>) -> Self {
        self.hosts = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// How git is run, and which directories of this machine may be cloned.
    #[must_use]
    pub fn git(mut self, options: GitOptions) -> Self {
        self.git = Git::new(options);
        self
    }

    /// Another GitHub than the public one, or a token for everybody who has none.
    #[must_use]
    pub fn github(mut self, options: GithubOptions) -> Self {
        self.github = Access::new(options);
        self
    }

    /// Whether the model is told of tools that only have another, older name. They work when they are called in any case.
    #[must_use]
    pub fn old_tools(mut self, offered: bool) -> Self {
        self.old_tools = offered;
        self
    }

    /// Bounds of each workspace.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Another sandbox.
    #[must_use]
    pub fn sandbox(mut self, sandbox: Sandbox) -> Self {
        self.sandbox = sandbox;
        self
    }

    /// How all agents work unless somebody sets one otherwise, and rules for all of them.
    #[must_use]
    pub fn policy_for_all(mut self, policy: PolicyDefaults) -> Self {
        self.policy = policy;
        self
    }

    /// Where commands cannot be sandboxed, none is run. Without this every single one is asked for, and then runs unprotected.
    #[must_use]
    pub fn only_sandboxed(mut self) -> Self {
        self.commands.only_sandboxed = true;
        self
    }

    /// What commands see, reach and take.
    #[must_use]
    pub fn commands(mut self, options: CommandOptions) -> Self {
        self.commands = options;
        self
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

    /// What turns and autonomous runs may take at most.
    #[must_use]
    pub fn budgets(mut self, budgets: Budgets) -> Self {
        self.budgets = budgets;
        self
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

    /// Starts a command: in the sandbox, or, where there is none, without.
    pub(crate) async fn start(&self, policy: &Policy, command: &Command) -> hostel_sandbox::Result<Job> {
        let command = &self.commands.command(command.clone());
        match self.unsandboxed() {
            None => self.sandbox.start(policy, command).await,
            Some(why) if self.commands.only_sandboxed => Err(hostel_sandbox::Error::Unavailable { why }),
            Some(_) => self.sandbox.start_unprotected(policy, command).await,
        }
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

    /// Refuses what may not be cloned. Directories of this machine are for git to refuse, which has the list of those that may.
    pub(crate) fn check_address(&self, url: &str) -> Result<()> {
        if self.github.is_there(url) {
            return Ok(());
        }
        if is_local(url) {
            return Ok(());
        }
        // Read the way git's own check reads it, which mends what is only nearly an address.
        let parsed = Url::parse(url).ok();
        let is_plain = |url: &Url| url.port().is_none() && url.username().is_empty() && url.password().is_none();
        let host = parsed.as_ref().filter(|url| is_plain(url)).and_then(Url::host_str);
        if host.is_some_and(|host| self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))) {
            return Ok(());
        }
        let shown: String = url.chars().filter(|c| !c.is_control()).take(100).collect();
        let hosts = self.hosts.join(", ");
        Err(Error::msg(format!("Nothing may be cloned from {shown:?}.")).with_fix(format!("allowed are: {hosts}")))
    }
}

/// Whether git takes it for a directory of this machine.
fn is_local(url: &str) -> bool {
    url.starts_with("file://") || url.starts_with('/')
}

/// The address of a repository as git is given it, so that a rule is not got around by another way to write it; nothing if it is
/// none.
pub(crate) fn normal_address(url: &str) -> Option<String> {
    if is_local(url) {
        return (!url.split('/').any(|part| matches!(part, "." | ".."))).then(|| url.to_owned());
    }
    Url::parse(url).ok().filter(Url::has_host).map(String::from)
}

/// Which turn of which agent has begun to change something; and what keeps two from putting files back at a time.
#[derive(Debug, Default)]
struct Marks {
    changing: Mutex<HashMap<PathBuf, String>>,
    alone: tokio::sync::Mutex<()>,
    snapshots: AtomicU64,
}

impl Workspaces {
    /// Notes that a turn changes something; whether it is the first time.
    pub(crate) fn begins_to_change(&self, agent: &AgentId, turn: &str) -> bool {
        let mut changing = self.marks.changing.lock().unwrap_or_else(PoisonError::into_inner);
        changing.insert(self.directory_of(agent), turn.to_owned()).as_deref() != Some(turn)
    }

    /// Whether a turn that is over has changed something; it is asked once.
    pub(crate) fn has_changed(&self, agent: &AgentId, turn: &str) -> bool {
        let mut changing = self.marks.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if changing.is_empty() {
            return false;
        }
        let place = self.directory_of(agent);
        let has = changing.get(&place).is_some_and(|last| last == turn);
        if has {
            changing.remove(&place);
        }
        has
    }

    pub(crate) async fn alone(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.marks.alone.lock().await
    }

    /// Counts snapshots.
    pub(crate) fn count_snapshot(&self) -> u64 {
        self.marks.snapshots.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Where the snapshots of a workspace without a repository are.
    pub(crate) fn side(workspace: &Path) -> PathBuf {
        let mut name = workspace.as_os_str().to_owned();
        name.push(".side");
        name.into()
    }

    /// Where the repository of a workspace is while the files are those of a time without one.
    fn git_aside(workspace: &Path) -> PathBuf {
        let mut name = workspace.as_os_str().to_owned();
        name.push(".git");
        name.into()
    }

    /// Takes the repository out of the workspace, if there is one. Blocks.
    pub(crate) fn put_git_aside(workspace: &Workspace) -> Result<()> {
        let (own, aside) = (workspace.path().join(".git"), Self::git_aside(workspace.path()));
        if own.symlink_metadata().is_err() {
            return Ok(());
        }
        if aside.exists() {
            std::fs::remove_dir_all(&aside)?;
        }
        Ok(std::fs::rename(own, aside)?)
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

/// How the names of directories end that are made beside a workspace.
const BESIDE: &str = "new";

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

    #[test]
    fn only_hosts_that_are_allowed_are_cloned_from() {
        let workspaces = Workspaces::new("/w");
        for url in ["https://github.com/a/b", "https://GitHub.com/a/b.git", "/srv/repo"] {
            assert!(workspaces.check_address(url).is_ok(), "{url}");
        }
        for url in [
            "https://localhost/a",
            "https://169.254.169.254/latest",
            "https://github.com:8080/a",
            "https://github.com@evil.example/a",
            "https://user:word@github.com/a",
            "https://github.com.evil.example/a",
            "https://evil.example\\@github.com/a",
            "HTTPS://169.254.169.254/x",
            " https://localhost/x",
            "https:localhost/x",
            "https:\\\\localhost/x",
            "http://localhost/x",
            "ssh://localhost/x",
        ] {
            assert!(workspaces.check_address(url).is_err(), "{url}");
        }
    }
}
