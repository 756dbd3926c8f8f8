//! Makes commits durable, off the hot path, and opens the gate.

use std::sync::Arc;

use hostel_core::Error;
use hostel_protocol::{connection::close, refusal::Code};

use super::{Cell, Job};

impl Cell {
    /// Starts making the latest commit durable. One sync covers every commit before it; those that arrive meanwhile
    /// share the next.
    pub(super) fn start_sync(&self) {
        let cell = self.arc();
        self.node.spawn_blocking(move || {
            while let Some((number, commit)) = cell.gate.next_sync() {
                cell.metrics.syncs.increment(1);
                match cell.node.durability.make_durable(&commit) {
                    Ok(()) => cell.gate.open(number),
                    Err(error) => return cell.lose_writes(&error),
                }
            }
        });
    }

    /// The disk refused: nothing that waited is shown, clients are told to come back, and the agent is put out of
    /// memory, to start again from what is durable. Its async work is broken off: it may have seen what is lost.
    fn lose_writes(self: &Arc<Self>, error: &Error) {
        tracing::error!(agent = %self.id, error = ?error, "writes could not be made durable; the agent restarts");
        self.node.rebuild_later(&self.id);
        self.gate.fail(error);
        let reason = error.to_refusal(Code::StorageFailed).close_reason();
        self.peers.lock().values().for_each(|peer| peer.outbox.close(close::TRY_AGAIN_LATER, &reason));
        self.break_off_tasks();
        self.submit_first(Job::Evict);
    }
}
