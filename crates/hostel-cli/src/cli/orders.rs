//! `schedules` and `dead-letters`.

use clap::{Args, Subcommand};

use super::{Look, ServerArgs};

#[derive(Debug, Args)]
pub(crate) struct SchedulesArgs {
    /// An agent and its name such as coder-agent/default, or its URL.
    pub(crate) agent: String,
    #[command(subcommand)]
    pub(crate) command: Option<SchedulesCommand>,
    #[command(flatten)]
    pub(crate) look: Look,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SchedulesCommand {
    /// Take a run back; one that is running goes on.
    Cancel {
        /// Its id, as the list shows it.
        #[arg(allow_hyphen_values = true)]
        id: String,
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct LettersArgs {
    /// An agent and its name such as coder-agent/default, or its URL.
    pub(crate) agent: String,
    #[command(subcommand)]
    pub(crate) command: Option<LettersCommand>,
    #[command(flatten)]
    pub(crate) look: Look,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LettersCommand {
    /// Have it run again.
    Retry {
        /// Its id, as the list shows it.
        #[arg(allow_hyphen_values = true)]
        id: String,
        /// Run it with these arguments instead: a JSON array.
        #[arg(long, value_name = "JSON", value_parser = array)]
        args: Option<serde_json::Value>,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Forget it.
    Discard {
        /// Its id, as the list shows it.
        #[arg(allow_hyphen_values = true)]
        id: String,
        #[command(flatten)]
        server: ServerArgs,
    },
}

fn array(text: &str) -> Result<serde_json::Value, String> {
    let value = serde_json::from_str(text).ok().filter(serde_json::Value::is_array);
    value.ok_or_else(|| "expected a JSON array of arguments such as '[\"a\", 1]'".to_owned())
}
