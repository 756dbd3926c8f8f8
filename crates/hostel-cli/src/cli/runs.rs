//! `runs`.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{Look, ServerArgs};

#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    /// An agent and its name such as coder-agent/default, or its URL.
    pub(crate) agent: String,
    #[command(subcommand)]
    pub(crate) command: Option<RunsCommand>,
    /// Only runs that stand like this, such as waiting or uncertain.
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Option<String>,
    /// Only runs of this task.
    #[arg(long, value_name = "TASK")]
    pub(crate) task: Option<String>,
    /// How many runs to list.
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    /// List runs before the one with this number.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) before: Option<i64>,
    #[command(flatten)]
    pub(crate) look: Look,
}

/// Which run.
#[derive(Debug, Args)]
pub(crate) struct WhichRun {
    /// Its id, as the list shows it.
    #[arg(allow_hyphen_values = true)]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Which request, and who answers it.
#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    #[command(flatten)]
    pub(crate) which: WhichRun,
    /// The name of the request, as the run lists it.
    pub(crate) request: String,
    /// Who answers; kept with the answer.
    #[arg(long, value_name = "WHO")]
    pub(crate) by: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// Show one run with its steps, as JSON.
    Show(WhichRun),
    /// End it: what was done stays done.
    Cancel {
        #[command(flatten)]
        which: WhichRun,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Put it off until it is resumed.
    Pause(WhichRun),
    /// Have it go on, also if it has failed.
    Resume(WhichRun),
    /// Have it begin anew: everything is done again.
    Restart(WhichRun),
    /// Forget it, once it is over.
    Delete(WhichRun),
    /// Send it an event.
    Send {
        #[command(flatten)]
        which: WhichRun,
        /// The event's name.
        event: String,
        /// Its value.
        #[arg(value_name = "JSON", value_parser = json, default_value = "null")]
        value: Value,
    },
    /// Say yes to a request.
    Approve(AnswerArgs),
    /// Say no to a request.
    Deny(AnswerArgs),
    /// Say what became of the step that it asks about.
    Resolve {
        #[command(flatten)]
        which: WhichRun,
        #[command(flatten)]
        verdict: VerdictArgs,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct VerdictArgs {
    /// It was done, with this result.
    #[arg(long, value_name = "JSON", value_parser = json)]
    pub(crate) done: Option<Value>,
    /// It was not done: do it.
    #[arg(long)]
    pub(crate) again: bool,
    /// The run fails, with this reason.
    #[arg(long, value_name = "REASON")]
    pub(crate) fail: Option<String>,
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("expected JSON: {error}"))
}
