//! The load: measures a server from outside, over real sockets.

mod agents;
mod calls;
mod chat;
mod connection;
mod connects;
mod disk;
mod fanout;
mod flags;
mod frame;
mod histogram;
mod idle;
mod process;
mod report;
mod table;
mod wake;

use clap::Parser;
use flags::{Flags, Scenario};
use hostel_bench::{runtime, say};
use mimalloc::MiMalloc;
use tokio::task::LocalSet;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    if let Scenario::Table { results } = &flags.scenario {
        return Ok(say(&table::of_file(results)?)?);
    }
    let runtime = runtime(1)?;
    let report = LocalSet::new().block_on(&runtime, run(&flags))?;
    Ok(say(&if flags.json { report.json()? } else { report.line() })?)
}

async fn run(flags: &Flags) -> anyhow::Result<report::Report> {
    if let Scenario::ChatRead(chunks) = &flags.scenario {
        return chat::chunks::read(flags, chunks).await;
    }
    tokio::task::spawn_local(never_sleep());
    match &flags.scenario {
        Scenario::Calls(load) => calls::run(flags, load, "ping").await,
        Scenario::Increments(load) => calls::run(flags, load, "increment").await,
        Scenario::Fanout(fanout) => fanout::run(flags, fanout).await,
        Scenario::Idle(idle) => idle::run(flags, idle).await,
        Scenario::Agents(agents) => agents::run(flags, agents).await,
        Scenario::Wake(wake) => wake::run(flags, wake).await,
        Scenario::Connects(connects) => connects::run(flags, connects).await,
        Scenario::Disk(writes) => disk::run(flags, writes),
        Scenario::Chat(scenario) => chat::run(flags, scenario).await,
        Scenario::ChatRead(_) | Scenario::Table { .. } => anyhow::bail!("no load is needed"),
    }
}

/// Keeps this thread running. Waking a sleeping process on another core costs the one that sends more than the sending
/// itself; clients across a network would not have cost the server that.
async fn never_sleep() {
    loop {
        tokio::task::yield_now().await;
    }
}
