//! The server under test: real, with agents whose turns touch several things at once, and with short delays, so that
//! everything that happens to a journal in a day happens within a second.

mod bell;
mod ledger;
mod note;
mod talk;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Parser;
use hostel::{
    Admission, AgentId, App, Edge, Limits, Moment, Options, StorageOptions,
    axum::{Router, extract::Path, http::StatusCode, routing::get},
};

use tracing_subscriber::EnvFilter;

use crate::{bell::BellAgent, ledger::LedgerAgent, note::NoteAgent, talk::TalkAgent};

/// Whether this server can be made to fail at chosen points.
const POINTS: &str = if cfg!(feature = "failpoints") { "points" } else { "plain" };

/// Serves a LedgerAgent, a NoteAgent, a TalkAgent and a BellAgent, for hostel-crash.
#[derive(Debug, Parser)]
struct Flags {
    /// Where to listen.
    #[arg(long)]
    listen: SocketAddr,
    /// Where data is kept.
    #[arg(long)]
    data: PathBuf,
    /// Milliseconds after which an idle agent sleeps, which copies its log into its file.
    #[arg(long, default_value_t = 15)]
    idle_after_ms: u64,
    /// Milliseconds between two checkpoints.
    #[arg(long, default_value_t = 25)]
    checkpoint_after_ms: u64,
    /// Bytes of a segment of the journal.
    #[arg(long, default_value_t = 256 << 10)]
    segment_bytes: u64,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    #[cfg(feature = "failpoints")]
    let _armed = hostel_journal::points::arm();
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false);
    log.with_env_filter(EnvFilter::from_default_env()).init();
    let flags = Flags::parse();
    app(&flags).serve(flags.listen).await?;
    Ok(())
}

fn app(flags: &Flags) -> App {
    let options = Options { idle_after: Duration::from_millis(flags.idle_after_ms), ..Options::default() };
    let storage = StorageOptions {
        checkpoint_after: Duration::from_millis(flags.checkpoint_after_ms),
        journal_segment_bytes: flags.segment_bytes,
        ..StorageOptions::default()
    };
    App::new()
        .agent::<LedgerAgent>()
        .agent::<NoteAgent>()
        .agent::<TalkAgent>()
        .agent::<BellAgent>()
        .data(&flags.data)
        .limits(Limits { connections: 100_000, connections_per_ip: 100_000, ..Limits::default() })
        .options(options)
        .storage(storage)
        .admission(Admission::any())
        .routes(|edge| routes(edge.clone()))
}

/// `/fork/<agent>/<name>` makes a fork, which puts a whole database in its place.
fn routes(edge: Edge) -> Router {
    let fork = move |Path((agent, name)): Path<(String, String)>| async move {
        let forked = edge.node().fork(&AgentId::new("LedgerAgent", &agent), &name, Moment::Now).await;
        forked.map_or_else(|error| (StatusCode::CONFLICT, error.to_string()), |_| (StatusCode::OK, String::new()))
    };
    Router::new().route("/healthz", get(|| async { POINTS })).route("/fork/{agent}/{name}", get(fork))
}
