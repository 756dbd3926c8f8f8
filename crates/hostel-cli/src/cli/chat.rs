//! `chat` and `approvals`.

use clap::{Args, Subcommand};

use super::ServerArgs;

#[derive(Debug, Args)]
pub(crate) struct ChatArgs {
    /// A URL, or an agent and its name such as coder-agent/default.
    pub(crate) target: String,
    /// Say this, print the answer, and end. Without it, and with stdin that is no terminal, stdin is what is said.
    #[arg(long, short, value_name = "TEXT")]
    pub(crate) message: Option<String>,
    /// Print the pieces of the answer as they are on the wire, one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Say yes to every tool that asks.
    #[arg(long)]
    pub(crate) approve: bool,
    /// How many messages of before to show.
    #[arg(long, value_name = "N", default_value = "20")]
    pub(crate) last: usize,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ApprovalsArgs {
    /// A URL, or an agent and its name such as coder-agent/default.
    pub(crate) agent: String,
    #[command(subcommand)]
    pub(crate) command: Option<ApprovalsCommand>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Which approval.
#[derive(Debug, Args)]
pub(crate) struct WhichApproval {
    /// Its id, as the list shows it.
    #[arg(allow_hyphen_values = true)]
    pub(crate) id: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApprovalsCommand {
    /// Let the tool run, this once.
    Approve(WhichApproval),
    /// Let the tool run, and do not ask again for this tool in this agent.
    Always(WhichApproval),
    /// Do not let it run; the model is told.
    Deny(WhichApproval),
}
