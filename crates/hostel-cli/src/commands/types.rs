//! `hostel types`: TypeScript of the built-in agents.

use std::process::ExitCode;

use crate::output;

pub(super) fn run() -> anyhow::Result<ExitCode> {
    output::line(&hostel_server::types())?;
    Ok(ExitCode::SUCCESS)
}
