//! Logs: for people on a terminal, as JSON lines elsewhere; panics included.

use std::{backtrace::Backtrace, io::IsTerminal as _};

use anyhow::Context as _;
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Config, LogFormat};

/// Starts logging to standard error, and sends panics there too.
///
/// # Errors
/// A filter that cannot be read, or a process that logs already.
pub fn init(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&*config.log_level);
    let filter = filter.with_context(|| format!("the log level {:?} is no filter", config.log_level.value))?;
    let json = match *config.log_format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let logs = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if json {
        logs.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    } else {
        logs.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    started.map_err(|error| anyhow::anyhow!("logging cannot be started: {error}"))?;
    log_panics();
    Ok(())
}

fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let backtrace = Backtrace::force_capture();
        tracing::error!(panic = message, location, %backtrace, "code panicked");
    }));
}
