//! stub
use std::process::ExitCode;
pub(crate) async fn run(_t: &str) -> anyhow::Result<ExitCode> { anyhow::bail!("later") }
