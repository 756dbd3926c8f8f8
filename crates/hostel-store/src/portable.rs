//! Leaving and arriving: one agent as one file, a Durable Object as an agent and back, a backup of the whole directory, and
//! the word that everything in a directory is as it was written.
//!
//! Nothing here stops an agent: what is read while the server runs is a copy of the file plus what the journal holds of it.

pub(crate) mod admit;
mod arrival;
pub(crate) mod backup;
mod chronicle;
mod durable_object;
mod export;
mod manifest;
pub(crate) mod snapshot;
mod sums;
mod tree;
mod unpack;
mod verify;

use serde::Serialize;

pub use backup::{BackedUp, Beside, Held, LeftOut};
pub use chronicle::Chronicle;
pub use export::{Attached, ExportOptions, Exported};
pub use unpack::{Attachment, Parcel};
pub use verify::{Problem, Verified, VerifyOptions, verify, verify_with};

/// How far something long has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// What is being done.
    pub doing: &'static str,
    /// How many files (or agents) are done.
    pub done: u64,
    /// Of how many; 0 if that is not known.
    pub of: u64,
    /// Bytes read so far.
    pub bytes: u64,
}
