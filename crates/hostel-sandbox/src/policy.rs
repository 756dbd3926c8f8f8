//! What a command may see, write and reach, and how much it may take.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a command may see, write and reach.
///
/// Always there, read-only: `/usr`, `/bin`, `/sbin`, `/lib*`, `/opt`, and of `/etc` what programs need and nobody minds. Paths in the
/// sandbox are those of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The directory the command works in, and may change. Git's configuration and hooks in it may not be changed.
    pub workspace: PathBuf,
    /// Further directories it may change: a cache, the repository of a work tree. Git's configuration and hooks in them may not.
    pub write: Vec<PathBuf>,
    /// Further files and directories it may read: a toolchain.
    pub read: Vec<PathBuf>,
    /// What must never be seen: the server's data directory, secrets. A `read` or `write` that would show any of it is refused,
    /// except for a directory *within* the data directory that is the workspace or in `write`.
    pub hide: Vec<PathBuf>,
    /// A directory that stays between commands and is the command's home; without, home is empty and forgotten.
    pub home: Option<PathBuf>,
    /// What it may reach.
    pub network: Network,
    /// How much it may take.
    pub limits: Limits,
}

impl Policy {
    /// Only `workspace`, no network, usual limits.
    #[must_use]
    pub fn new(workspace: impl Into<PathBuf>) -> Self {
        Self {
            workspace: workspace.into(),
            write: Vec::new(),
            read: Vec::new(),
            hide: Vec::new(),
            home: None,
            network: Network::None,
            limits: Limits::default(),
        }
    }
}

/// What a command may reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// Nothing but itself: an own loopback.
    None,
    /// The network of the machine, but TCP connections to these ports only, and none taken. Names can be looked up; UDP is open.
    ///
    /// The server's own ports must not be among them. It needs Landlock of Linux 6.12, and is refused without.
    Ports(Vec<u16>),
}

/// How much a command may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// How long it may run.
    pub time: Duration,
    /// How long it has to end once it was asked to.
    pub grace: Duration,
    /// Bytes of memory of all its processes together.
    pub memory: u64,
    /// Processes and threads.
    pub processes: u64,
    /// Bytes of a single file.
    pub file_bytes: u64,
    /// Open files of a process.
    pub open_files: u64,
    /// Bytes in `/tmp`, a forgotten home included; as many again in `/var/tmp` and in `/dev/shm`.
    pub tmp_bytes: u64,
    /// Bytes of output; beyond, it is ended.
    pub output_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(120),
            grace: Duration::from_secs(2),
            memory: 4 << 30,
            processes: 512,
            file_bytes: 2 << 30,
            open_files: 4096,
            tmp_bytes: 1 << 30,
            output_bytes: 16 << 20,
        }
    }
}
