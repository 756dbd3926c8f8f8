//! What an operator may choose about storage.

use std::collections::HashMap;
use std::time::Duration;

use hostel_journal::Retention;

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
    /// How much is kept of turns whose records the journal needs no more.
    pub history: HistoryOptions,
}

/// How much history is kept, by class.
#[derive(Clone, Debug, Default)]
pub struct HistoryOptions {
    /// For classes that have no entry of their own.
    pub default: Retention,
    /// For these, by namespace.
    pub classes: HashMap<String, Retention>,
}

impl HistoryOptions {
    /// Nothing is kept of any class.
    pub fn off() -> Self {
        Self { default: Retention::NONE, classes: HashMap::new() }
    }

    /// What is kept of a class, also of its agents under others.
    pub fn of(&self, namespace: &str) -> Retention {
        self.classes.get(crate::key::class_of(namespace)).copied().unwrap_or(self.default)
    }

    /// Whether nothing is kept of any class.
    pub fn is_off(&self) -> bool {
        self.default.keeps_nothing() && self.classes.values().all(Retention::keeps_nothing)
    }
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
            history: HistoryOptions::default(),
        }
    }
}
