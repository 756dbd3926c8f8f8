//! A server's machine in small: a workspace, another one, a data directory with a secret, and whoever runs commands.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hostel_sandbox::{Limits, Policy};
use serde::Deserialize;

/// The helper that cargo built beside the tests.
pub(crate) const HELPER: &str = env!("CARGO_BIN_EXE_hostel-sandbox-helper");
/// Who an ordinary user is, when the tests are run by root.
const NOBODY: u32 = 65534;

/// Who the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Root,
    Ordinary,
}

pub(crate) struct Scene {
    pub(crate) who: Who,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) policy: Policy,
}

/// What became of a command.
#[derive(Debug, Deserialize)]
pub(crate) struct Outcome {
    #[serde(default)]
    pub(crate) output: String,
    #[serde(default)]
    pub(crate) errors: String,
    #[serde(default)]
    pub(crate) ended: String,
    pub(crate) error: Option<String>,
}

impl Scene {
    /// Nothing if the tests are not run by root, and root is wanted.
    pub(crate) fn new(who: Who) -> Option<Self> {
        let is_root = rustix::process::geteuid().is_root();
        if who == Who::Root && !is_root {
            eprintln!("SKIPPED: the tests are not run by root, so what root's commands can do is not tried");
            return None;
        }
        // Not below /tmp, which is another in the sandbox anyway.
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        for name in ["data", "data/w", "data/other"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join("data/secret"), "SECRET").unwrap();
        fs::write(dir.path().join("data/other/file"), "SECRET").unwrap();
        // A copy that was just written cannot be run while another thread's child still holds it open for writing.
        let helper = dir.path().join("helper");
        fs::hard_link(HELPER, &helper).or_else(|_| fs::copy(HELPER, &helper).map(drop)).unwrap();
        let data = dir.path().join("data");
        let limits = Limits {
            time: Duration::from_secs(120),
            grace: Duration::from_millis(300),
            memory: 256 << 20,
            processes: 64,
            file_bytes: 32 << 20,
            tmp_bytes: 16 << 20,
            output_bytes: 1 << 20,
            ..Limits::default()
        };
        let policy = Policy { limits, hide: vec![data.clone()], ..Policy::new(data.join("w")) };
        let scene = Self { who, dir, policy };
        scene.give_away();
        Some(scene)
    }

    /// Everything of the scene belongs to whoever runs commands.
    pub(crate) fn give_away(&self) {
        if self.who == Who::Ordinary && rustix::process::geteuid().is_root() {
            give(&self.dir.path().join("data"));
        }
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.dir.path().join("data/w")
    }

    fn driver(&self) -> Command {
        // With a descriptor that it inherits and knows nothing of, and as a script starts it with `&` and `nohup`: without some signals.
        let mut driver = Command::new("/bin/bash");
        driver
            .args(["-c", "trap '' HUP INT QUIT TSTP; exec 9< /etc/os-release; exec \"$0\""])
            .arg(self.dir.path().join("helper"));
        if self.who == Who::Ordinary && rustix::process::geteuid().is_root() {
            driver.uid(NOBODY).gid(NOBODY);
        }
        driver.env("HOSTEL_CANARY", "SECRET-OF-THE-ENVIRONMENT").stdin(Stdio::piped()).stdout(Stdio::piped());
        driver
    }

    pub(crate) fn start(&self) -> Child {
        self.driver().spawn().unwrap()
    }

    /// Runs a line of the shell. `$DATA` in it is the data directory.
    pub(crate) fn run(&self, line: &str) -> Outcome {
        self.run_as(line, false)
    }

    pub(crate) fn run_as(&self, line: &str, terminal: bool) -> Outcome {
        let mut driver = self.start();
        driver.stdin.take().unwrap().write_all(self.order(line, terminal).as_bytes()).unwrap();
        let out = driver.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"))
    }

    pub(crate) fn order(&self, line: &str, terminal: bool) -> String {
        let data = self.dir.path().join("data").display().to_string();
        serde_json::json!({
            "policy": self.policy,
            "argv": ["/bin/bash", "-c", line],
            "env": { "DATA": data },
            "terminal": terminal,
        })
        .to_string()
    }
}

fn give(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path()));
    }
}

/// A number of seconds that is in no other command line of the machine.
pub(crate) fn mark(of: u32) -> String {
    format!("{of}{:07}", std::process::id())
}

/// The processes of the machine whose command line has `mark` in it.
pub(crate) fn processes_with(mark: &str) -> usize {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let lines = all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(mark)).count()
}
