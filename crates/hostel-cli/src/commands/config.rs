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
    let tables = [
        config.history_entries(),
        config.model_entries(),
        config.mcp_entries(),
        config.coder_entries(),
        config.agent_entries(),
    ];
    let tables = tables.into_iter().flatten();
    let tables = tables.map(|(name, value, origin)| vec![name, value, origin.to_string()]);
    let rows: Vec<_> = entries.iter().map(row).chain(tables).collect();
    for line in output::table(&rows) {
        output::line(&line)?;
    }
    if let Err(problem) = config.check() {
        output::note(&format!("`hostel serve` would not start: {problem}"))?;
    }
    Ok(ExitCode::SUCCESS)
}
