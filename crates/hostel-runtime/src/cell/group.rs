//! Turns that queue up share a record of the journal, and so a place in its queue and a number in the gate.
//!
//! Only whoever runs the inbox has turns held, and only while the next job is a turn that comes at once. A turn that is held
//! is committed in this process, as every turn is; the journal hears of it with the last of the group. So a group delays
//! nothing but by the turns that follow, never waits, and cannot fail in a way in which a commit in the journal's queue could
//! not.

use std::{
    cell::Cell as StdCell,
    sync::{Arc, atomic::Ordering},
};

use hostel_core::Error;
use hostel_protocol::refusal::Code;
use hostel_store::{AgentDb, Kept};
use tokio::time::Instant;

use super::{Cell, Job};
use crate::storage;

/// A group that has been open for this part of the time that makes a turn heavy takes no further turn.
const LONGEST_PART: u32 = 4;

thread_local! {
    /// The cell whose inbox this thread is running, or 0, and whether another turn follows the one under way.
    static RUNNING: StdCell<(u64, bool)> = const { StdCell::new((0, false)) };
}

/// Marks this thread as the one that runs the inbox of a cell, while it lives.
pub(super) struct Running {
    token: u64,
    before: (u64, bool),
}

impl Running {
    pub(super) fn enter(token: u64) -> Self {
        Self { token, before: RUNNING.replace((token, false)) }
    }

    /// Whether a turn follows the one that is about to run.
    pub(super) fn followed(&self, followed: bool) {
        RUNNING.set((self.token, followed));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.set(self.before);
    }
}

/// Nothing that runs while this lives holds turns, or counts as the inbox's: async work, which may do as it likes.
pub(super) struct Apart((u64, bool));

impl Apart {
    pub(super) fn enter() -> Self {
        Self(RUNNING.replace((0, false)))
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        RUNNING.set(self.0);
    }
}

/// Whether the turn under way may wait for the next one.
pub(super) fn may_hold(token: u64) -> bool {
    RUNNING.get() == (token, true)
}

impl Job {
    /// Whether it usually is a turn that others may share a record with.
    pub(super) fn is_turn(&self) -> bool {
        matches!(self, Self::Message(..) | Self::Call { .. })
    }
}

impl Cell {
    /// Ends the transaction of a turn. With the agent's lock held.
    pub(super) fn commit_or_hold(&self, db: &mut AgentDb, hold: bool) -> Result<Kept, hostel_store::Error> {
        let kept = if hold { db.hold()? } else { db.commit()?.into() };
        match &kept {
            Kept::Nothing => {}
            Kept::Held => self.holds.store(true, Ordering::Relaxed),
            Kept::Committed(_) => self.holds.store(false, Ordering::Relaxed),
        }
        Ok(kept)
    }

    /// Whether a group that was begun then may still take turns.
    pub(super) fn is_young(&self, group_begun: Option<Instant>, now: Instant) -> bool {
        let longest = self.node.options.heavy_turn / LONGEST_PART;
        group_begun.is_none_or(|begun| now.duration_since(begun) < longest)
    }

    /// A turn that does not come from the inbox may take long, or be followed by anything: what is held does not wait for
    /// it. With the agent's lock held.
    pub(super) fn end_group_of_others(&self) {
        if self.holds.load(Ordering::Relaxed) && RUNNING.get().0 != self.token {
            self.hand_over_held();
        }
    }

    /// Hands what is held to the journal. Only between turns.
    pub(super) fn end_group(&self) {
        if self.holds.load(Ordering::Relaxed) {
            let _between_turns = self.lock_core();
            self.hand_over_held();
        }
    }

    /// [`Cell::end_group`] for whoever has the agent's lock.
    pub(super) fn hand_over_held(&self) {
        if !self.holds.swap(false, Ordering::Relaxed) {
            return;
        }
        let committed = match self.store.lock().as_mut() {
            Some(db) => db.commit().map_err(storage::error),
            None => Ok(None),
        };
        let error = match committed {
            Ok(Some(commit)) => return self.pass_gate(Kept::Committed(commit), Vec::new()),
            Ok(None) => Error::coded(Code::StorageFailed, "Turns were lost before the journal had them."),
            Err(error) => error,
        };
        let (cell, losses): (Arc<Cell>, _) = (self.arc(), self.gate.losses());
        self.node.spawn_blocking(move || cell.lose_writes(losses, &error));
    }
}
