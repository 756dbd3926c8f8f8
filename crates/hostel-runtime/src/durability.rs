//! The durability seam: a commit goes in, a durable acknowledgement comes out.

use std::fmt;

use hostel_core::Result;
use hostel_store::{Commit, Store};

use crate::storage;

/// Told whether a commit is durable.
pub type Done = Box<dyn FnOnce(Result<()>) + Send>;

/// Makes commits durable. The gate of an agent opens when it has said so.
pub trait Durability: Send + Sync + fmt::Debug + 'static {
    /// Whether there is nothing to wait for. Never blocks.
    fn is_durable(&self, commit: &Commit) -> bool;
    /// Returns when `commit`, and every earlier one of its agent, is durable. Blocks.
    ///
    /// # Errors
    /// When it is not known to be durable; the agent then restarts, and nobody was told anything.
    fn make_durable(&self, commit: &Commit) -> Result<()>;

    /// [`Durability::make_durable`] without blocking: takes both and calls `done` once, from any thread. Returns both if it
    /// can only block.
    fn submit(&self, commit: Commit, done: Done) -> Option<(Commit, Done)> {
        Some((commit, done))
    }
}

/// The store's own: one sync of the node's journal for all who wait.
#[derive(Debug)]
pub(crate) struct Disk(pub(crate) Store);

impl Durability for Disk {
    fn is_durable(&self, commit: &Commit) -> bool {
        commit.is_durable()
    }

    fn make_durable(&self, commit: &Commit) -> Result<()> {
        hostel_store::make_durable(commit).map_err(storage::error)
    }

    fn submit(&self, commit: Commit, done: Done) -> Option<(Commit, Done)> {
        self.0.submit(commit, move |outcome| done(outcome.map_err(storage::error)));
        None
    }
}
