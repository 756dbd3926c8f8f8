//! `agents` and `doctor`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{ServerArgs, seconds};

#[derive(Debug, Args)]
pub(crate) struct AgentsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<AgentsCommand>,
    /// List the agents of this class.
    pub(crate) class: Option<String>,
    /// How many agents to list.
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) limit: usize,
    /// Go on after this name.
    #[arg(long, value_name = "NAME")]
    pub(crate) after: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AgentsCommand {
    /// Let a quarantined agent start again at once.
    Clear {
        /// The agent and its name, such as coder-agent/default.
        agent: String,
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The URL that the client uses, or an agent and its name such as coder-agent/default.
    #[arg(required_unless_present = "listen", conflicts_with = "listen")]
    pub(crate) target: Option<String>,
    /// Wait for clients instead and tell each what it does wrong.
    #[arg(long, value_name = "ADDR:PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:8787")]
    pub(crate) listen: Option<String>,
    /// Also check that the server explains frames of another protocol.
    #[arg(long)]
    pub(crate) dialect_check: bool,
    /// Send this frame, as the client does, and see what the server makes of it.
    #[arg(long, value_name = "TEXT")]
    pub(crate) frame: Option<String>,
    /// The path after the instance name is meant.
    #[arg(long)]
    pub(crate) allow_sub_path: bool,
    /// How many seconds each step may take.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "5")]
    pub(crate) timeout: Duration,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
