//! What the operator sets for commands: what they see, reach and take.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use hostel_sandbox::{Command, Limits, Network, Policy};

/// What commands of coding agents see, reach and take.
///
/// ```
/// use hostel_coder::{CommandOptions, Workspaces};
///
/// let cargo = CommandOptions {
///     read: vec!["/home/hostel/.cargo".into(), "/home/hostel/.rustup".into()],
///     path: vec!["/home/hostel/.cargo/bin".into()],
///     env: [("RUSTUP_HOME".to_owned(), "/home/hostel/.rustup".to_owned())].into(),
///     ..CommandOptions::default()
/// };
/// let workspaces = Workspaces::new("data/workspaces").commands(cargo);
/// # let _ = workspaces;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandOptions {
    /// Files and directories they may read besides the system's programs and the workspace: toolchains, caches.
    pub read: Vec<PathBuf>,
    /// Directories in which programs are looked for before the system's own.
    pub path: Vec<PathBuf>,
    /// Variables.
    pub env: BTreeMap<String, String>,
    /// TCP ports they may connect to, of any host; none means no network at all. Names can be looked up then, and UDP is open.
    pub ports: Vec<u16>,
    /// How much one may take. Its time is what one has that says nothing else.
    pub limits: Limits,
    /// Commands that cannot be sandboxed on this machine are not run at all, instead of each being asked for.
    pub only_sandboxed: bool,
    /// Whether people may lend machines of theirs for commands to run on.
    pub hands: bool,
    /// How long a machine that was chosen is waited for when it is not connected, and when it is lost while a command runs there.
    pub hands_wait: Duration,
}

impl Default for CommandOptions {
    fn default() -> Self {
        Self {
            read: Vec::new(),
            path: Vec::new(),
            env: BTreeMap::new(),
            ports: Vec::new(),
            limits: Limits::default(),
            only_sandboxed: false,
            hands: true,
            hands_wait: Duration::from_secs(60),
        }
    }
}

/// Where programs are in any case.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl CommandOptions {
    pub(crate) fn policy(&self, policy: Policy) -> Policy {
        let network = if self.ports.is_empty() { Network::None } else { Network::Ports(self.ports.clone()) };
        let read = self.read.iter().filter(|path| path.exists()).cloned().collect();
        Policy { read, network, limits: self.limits.clone(), ..policy }
    }

    pub(crate) fn command(&self, command: Command) -> Command {
        let command = self.env.iter().fold(command, |command, (name, value)| command.env(name, value));
        if self.path.is_empty() {
            return command;
        }
        let own: Vec<String> = self.path.iter().map(|dir| dir.display().to_string()).collect();
        command.env("PATH", format!("{}:{PATH}", own.join(":")))
    }

    /// What they reach, for people.
    pub(crate) fn reach(&self) -> String {
        if self.ports.is_empty() {
            return "without a network".to_owned();
        }
        let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
        format!("with the network (TCP ports {})", ports.join(", "))
    }
}
