//! How many clients a second can come.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;

use crate::{
    calls::WARM_UP,
    connection::Connection,
    flags::{Connects, Flags},
    process::Process,
    report::Report,
};

/// Connects until told whom it reached, and leaves, over and over.
pub(crate) async fn run(flags: &Flags, connects: &Connects) -> anyhow::Result<Report> {
    let count = Cell::new(0_u64);
    // The agents exist before it begins: this is about connections.
    let first = (0..connects.at_once)
        .map(|index| async move { Connection::ready(flags, &format!("connects-{index}")).await?.close().await });
    try_join_all(first).await?;
    let worker = |index: usize| {
        let count = &count;
        async move {
            loop {
                let connection = Connection::ready(flags, &format!("connects-{index}")).await?;
                count.set(count.get() + 1);
                connection.close().await?;
            }
        }
    };
    let workers = try_join_all((0..connects.at_once).map(worker));
    tokio::select! {
        report = measure(flags, &count, connects.seconds) => report,
        Err(failed) = async { workers.await.map(|never: Vec<()>| never) } => Err(failed),
    }
}

async fn measure(flags: &Flags, count: &Cell<u64>, seconds: f64) -> anyhow::Result<Report> {
    tokio::time::sleep(WARM_UP).await;
    let process = flags.pid.map(Process::new);
    let cpu = || process.map(Process::cpu).transpose();
    let (before, begun, cpu_before) = (count.get(), Instant::now(), cpu()?);
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    let used = cpu()?.zip(cpu_before).map(|(after, before)| (after - before).as_secs_f64());
    let connected = (count.get() - before) as f64;
    let report = Report::new(&flags.label, "connects").with("connects/s", connected / begun.elapsed().as_secs_f64());
    Ok(match used.filter(|used| *used > 0.0) {
        Some(used) => report.with("connects per second of CPU", connected / used),
        None => report,
    })
}
