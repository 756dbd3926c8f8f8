//! Creates agents, and looks at the server when all of them sleep.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use anyhow::Context;
use futures_util::future::try_join_all;

use crate::{
    connection::Connection,
    flags::{Agents, Flags},
    process::Process,
    report::Report,
};

/// Creates agents with one increment each.
pub(crate) async fn run(flags: &Flags, agents: &Agents) -> anyhow::Result<Report> {
    let process = Process::new(flags.pid.context("memory needs --pid")?);
    let (before, _) = process.memory()?;
    let (begun, cpu) = (Instant::now(), process.cpu()?);
    create(flags, "agent", agents.count, agents.at_once).await?;
    let took = begun.elapsed().as_secs_f64();
    let used = (process.cpu()? - cpu).as_secs_f64();
    tokio::time::sleep(Duration::from_secs_f64(agents.settle)).await;
    let (resident, anonymous) = process.memory()?;
    let count = agents.count as f64;
    Ok(Report::new(&flags.label, format!("{} agents created and asleep", agents.count))
        .with("MB resident", resident / 1e6)
        .with("MB anonymous", anonymous / 1e6)
        .with("resident bytes each", (resident - before) / count)
        .with("open databases", process.files("/agents/")? as f64)
        .with("created/s", count / took)
        .with("created per second of CPU", count / used))
}

/// Connects to agents that did not exist, has each count once, and leaves.
pub(crate) async fn create(flags: &Flags, prefix: &str, count: usize, at_once: usize) -> anyhow::Result<()> {
    let next = Cell::new(0);
    let worker = || async {
        loop {
            let index = next.replace(next.get() + 1);
            if index >= count {
                return anyhow::Ok(());
            }
            let mut connection = Connection::open(flags, &format!("{prefix}-{index}")).await?;
            connection.call("increment").await?;
            connection.close().await?;
        }
    };
    try_join_all((0..at_once).map(|_| worker())).await?;
    Ok(())
}
