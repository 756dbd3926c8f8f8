//! Logs: for people on a terminal, as JSON lines elsewhere; panics included, floods left out.

mod mask;
mod quota;

use std::{backtrace::Backtrace, io::IsTerminal as _, sync::Arc, time::Instant};

use anyhow::Context as _;
use hostel::Scrub;
use tracing_subscriber::{EnvFilter, Layer as _, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use self::{mask::Lines, quota::Quota};
use crate::config::{Config, LogFormat};

/// Starts logging to standard error, and sends panics there too. Each line passes the mask, if there is one.
///
/// # Errors
/// A filter that cannot be read, or a process that logs already.
pub fn init(config: &Config, scrub: Option<Arc<dyn Scrub>>) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&*config.log_level);
    let filter = filter.with_context(|| format!("the log level {:?} is no filter", config.log_level.value))?;
    let json = match *config.log_format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let lines = fmt::layer().with_writer(Lines(scrub));
    let lines = if json {
        lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
    } else {
        lines.with_target(false).with_ansi(std::io::stderr().is_terminal()).boxed()
    };
    let quota = Quota::default();
    let started = tracing_subscriber::registry().with(filter).with(lines).with(quota.clone()).try_init();
    started.map_err(|error| anyhow::anyhow!("logging cannot be started: {error}"))?;
    log_panics();
    tell_what_is_left_out(quota)
}

/// A thread of its own, because logging starts before the runtime and outlives it.
fn tell_what_is_left_out(quota: Quota) -> anyhow::Result<()> {
    let tell = move || {
        loop {
            std::thread::sleep(quota::WINDOW);
            for left_out in quota.renew(Instant::now()) {
                let quota::LeftOut { target, detail, lines } = left_out;
                tracing::warn!(cause = target, detail, lines, "more lines like these were left out of the log");
            }
        }
    };
    std::thread::Builder::new().name("log-quota".to_owned()).spawn(tell).context("a thread cannot be started")?;
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
