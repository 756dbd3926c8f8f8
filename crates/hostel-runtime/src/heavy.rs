//! Agents whose turns take long run beside the event loop, a few at a time, so that they delay only themselves.

use std::{
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

/// Quick drains in a row after which a heavy agent is trusted again.
const TRUST_AFTER: u8 = 32;

/// Whether one agent is heavy. Zero is no; otherwise the quick drains still to go.
#[derive(Debug, Default)]
pub(crate) struct Weight(AtomicU8);

impl Weight {
    pub(crate) fn is_heavy(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// Judges by how long a job took.
    pub(crate) fn judge(&self, took: Duration, limit: Duration) {
        let left = self.0.load(Ordering::Relaxed);
        if took > limit {
            self.0.store(TRUST_AFTER, Ordering::Relaxed);
        } else if left > 0 {
            self.0.store(left - 1, Ordering::Relaxed);
        }
    }
}
