//! Makes commits durable, off the hot path, and opens the gate.

use std::sync::Arc;

use hostel_core::Error;
use hostel_protocol::{connection::close, refusal::Code};

use super::Cell;
use crate::storage;

impl Cell {
    /// Starts making the latest commit durable. One acknowledgement covers every commit before it; those that arrive
    /// meanwhile share the next, and commits of all agents share one sync.
    pub(super) fn start_sync(&self) {
        let Some((number, commit)) = self.gate.next_sync() else { return };
        self.metrics.syncs.increment(1);
        let (cell, under_way) = (self.arc(), self.node.under_way());
        self.node.store.submit(commit, move |outcome| {
            match outcome {
                Ok(()) => {
                    cell.gate.open(number);
                    cell.start_sync();
                }
                Err(error) => cell.lose_writes(storage::error(error)),
            }
            drop(under_way);
        });
    }

    /// The disk refused: nothing that waited is shown, clients are told to come back, and the agent is put out of
    /// memory, to start again from what is durable.
    fn lose_writes(self: &Arc<Self>, error: Error) {
        tracing::error!(agent = %self.id, error = ?error, "writes could not be made durable; the agent restarts");
        self.gate.fail(&error);
        let reason = error.to_refusal(Code::StorageFailed).close_reason();
        self.peers.lock().values().for_each(|peer| peer.outbox.close(close::TRY_AGAIN_LATER, &reason));
        self.node.rebuild_later(&self.id);
        // Not on the journal's thread: closing a database may wait for it.
        let cell = Arc::clone(self);
        self.node.spawn_blocking(move || cell.evict());
    }
}
