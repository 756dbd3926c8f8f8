//! `hostel hands`: lends this machine to an agent, as the place where its commands run.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use crate::cli::HandsArgs;
use crate::failure::Usage;
use crate::hands::{Allowed, Asking, Link, Place, Work};

pub(super) async fn run(args: &HandsArgs) -> anyhow::Result<ExitCode> {
    closed()?;
    let target = args.server.target(&args.target)?;
    let allowed = Allowed::new(&args.allow, &args.deny, args.allow_file.as_deref())?;
    let name = args.name.clone().unwrap_or_else(host_name);
    let place = Place::open(&args.directory, &args.env, args.sandbox).await?;
    let asking = if std::io::stdin().is_terminal() { Asking::at_terminal() } else { Asking::nobody() };
    let work = Work::new(place, allowed, asking, args.input, args.grace);
    let link = Link::new(target, args.server.options(), work, checked(name)?, args.chosen)?;
    tokio::select! {
        ended = link.run() => ended.map(|()| ExitCode::SUCCESS),
        _ = tokio::signal::ctrl_c() => Ok(ExitCode::SUCCESS),
    }
}

/// Has nobody of this user look into this process: neither into its memory, where the token is, nor into the environment that it was given.
/// What it starts is another program, and as open as any.
fn closed() -> anyhow::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let closed = set_dumpable_behavior(DumpableBehavior::NotDumpable);
        closed.map_err(|error| anyhow::anyhow!("this program cannot be closed to those that it runs: {error}"))?;
    }
    Ok(())
}

/// The name of this machine, as far as it can be one here.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = name.trim().chars().map(plain).take(64).collect();
    if name.is_empty() { "hands".to_owned() } else { name }
}

fn checked(name: String) -> anyhow::Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        return Err(Usage("a name is of letters, digits, -, _ and ., 64 at most".to_owned()).into());
    }
    Ok(name)
}
