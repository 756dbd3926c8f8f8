//! A command without a sandbox ends with the program that started it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hostel_sandbox::{Command, Policy, Sandbox};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::oneshot;

use super::scene::HELPER;

/// A pipe with a name that a command holds open for as long as it lives.
fn pipe(dir: &Path) -> PathBuf {
    let pipe = dir.join("alive");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    pipe
}

/// The first line that is written into it, and its end. Nobody waits for the thread if there is none.
fn read(pipe: PathBuf) -> (oneshot::Receiver<String>, oneshot::Receiver<String>) {
    let ((tell, told), (end, gone)) = (oneshot::channel(), oneshot::channel());
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(File::open(pipe).unwrap());
        let (mut first, mut rest) = (String::new(), String::new());
        pipe.read_line(&mut first).unwrap();
        tell.send(first).unwrap();
        pipe.read_to_string(&mut rest).unwrap();
        let _ = end.send(rest);
    });
    (told, gone)
}

#[tokio::test]
async fn a_job_that_is_dropped_ends_its_command_also_if_the_helper_comes_to_it_late() {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let (helper, gone) = read(pipe(dir.path()));
    let command = Command::shell("exec 3> alive; echo $PPID >&3; exec sleep 600");
    let policy = Policy::new(dir.path());
    let job = Sandbox::with_helper(HELPER).start_unprotected(&policy, &command).await.unwrap();
    let helper = helper.await.unwrap().trim().parse().ok().and_then(Pid::from_raw).unwrap();
    kill_process(helper, Signal::STOP).unwrap();
    drop(job);
    kill_process(helper, Signal::CONT).unwrap();
    let rest = tokio::time::timeout(Duration::from_secs(60), gone).await.expect("the command ends").unwrap();
    assert_eq!(rest, "");
}
