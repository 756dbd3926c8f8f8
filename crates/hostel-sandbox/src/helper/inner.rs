//! The last stage: restricts itself, and becomes the command.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Resource, Rlimit, ioctl_tiocsctty, setrlimit, setsid};
use rustix::stdio::{stderr, stdin, stdout};

use super::{failed, filter, landlock, signals};
use crate::order::{Order, VARIABLE};
use crate::sandbox::Report;

pub(super) fn run() -> i32 {
    match become_the_command() {
        Ok(()) => 0,
        Err((code, why)) => {
            let _ = rustix::io::write(stderr(), format!("sandbox: {why}\n").as_bytes());
            code
        }
    }
}

fn become_the_command() -> Result<(), (i32, String)> {
    let not_run = |why| (125, why);
    let order = std::env::var(VARIABLE).map_err(|error| error.to_string());
    let order: Order =
        order.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string())).map_err(not_run)?;
    setsid().map_err(failed("no session of its own")).map_err(not_run)?;
    if order.terminal {
        ioctl_tiocsctty(stdin()).map_err(failed("no terminal")).map_err(not_run)?;
    }
    signals::as_usual().map_err(failed("signals stay ignored")).map_err(not_run)?;
    limits(&order).map_err(not_run)?;
    let files = landlock::restrict(&order.policy).map_err(not_run)?;
    filter::restrict().map_err(not_run)?;
    let Some((program, arguments)) = order.argv.split_first() else {
        let report = serde_json::to_vec(&Report { landlock: files }).map_err(|error| not_run(error.to_string()))?;
        return rustix::io::write(stdout(), &report).map(drop).map_err(|error| not_run(error.to_string()));
    };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&order.env).current_dir(&order.dir);
    let error = command.exec();
    let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
    Err((code, format!("{program} does not start: {error}")))
}

fn limits(order: &Order) -> Result<(), String> {
    let limits = &order.policy.limits;
    let all = [
        (Resource::Core, 0),
        (Resource::Nofile, limits.open_files),
        (Resource::Fsize, limits.file_bytes),
        (Resource::Data, limits.memory),
        // Where the kernel does not count (for root outside), the second stage does.
        (Resource::Nproc, limits.processes),
        (Resource::Memlock, 8 << 20),
        (Resource::Rtprio, 0),
    ];
    for (resource, limit) in all {
        let had = rustix::process::getrlimit(resource).maximum;
        let limit = had.map_or(limit, |had| had.min(limit));
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })
            .map_err(failed("limits cannot be set"))?;
    }
    Ok(())
}
