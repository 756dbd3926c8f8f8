//! `hostel serve`: checks the configuration, shows where to connect, and serves until told to stop.

use std::process::ExitCode;

use anyhow::Context as _;
use hostel_server::{Server, config::Config, logs};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::Usage;
use crate::output;
use crate::settings::Settings;

pub(super) fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let config = settings.load()?;
    config.check().map_err(|error| Usage(error.to_string()))?;
    serve(&config)
}

fn serve(config: &Config) -> anyhow::Result<ExitCode> {
    logs::init(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("the runtime cannot be started")?.block_on(async {
        // Before the banner: whoever reads it may send a signal at once.
        let stop = stop_on_signal()?;
        let server = Server::start(config).await?;
        output::line(&server.banner().to_string())?;
        server.run(stop).await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Cancelled by Ctrl-C and SIGTERM. A second signal ends the process at once.
fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let told = stop.clone();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if told.is_cancelled() {
                std::process::exit(130);
            }
            told.cancel();
        }
    });
    Ok(stop)
}
