//! stub
use std::process::ExitCode;
pub(crate) async fn run(_t: &str, _a: &crate::cli::DoctorArgs) -> anyhow::Result<ExitCode> { anyhow::bail!("later") }
