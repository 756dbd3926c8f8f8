//! What can be wrong with a vault, with what to do about it.

use std::{io, path::PathBuf, time::Duration};

use hostel_core::Error;
use hostel_protocol::refusal::Code;

use crate::SecretName;

/// Why a secret cannot be had or kept. No text of it contains a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// No name of a secret.
    #[error(
        "{0:?} is no name of a secret: use letters, digits, _, - and . such as GITHUB_TOKEN, before it user:SUBJECT# or \
         agent:NAMESPACE/NAME# if it belongs to one user or agent"
    )]
    Name(String),
    /// Nobody has it.
    #[error("there is no secret {0}; keep it with `hostel secret set {0}`")]
    Unknown(SecretName),
    /// A setting names a secret, and there is no vault.
    #[error(
        "the setting secret:{0} needs a vault; say [vault] in hostel.toml, or set the variable HOSTEL_SECRET_ and its name"
    )]
    NoVault(SecretName),
    /// The sealed file, or its key, cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no sealed file.
    #[error("there is no vault at {}; `hostel vault init` makes one", .0.display())]
    Missing(PathBuf),
    /// There is one already.
    #[error("{} is there already; remove it first if its secrets are not needed any more", .0.display())]
    Exists(PathBuf),
    /// The file is no vault, or one that is damaged.
    #[error("{}: this is no vault of a version this program knows: {reason}", path.display())]
    Format {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The key does not open it.
    #[error("{} cannot be opened: the key or the passphrase is not its own, or the file was changed", .0.display())]
    WrongKey(PathBuf),
    /// A key is needed and none was given.
    #[error("{} is sealed with {needs}", path.display())]
    NoKey {
        /// Which file.
        path: PathBuf,
        /// What opens it, and how to give it.
        needs: &'static str,
    },
    /// Others can read the key.
    #[error("{} can be read by others: chmod 600 it", .0.display())]
    OpenKey(PathBuf),
    /// The vault has no file, so nothing can be kept in it.
    #[error("this vault has no file: set one up with `hostel vault init`, and name it in [vault]")]
    ReadOnly,
    /// The command that knows the secret failed.
    #[error("the command for {name} failed: {reason}")]
    Command {
        /// Which secret.
        name: SecretName,
        /// How it failed. Nothing of what it printed.
        reason: String,
    },
    /// The command that knows the secret did not end.
    #[error("the command for {name} did not end within {limit:?}")]
    Timeout {
        /// Which secret.
        name: SecretName,
        /// How long it had.
        limit: Duration,
    },
    /// More secrets than can be looked for.
    #[error("the mask cannot be made: {0}")]
    TooMuch(String),
    /// The value is empty or too long.
    #[error("the value of {name} has {bytes} bytes; between 1 and {most} are possible")]
    Size {
        /// Which secret.
        name: SecretName,
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        most: usize,
    },
}

impl VaultError {
    /// The stable code agents see.
    pub fn code(&self) -> Code {
        match self {
            Self::Unknown(_) | Self::Name(_) => Code::SecretUnknown,
            _ => Code::VaultUnavailable,
        }
    }

    /// As agents and tasks report it.
    pub fn to_error(&self) -> Error {
        Error::coded(self.code(), self.to_string())
    }
}
