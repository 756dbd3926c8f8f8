//! The binary `hostel-conformance`: serves the recorded application until it is asked to stop.

use std::{io::Write as _, net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use clap::Parser;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Serves the agents and routes of the recorded application.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// Where data is kept.
    #[arg(long, default_value = ".hostel-conformance")]
    data: PathBuf,
    /// Where the provider of the model is that answers for `HelperAgent`.
    #[arg(long)]
    models: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let listener = TcpListener::bind(arguments.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let mut app = hostel_conformance::app(arguments.data);
    if let Some(url) = &arguments.models {
        app = app.env(hostel_conformance::models_at(url)?);
    }
    let home = app.start().await?;
    let stop = stop_on_signal()?;
    writeln!(std::io::stdout(), "hostel-conformance listens on http://{}", listener.local_addr()?)?;
    home.serve(listener, stop).await?;
    Ok(())
}

fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        told.cancel();
    });
    Ok(stop)
}
