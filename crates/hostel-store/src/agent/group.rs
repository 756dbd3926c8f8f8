//! Turns that share a record: each is a transaction of SQLite's of its own, and the journal gets them together.
//!
//! What is held is committed in this process and nowhere else, just like a turn that waits in the journal's queue: it is not
//! durable, nobody is told of it, and its pages stay out of the file until the journal has them.

use super::AgentDb;
use super::Slot;
use super::open::Open;
use crate::Error;
use crate::cause::Causes;
use crate::durability::Commit;
use hostel_journal::points;

/// The most turns of one record.
const MOST_TURNS: u32 = 64;
/// A group with so many bytes of pages in SQLite's log is handed over.
const MOST_BYTES: u64 = 256 << 10;

/// Committed turns that the journal does not know of yet.
#[derive(Debug, Default)]
pub(super) struct Held {
    causes: Causes,
    /// Frames of SQLite's log with the last of them.
    frames: u64,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.causes.turns() == 0
    }
}

/// What became of a turn.
#[derive(Debug)]
#[must_use]
pub enum Kept {
    /// It wrote nothing.
    Nothing,
    /// It is committed, and waits for the next to go to the journal with it: see [`AgentDb::hold`].
    Held,
    /// It is on its way to the journal, and all that was held before it as well.
    Committed(Commit),
}

impl From<Option<Commit>> for Kept {
    fn from(commit: Option<Commit>) -> Self {
        commit.map_or(Self::Nothing, Self::Committed)
    }
}

impl AgentDb {
    /// As [`commit`](Self::commit), for a turn that is followed by another at once: the turns share a record of the journal.
    /// What is held becomes durable only if somebody commits, with or without another turn, so whoever holds must. It is
    /// also handed over when it becomes much, and when the database is closed.
    ///
    /// # Errors
    ///
    /// If SQLite cannot write; then nothing of this turn is kept, and those before it are not touched.
    pub fn hold(&mut self) -> Result<Kept, Error> {
        self.keep(true)
    }

    /// Whether turns are held.
    pub fn is_holding(&self) -> bool {
        matches!(&*self.slot.borrow(), Slot::Open(open) if !open.held.is_empty())
    }
}

impl Open {
    /// Commits; on an error the caller rolls back.
    pub(super) fn keep(&mut self, cause: &[u8], hold: bool) -> Result<Kept, Error> {
        let wrote = self.commit_in_sqlite()?;
        if self.held.is_empty() && !(wrote && hold && self.may_hold()) {
            return if wrote { self.journal(cause, 1).map(Kept::Committed) } else { Ok(Kept::Nothing) };
        }
        if wrote && !self.join(cause) && self.held.is_empty() {
            // SQLite found that nothing had changed.
            return self.journal(cause, 1).map(Kept::Committed);
        }
        let full = self.held.causes.turns() >= MOST_TURNS || self.unread() >= MOST_BYTES;
        if hold && !full {
            // A place to be killed at; there is nothing that could fail.
            drop(points::pass("hold"));
            return Ok(if wrote { Kept::Held } else { Kept::Nothing });
        }
        self.journal_held().map(Kept::from)
    }

    /// An agent's first turn has a record of its own: it holds the whole database.
    fn may_hold(&self) -> bool {
        self.before.created && self.capture.is_some() && self.sync.is_some() && self.store.keeper.is_some()
    }

    /// Adds the turn that has just been committed; `false` if it changed nothing.
    fn join(&mut self, cause: &[u8]) -> bool {
        let frames = self.capture.as_ref().map_or(0, |capture| capture.announced());
        let changed = frames != self.held.frames;
        if changed {
            self.held.frames = frames;
            self.held.causes.push(cause);
        }
        changed
    }

    fn unread(&self) -> u64 {
        self.capture.as_ref().map_or(0, |capture| capture.unread())
    }

    /// Hands what is held to the journal, as one record.
    pub(super) fn journal_held(&mut self) -> Result<Option<Commit>, Error> {
        if self.held.is_empty() {
            return Ok(None);
        }
        let mut held = std::mem::take(&mut self.held);
        let outcome = self.journal(held.causes.packed(), held.causes.turns());
        held.causes.clear();
        held.frames = 0;
        self.held = held;
        outcome.map(Some)
    }
}
