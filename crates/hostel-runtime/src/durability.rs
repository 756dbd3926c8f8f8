//! The durability seam: a commit goes in, a durable acknowledgement comes out.

use std::fmt;

use hostel_core::Result;
use hostel_store::Commit;

use crate::storage;

/// Makes commits durable. The gate of an agent opens when it has said so.
pub trait Durability: Send + Sync + fmt::Debug + 'static {
    /// Whether there is nothing to wait for. Never blocks.
    fn is_durable(&self, commit: &Commit) -> bool;
    /// Returns when `commit`, and every earlier one of its agent, is durable. Blocks.
    ///
    /// # Errors
    /// When it is not known to be durable; the agent then restarts, and nobody was told anything.
    fn make_durable(&self, commit: &Commit) -> Result<()>;
}

/// The store's own: one sync of the agent's log.
#[derive(Debug)]
pub(crate) struct Disk;

impl Durability for Disk {
    fn is_durable(&self, commit: &Commit) -> bool {
        commit.is_durable()
    }

    fn make_durable(&self, commit: &Commit) -> Result<()> {
        hostel_store::make_durable(commit).map_err(storage::error)
    }
}
