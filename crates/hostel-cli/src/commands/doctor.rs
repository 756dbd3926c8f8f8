//! `hostel doctor`.

use std::process::ExitCode;

use crate::cli::DoctorArgs;
use crate::doctor;

pub(super) async fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    match (&args.listen, &args.target) {
        (Some(address), _) => doctor::listen::run(address).await,
        (None, Some(target)) => doctor::run(target, args).await,
        (None, None) => anyhow::bail!("a URL or --listen is needed"),
    }
}
