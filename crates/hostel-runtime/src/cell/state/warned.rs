//! Warnings that a busy agent would repeat at every turn: each kind once in a while.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use crate::cell::Cell;

/// The same agent is warned of again after this many milliseconds.
const PAUSE_MS: u64 = 60_000;

/// When an agent was last warned of, for each kind of warning: milliseconds on the node's clock plus one, or 0.
#[derive(Debug, Default)]
pub(in crate::cell) struct Warned {
    /// Its state is large.
    pub(super) size: AtomicU64,
    /// A client dropped keys of it.
    pub(super) dropped: AtomicU64,
    /// A client would have written fields that are not its to write.
    pub(super) kept: AtomicU64,
}

impl Cell {
    /// Whether this warning is due, and if so notes that it was given.
    pub(super) fn may_warn(&self, last: &AtomicU64) -> bool {
        let now = self.node.uptime_ms(Instant::now()) + 1;
        let before = last.load(Ordering::Relaxed);
        let due = before == 0 || now.saturating_sub(before) >= PAUSE_MS;
        if due {
            last.store(now, Ordering::Relaxed);
        }
        due
    }
}
