//! `hostel serve`: checks the configuration, shows where to connect, and serves until told to stop.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use hostel_server::{Scrub, Server, config::Config, logs, vault};
use hostel_vault::{Vault, environment};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::Usage;
use crate::output;
use crate::settings::Settings;

pub(super) fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    // Before anything else, because this may start the program anew: what it starts later inherits no secret.
    let environment = environment::isolate().context("the secrets cannot be taken out of the environment")?;
    let config = settings.load()?;
    config.check().map_err(|error| Usage(error.to_string()))?;
    let ask = || rpassword::prompt_password("Passphrase of the vault: ").ok();
    let vault = vault::open(&config, &environment, ask)?;
    drop(environment);
    serve(&config, vault)
}

fn serve(config: &Config, vault: Option<Vault>) -> anyhow::Result<ExitCode> {
    let scrub = vault.clone().map(|vault| Arc::new(vault) as Arc<dyn Scrub>);
    logs::init(config, scrub)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("the runtime cannot be started")?.block_on(async {
        // Before the banner: whoever reads it may send a signal at once.
        let stop = stop_on_signal()?;
        let server = Server::start(config, vault).await?;
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
