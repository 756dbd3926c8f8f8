//! `hostel types`: TypeScript of the built-in agents.

use std::process::ExitCode;

use crate::output;

pub(super) fn run() -> anyhow::Result<ExitCode> {
    output::line(&types()?)?;
    Ok(ExitCode::SUCCESS)
}

fn types() -> anyhow::Result<String> {
    anyhow::bail!("this build has no agents in it yet")
}
