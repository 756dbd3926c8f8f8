//! Agents whose turns take long run beside the event loop, a few at a time, so that they delay only themselves.

use std::{
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

/// Quick drains in a row after which a heavy agent is trusted again.
const TRUST_AFTER: u8 = 32;

/// Between two slow turns, so many quick ones make the first an accident: a machine that is busy elsewhere makes any turn slow
/// now and then.
const FORGET_AFTER: u8 = 8;
/// Marks the countdown as that of an agent that was slow once.
const SUSPECT: u8 = 0x80;

/// Whether one agent is heavy. Zero is no; otherwise the quick drains still to go, with [`SUSPECT`] if it is not heavy yet.
#[derive(Debug, Default)]
pub(crate) struct Weight(AtomicU8);

impl Weight {
    pub(crate) fn is_heavy(&self) -> bool {
        (1..SUSPECT).contains(&self.0.load(Ordering::Relaxed))
    }

    /// Judges by how long a job took.
    pub(crate) fn judge(&self, took: Duration, limit: Duration) {
        let now = self.0.load(Ordering::Relaxed);
        let next = match (took > limit, now) {
            (true, 0) => SUSPECT | FORGET_AFTER,
            (true, _) => TRUST_AFTER,
            (false, 0) => return,
            (false, SUSPECT) => 0,
            (false, left) => left - 1,
        };
        self.0.store(next, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(5);
    const SLOW: Duration = Duration::from_millis(6);
    const QUICK: Duration = Duration::from_millis(1);

    #[test]
    fn one_slow_turn_is_an_accident_and_two_close_together_are_a_habit() {
        let weight = Weight::default();
        weight.judge(SLOW, LIMIT);
        assert!(!weight.is_heavy());
        (0..=FORGET_AFTER).for_each(|_| weight.judge(QUICK, LIMIT));
        weight.judge(SLOW, LIMIT);
        assert!(!weight.is_heavy(), "the first was long ago");
        weight.judge(QUICK, LIMIT);
        weight.judge(SLOW, LIMIT);
        assert!(weight.is_heavy());
        (0..TRUST_AFTER).for_each(|_| weight.judge(QUICK, LIMIT));
        assert!(!weight.is_heavy());
    }
}
