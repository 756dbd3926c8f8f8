//! Why a command was not run, or was lost.

use std::io;

/// What every fallible function here returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a command was not run, or was lost.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// This machine cannot sandbox: no command is run without asking first.
    #[error("commands cannot be sandboxed on this machine: {why}")]
    Unavailable {
        /// What is missing, and how it may be had.
        why: String,
    },
    /// The policy or the command asks for something that cannot be.
    #[error("{0}")]
    Refused(String),
    /// The sandbox was made, but not as it was asked for.
    #[error("the sandbox could not be set up: {0}")]
    Setup(String),
    /// The helper ended without a word: somebody killed it.
    #[error("the command was lost: its sandbox was ended from outside")]
    Lost,
    /// The operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What it said.
        source: io::Error,
    },
}

impl Error {
    /// A closure for `map_err`.
    pub(crate) fn io<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Io { what, source: source.into() }
    }
}
