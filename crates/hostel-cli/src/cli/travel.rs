//! `export`, `import`, `backup` and `verify`.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::{Place, seconds};

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// An agent and its name such as coder-agent/default, or its URL.
    pub(crate) agent: String,
    /// The file to write; - for stdout. Without it the agent's name with .hostel, or .sqlite, here.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Leave the history out.
    #[arg(long, conflicts_with = "durable_object")]
    pub(crate) no_history: bool,
    /// Leave out what is kept outside of its database: the workspace of a coding agent.
    #[arg(long, conflicts_with = "durable_object")]
    pub(crate) no_files: bool,
    /// Write the SQLite database of a Durable Object of the Agents SDK instead.
    #[arg(long)]
    pub(crate) durable_object: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// An export; or, with --durable-object, a Durable Object's SQLite file or SQL dump.
    pub(crate) file: PathBuf,
    /// The agent to make of it; without it the one it was exported from.
    #[arg(long = "as", value_name = "AGENT")]
    pub(crate) name: Option<String>,
    /// Replace the agent if it exists; its history stays, and the import can be undone.
    #[arg(long)]
    pub(crate) replace: bool,
    /// The file is from a Durable Object of the Agents SDK.
    #[arg(long, requires = "name")]
    pub(crate) durable_object: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The directory on the server's machine to write to, or to bring up to date.
    pub(crate) dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A data directory that no server runs on, or a backup.
    #[arg(default_value = ".hostel", env = "HOSTEL_DATA")]
    pub(crate) dir: PathBuf,
    /// How long SQLite's own check of one database may take, in seconds; one that takes longer is named as not finished.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) longest: Option<Duration>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
