//! What an idle connection costs, and an agent that sleeps behind it.

use std::time::Duration;

use anyhow::Context;

use crate::{
    connection::Connection,
    flags::{Flags, Idle},
    process::Process,
    report::Report,
};

/// Connections made before memory is looked at for the first time, so that what is made once is not counted.
const FIRST: usize = 256;
/// Connections made at a time.
const AT_ONCE: usize = 64;

/// Opens connections, waits, and compares the server's memory.
pub(crate) async fn run(flags: &Flags, idle: &Idle) -> anyhow::Result<Report> {
    let process = Process::new(flags.pid.context("memory needs --pid")?);
    let settle = Duration::from_secs_f64(idle.settle);
    let mut open = Vec::new();
    connect(flags, idle, FIRST, &mut open).await?;
    tokio::time::sleep(settle).await;
    let (resident, anonymous) = process.memory()?;
    connect(flags, idle, idle.connections, &mut open).await?;
    tokio::time::sleep(settle).await;
    let (resident_after, anonymous_after) = process.memory()?;
    let each = |before: f64, after: f64| (after - before) / idle.connections as f64;
    let on = if idle.agents == 1 { "one agent".to_owned() } else { format!("{} agents", idle.agents) };
    let report = Report::new(&flags.label, format!("{} idle connections on {on}", idle.connections));
    Ok(report
        .with("resident bytes each", each(resident, resident_after))
        .with("of them anonymous", each(anonymous, anonymous_after))
        .with("MB resident in all", resident_after / 1e6))
}

async fn connect(flags: &Flags, idle: &Idle, count: usize, open: &mut Vec<Connection>) -> anyhow::Result<()> {
    for begun in (0..count).step_by(AT_ONCE) {
        let batch = (begun..count.min(begun + AT_ONCE)).map(|_| ());
        let names: Vec<_> =
            batch.enumerate().map(|(at, ())| format!("idle-{}", (open.len() + at) % idle.agents)).collect();
        let connections = names.iter().map(|name| Connection::ready(flags, name));
        open.extend(futures_util::future::try_join_all(connections).await?);
    }
    Ok(())
}
