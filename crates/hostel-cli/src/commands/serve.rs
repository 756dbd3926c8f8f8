//! `hostel serve`: the configuration is checked here, the rest is the server's.

use std::process::ExitCode;

use hostel_server::config::Config;

use crate::failure::Usage;
use crate::settings::Settings;

pub(super) fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let config = settings.load()?;
    config.check().map_err(|error| Usage(error.to_string()))?;
    serve(config)
}

fn serve(config: Config) -> anyhow::Result<ExitCode> {
    drop(config);
    anyhow::bail!("this build has no server in it yet")
}
