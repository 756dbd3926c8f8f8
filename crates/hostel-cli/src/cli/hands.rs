//! `hands`.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::{ServerArgs, seconds};

#[derive(Debug, Args)]
pub(crate) struct HandsArgs {
    /// A URL, or an agent and its name such as coder/default.
    pub(crate) target: String,
    /// The directory that commands begin in, and are not to leave as the one they begin in.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) directory: PathBuf,
    /// What this machine is called there. Its host name, without.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Lines that run without a question, with * for anything. One with ; & | $( or > runs only if it is given whole. Repeatable.
    #[arg(long = "allow", value_name = "PATTERN")]
    pub(crate) allow: Vec<String>,
    /// Lines that never run, also as a part of another line. Repeatable.
    #[arg(long = "deny", value_name = "PATTERN")]
    pub(crate) deny: Vec<String>,
    /// A file of lines that run without a question, a pattern a line. What is always allowed at the terminal is added to it.
    #[arg(long, value_name = "FILE")]
    pub(crate) allow_file: Option<PathBuf>,
    /// Take what the agent types into commands in the background without a question. An allowed interpreter then does all it is told.
    #[arg(long)]
    pub(crate) input: bool,
    /// Have the agent run its commands here from now on. Without it, somebody chooses so with setHands.
    #[arg(long = "use")]
    pub(crate) chosen: bool,
    /// Run commands in a sandbox: they see the directory and the system's programs, and have no network. Linux only.
    #[arg(long)]
    pub(crate) sandbox: bool,
    /// A variable that commands are given besides PATH, HOME, USER, LANG and a few of their kind. Repeatable.
    #[arg(long = "env", value_name = "NAME")]
    pub(crate) env: Vec<String>,
    /// How many seconds a command goes on while nobody at the server follows it.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) grace: Duration,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
