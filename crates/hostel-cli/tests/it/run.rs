//! Running the binary and reading what it says.

use std::ffi::OsStr;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// What a finished command left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The binary with an environment that has none of its settings.
pub(crate) fn hostel(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostel"));
    command.args(args).kill_on_drop(true);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(name)) {
        command.env_remove(name);
    }
    command
}

fn is_setting(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with("HOSTEL_")
}

/// Runs the binary to its end.
pub(crate) async fn run(args: &[&str]) -> Ran {
    fed(args, "").await
}

/// Runs the binary to its end with something on stdin.
pub(crate) async fn fed(args: &[&str], stdin: &str) -> Ran {
    finish(hostel(args), stdin).await
}

/// Runs a prepared command to its end.
pub(crate) async fn finish(mut command: Command, stdin: &str) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut input = child.stdin.take().expect("a pipe");
    // A command that does not read stdin may be gone already.
    let _ = input.write_all(stdin.as_bytes()).await;
    drop(input);
    let output = child.wait_with_output().await.expect("the binary ends");
    Ran {
        code: output.status.code().expect("an exit code"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// Runs `hostel doctor --json` and gives its report.
pub(crate) async fn doctor(args: &[&str]) -> (i32, Value) {
    let ran = run(&[&["doctor", "--json", "--timeout", "3"], args].concat()).await;
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    (ran.code, report)
}
