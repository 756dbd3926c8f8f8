//! What an operator may choose about storage.

use std::time::Duration;

/// Limits and retention of a [`Store`](crate::Store).
#[derive(Clone, Debug)]
pub struct Options {
    /// How long the result of a call with an idempotency key is kept.
    pub idempotency_retention: Duration,
    /// The longest agent name, in bytes of UTF-8.
    pub max_name_bytes: usize,
    /// The most pages (of 4 KiB) one agent's database may have; `None` leaves SQLite's own bound.
    pub max_pages: Option<u32>,
    /// Bytes of one file of the journal; less on a disk with little room.
    pub journal_segment_bytes: u64,
    /// How much of the journal there may be before agents' files are synced and what is behind them is removed: bounds
    /// the time of recovery.
    pub checkpoint_bytes: u64,
    /// The same by time.
    pub checkpoint_after: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            idempotency_retention: Duration::from_secs(24 * 60 * 60),
            max_name_bytes: 1024,
            max_pages: None,
            journal_segment_bytes: 64 << 20,
            checkpoint_bytes: 256 << 20,
            checkpoint_after: Duration::from_secs(30),
        }
    }
}
