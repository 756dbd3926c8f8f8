//! Kills a real server in the middle of durable writes, again and again, and looks for losses.
//!
//! Many clients increment many counters; at a random moment the process gets SIGKILL, is started again on the same data,
//! and every counter is compared with what clients were told. Three things must hold for each agent:
//!
//! 1. **nothing lost**: the counter is at least the highest count that any client was acknowledged;
//! 2. **nothing shown too early**: it is at least the highest count that any client saw in a state frame;
//! 3. **nothing invented**: it is at most the number of increments that were ever sent.
//!
//! Acknowledged counts are kept here, outside of the system under test. The seed is printed, and fixes the moments and the
//! choice of agents (not the machine's scheduling).

mod ledger;
mod rng;
mod round;
mod server;

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Instant};

use clap::Parser;

use crate::{ledger::Ledger, rng::Rng, round::Round, server::Server};

/// Kills a real server in the middle of durable writes, again and again, and looks for losses.
#[derive(Debug, Parser)]
struct Flags {
    /// The server: any binary that takes --listen and --data and serves a CounterAgent with `increment`.
    #[arg(long, default_value = "target/release/hostel-bench")]
    server: PathBuf,
    /// How often to kill it.
    #[arg(long, default_value_t = 1_000)]
    kills: u32,
    /// Counters that are incremented.
    #[arg(long, default_value_t = 50)]
    agents: u64,
    /// Clients at a time, each with one increment under way.
    #[arg(long, default_value_t = 16)]
    clients: u64,
    /// The longest life of a process, in milliseconds, from its first answer.
    #[arg(long, default_value_t = 60)]
    longest_ms: u64,
    /// Repeats the choices of an earlier run.
    #[arg(long)]
    seed: Option<u64>,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let flags = Flags::parse();
    let seed = flags.seed.unwrap_or_else(Rng::any_seed);
    say(&format!("seed {seed}: {} kills of {}", flags.kills, flags.server.display()));
    let data = tempfile::tempdir()?;
    let ledger = Arc::new(Ledger::new(flags.agents));
    let begun = Instant::now();
    let faults = run(&flags, data.path(), &ledger, Rng::new(seed)).await?;
    let totals = ledger.totals();
    say(&format!(
        "{} kills in {:.1} s: {} increments sent, {} acknowledged, {} lost, {} shown too early, {} invented",
        flags.kills,
        begun.elapsed().as_secs_f64(),
        totals.sent,
        totals.acknowledged,
        faults.lost,
        faults.early,
        faults.invented,
    ));
    if totals.acknowledged == 0 {
        say("no increment was acknowledged: this run proves nothing");
        return Ok(ExitCode::FAILURE);
    }
    Ok(if faults.any() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn run(
    flags: &Flags,
    data: &std::path::Path,
    ledger: &Arc<Ledger>,
    mut rng: Rng,
) -> anyhow::Result<ledger::Faults> {
    let mut faults = ledger::Faults::default();
    let mut server = Server::start(&flags.server, data).await?;
    for kill in 1..=flags.kills {
        let round = Round { clients: flags.clients, life_ms: 1 + rng.below(flags.longest_ms), seed: rng.next() };
        round.run(&mut server, ledger).await;
        server = Server::start(&flags.server, data).await?;
        faults.add(ledger.compare(&server).await?);
        if kill % 100 == 0 {
            say(&format!("{kill} kills, {} increments acknowledged", ledger.totals().acknowledged));
        }
    }
    server.kill().await;
    Ok(faults)
}

/// A line for the person who watches.
#[expect(clippy::print_stdout, reason = "this is a command line program")]
fn say(line: &str) {
    println!("{line}");
}
