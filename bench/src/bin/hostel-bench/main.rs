//! The server to measure: Hostel with one `CounterAgent` and nothing else.

mod counter;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Parser;
use counter::CounterAgent;
use hostel::{
    Admission, App, Edge, HistoryOptions, Limits, Options, StorageOptions,
    axum::{Router, routing::get},
};
use hostel_bench::{runtime, say};
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Serves a CounterAgent, for benchmarks.
#[derive(Debug, Parser)]
struct Flags {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// Where data is kept.
    #[arg(long, default_value = ".hostel")]
    data: PathBuf,
    /// Threads that run agents and sockets; one runs without a scheduler between threads.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Milliseconds after which an idle agent sleeps.
    #[arg(long, default_value_t = 10_000)]
    idle_after_ms: u64,
    /// How many agents may be awake with nothing to do; without it as many as memory is for.
    #[arg(long)]
    max_idle_awake: Option<usize>,
    /// Bytes of journal after which agents' files are brought up to date.
    #[arg(long, default_value_t = StorageOptions::default().checkpoint_bytes)]
    checkpoint_bytes: u64,
    /// The same in milliseconds.
    #[arg(long, default_value_t = 30_000)]
    checkpoint_after_ms: u64,
    /// Keep nothing of turns that the journal needs no more.
    #[arg(long)]
    no_history: bool,
}

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    runtime(flags.threads)?.block_on(serve(flags))
}

async fn serve(flags: Flags) -> anyhow::Result<()> {
    say(&format!("listening on http://{}", flags.listen))?;
    app(&flags).serve(flags.listen).await?;
    Ok(())
}

fn app(flags: &Flags) -> App {
    App::new()
        .agent::<CounterAgent>()
        .data(&flags.data)
        .limits(limits())
        .options(options(flags))
        .storage(storage(flags))
        .admission(Admission::any())
        .routes(|edge| routes(edge.clone()))
}

/// All load comes from one address.
fn limits() -> Limits {
    Limits { connections: 1_000_000, connections_per_ip: 1_000_000, ..Limits::default() }
}

fn options(flags: &Flags) -> Options {
    let defaults = Options::default();
    Options {
        idle_after: Duration::from_millis(flags.idle_after_ms),
        max_idle_awake: flags.max_idle_awake.unwrap_or(defaults.max_idle_awake),
        ..defaults
    }
}

fn storage(flags: &Flags) -> StorageOptions {
    StorageOptions {
        checkpoint_bytes: flags.checkpoint_bytes,
        checkpoint_after: Duration::from_millis(flags.checkpoint_after_ms),
        history: if flags.no_history { HistoryOptions::off() } else { HistoryOptions::default() },
        ..StorageOptions::default()
    }
}

/// `/awake` tells the load when agents have fallen asleep.
fn routes(edge: Edge) -> Router {
    let awake = move || async move { awake(&edge).await };
    Router::new().route("/healthz", get(|| async { "ok" })).route("/awake", get(awake))
}

async fn awake(edge: &Edge) -> String {
    match edge.node().overview().await {
        Ok(classes) => classes.iter().map(|class| class.awake).sum::<usize>().to_string(),
        Err(error) => error.message().to_owned(),
    }
}
