//! How long a sleeping agent takes to answer.

use std::time::{Duration, Instant};

use crate::{
    agents::create,
    connection::Connection,
    flags::{Flags, Wake},
    histogram::Histogram,
    report::Report,
};

/// Agents made at a time.
const AT_ONCE: usize = 16;

/// Lets agents fall asleep, then wakes each once.
pub(crate) async fn run(flags: &Flags, wake: &Wake) -> anyhow::Result<Report> {
    create(flags, "wake", wake.agents, AT_ONCE).await?;
    let mut latencies = Histogram::default();
    let name = if wake.hibernated {
        hibernated(flags, wake, &mut latencies).await?;
        "wake, socket open"
    } else {
        settle(wake).await;
        connecting(flags, wake, &mut latencies).await?;
        "wake, connecting included"
    };
    Ok(Report::new(&flags.label, name)
        .with("µs p50", latencies.quantile_us(0.5))
        .with("µs p99", latencies.quantile_us(0.99)))
}

/// From the call on a socket whose agent sleeps to its reply.
async fn hibernated(flags: &Flags, wake: &Wake, latencies: &mut Histogram) -> anyhow::Result<()> {
    let mut connections = Vec::new();
    for index in 0..wake.agents {
        connections.push(Connection::ready(flags, &format!("wake-{index}")).await?);
    }
    settle(wake).await;
    for connection in &mut connections {
        let begun = Instant::now();
        connection.call("ping").await?;
        latencies.add(begun.elapsed());
    }
    Ok(())
}

/// From the first packet of a connection to the reply to its first call.
async fn connecting(flags: &Flags, wake: &Wake, latencies: &mut Histogram) -> anyhow::Result<()> {
    for index in 0..wake.agents {
        let begun = Instant::now();
        let mut connection = Connection::open(flags, &format!("wake-{index}")).await?;
        connection.call("ping").await?;
        latencies.add(begun.elapsed());
        connection.close().await?;
    }
    Ok(())
}

async fn settle(wake: &Wake) {
    tokio::time::sleep(Duration::from_secs_f64(wake.settle)).await;
}
