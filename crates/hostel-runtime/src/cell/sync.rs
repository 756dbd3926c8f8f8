//! Makes commits durable, off the hot path, and opens the gate.

use std::sync::Arc;

use hostel_core::Error;
use hostel_protocol::{connection::close, refusal::Code};

use super::{Cell, Job};
use crate::{durability::Done, gate::Sync};

impl Cell {
    /// Starts making the latest commit durable. One acknowledgement covers every commit before it; those that arrive
    /// meanwhile share the next, and commits of all agents share one sync.
    pub(super) fn start_sync(&self) {
        let Some(Sync { number, commit, losses }) = self.gate.next_sync() else { return };
        self.metrics.syncs.increment(1);
        let (cell, under_way) = (self.arc(), self.node.under_way());
        let done: Done = Box::new(move |outcome| {
            match outcome {
                Ok(()) => {
                    cell.gate.open(number);
                    cell.start_sync();
                }
                // What follows may run the agent's code, which is nothing for the journal's thread.
                Err(error) => cell.shared().spawn_blocking(move || cell.lose_writes(losses, &error)),
            }
            drop(under_way);
        });
        if let Some((commit, done)) = self.node.durability.submit(commit, done) {
            let node = self.shared();
            self.node.spawn_blocking(move || done(node.durability.make_durable(&commit)));
        }
    }

    /// The disk refused: nothing that waited is shown, clients are told to come back, and the agent is put out of
    /// memory, to start again from what is durable. Its async work is broken off: it may have seen what is lost.
    /// `losses` is how often that had happened when they were made: what an earlier loss took along is not lost again, or
    /// the agent that has restarted since would lose what is durable.
    pub(super) fn lose_writes(self: &Arc<Self>, losses: u64, error: &Error) {
        if self.gate.losses() != losses {
            return;
        }
        // Before anybody hears of it, and comes back.
        self.node.rebuild_later(&self.id);
        if !self.gate.fail(losses, error) {
            return;
        }
        tracing::error!(agent = %self.id, error = ?error, "writes could not be made durable; the agent restarts");
        let reason = error.to_refusal(Code::StorageFailed).close_reason();
        for peer in self.peers.lock().values() {
            peer.let_down();
            peer.outbox.close(close::TRY_AGAIN_LATER, &reason);
        }
        // Whoever is told that its work was broken off may come back at once, and must find the agent on its way out.
        let work = self.end_era();
        self.submit_first(Job::Evict);
        drop(work);
    }
}
