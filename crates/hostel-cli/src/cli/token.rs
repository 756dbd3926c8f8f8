//! `hostel token`.

use clap::Subcommand;

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Print a new token, and the entry of hostel.toml that knows it by its hash.
    New {
        /// Whose it is.
        #[arg(default_value = "me")]
        subject: String,
        /// A role of theirs. Repeatable.
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// They run the server.
        #[arg(long)]
        operator: bool,
    },
}
