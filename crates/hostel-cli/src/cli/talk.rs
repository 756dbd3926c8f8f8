//! `connect`, `call` and `state`.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{ServerArgs, seconds};

#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// A URL, or an agent and its name such as coder-agent/default.
    pub(crate) target: String,
    /// Print messages as they are on the wire.
    #[arg(long)]
    pub(crate) raw: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// A URL, or an agent and its name such as coder-agent/default.
    pub(crate) target: String,
    /// The method, as clients call it: getProjectContext.
    pub(crate) method: String,
    /// Its arguments, each a JSON value; text needs quotes of its own: '"text"'.
    #[arg(value_name = "JSON", value_parser = json, allow_negative_numbers = true)]
    pub(crate) args: Vec<Value>,
    /// How many seconds to wait for the result, in a stream for each piece.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    pub(crate) timeout: Duration,
    /// A key under which the server remembers the result: repeating the call does not do its work twice.
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

fn json(text: &str) -> Result<Value, String> {
    let hint = |error| format!("no JSON ({error}); text needs quotes of its own: '{}'", Value::from(text));
    serde_json::from_str(text).map_err(hint)
}

#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// Print the state as JSON.
    #[command(after_help = "\
Examples:
  hostel state get counter/a
  hostel state get counter/a --version        with the version that set --if-version takes
  hostel state get counter/a --safe           although its code crashes")]
    Get {
        /// A URL, or an agent and its name such as coder-agent/default.
        target: String,
        /// Read it from the agent's database without waking the agent's code.
        #[arg(long)]
        safe: bool,
        /// Print an object of the version and the state.
        #[arg(long, conflicts_with = "safe")]
        version: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Replace the whole state.
    #[command(after_help = "\
Examples:
  hostel state set counter/a '{\"count\": 5}'
  hostel state set counter/a '{\"count\": 6}' --if-version 5d8a2c6b0f1e4a37
  hostel state get counter/a | hostel state set counter/b -")]
    Set {
        /// A URL, or an agent and its name such as coder-agent/default.
        target: String,
        /// The new state as JSON, or - to read it from stdin.
        state: String,
        /// Only while the state has this version, which `state get --version` prints; then print the new one.
        #[arg(long, value_name = "VERSION")]
        if_version: Option<String>,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Print the state now and after each change, one JSON value a line.
    #[command(after_help = "\
Example:
  hostel state watch counter/a")]
    Watch {
        /// A URL, or an agent and its name such as coder-agent/default.
        target: String,
        #[command(flatten)]
        server: ServerArgs,
    },
}
