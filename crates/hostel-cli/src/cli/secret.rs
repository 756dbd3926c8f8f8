//! `hostel vault` and `hostel secret`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hostel_vault::SecretName;

/// What can be done with the vault itself.
#[derive(Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// Make a sealed file without secrets, opened by a passphrase or by a key file.
    Init(VaultPlace),
}

/// What can be done with secrets.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Keep a secret: from the terminal without echo, or from standard input.
    Set {
        /// Its name: NAME, user:SUBJECT#NAME or agent:CLASS/INSTANCE#NAME.
        name: SecretName,
        #[command(flatten)]
        place: VaultPlace,
    },
    /// List the names of all secrets, from wherever they come.
    List(VaultPlace),
    /// Remove a secret from the sealed file.
    Remove {
        /// Its name.
        name: SecretName,
        #[command(flatten)]
        place: VaultPlace,
    },
}

/// Which vault is meant.
#[derive(Debug, Args)]
pub(crate) struct VaultPlace {
    /// The sealed file [default: that of [vault] in the configuration, or hostel.vault]
    #[arg(long, value_name = "FILE")]
    pub(crate) vault: Option<PathBuf>,
    /// A file with the key, instead of a passphrase; `init` makes it if it does not exist.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Configuration file [default: hostel.toml, if it exists] [env: `HOSTEL_CONFIG`]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}
