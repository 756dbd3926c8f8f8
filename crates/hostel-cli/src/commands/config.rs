//! `hostel config`: every value and where it comes from.

use std::process::ExitCode;

use crate::output;
use crate::settings::Settings;

pub(super) fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let config = settings.load()?;
    let entries = config.entries();
    let row = |entry: &hostel_server::config::Entry| {
        let value = match entry.value.as_str() {
            "" => "-",
            value => value,
        };
        vec![entry.setting.name.to_owned(), value.to_owned(), entry.origin.to_string()]
    };
    let classes = config.history_entries();
    let classes = classes.into_iter().map(|(name, value, origin)| vec![name, value, origin.to_string()]);
    let rows: Vec<_> = entries.iter().map(row).chain(classes).collect();
    for line in output::table(&rows) {
        output::line(&line)?;
    }
    if let Err(problem) = config.check() {
        output::note(&format!("`hostel serve` would not start: {problem}"))?;
    }
    Ok(ExitCode::SUCCESS)
}
