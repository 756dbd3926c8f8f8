//! What clients were told about an agent whose state they set, one client at a time, to numbers that rise.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::faults::Faults;

/// One agent.
#[derive(Debug, Default)]
pub(crate) struct Note {
    sent: AtomicU64,
    answered: AtomicU64,
    shown: AtomicU64,
    /// How many were sent at the last comparison.
    compared: AtomicU64,
    taken: AtomicBool,
}

impl Note {
    /// Makes the caller the only client that sets this agent's state; `false` if somebody else is.
    pub(crate) fn take(&self) -> bool {
        !self.taken.swap(true, Ordering::SeqCst)
    }

    pub(crate) fn give_back(&self) {
        self.taken.store(false, Ordering::SeqCst);
    }

    /// The next number to set.
    pub(crate) fn send(&self) -> u64 {
        self.sent.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn answer(&self, value: u64) {
        self.answered.fetch_max(value, Ordering::SeqCst);
    }

    pub(crate) fn show(&self, value: u64) {
        self.shown.fetch_max(value, Ordering::SeqCst);
    }

    /// Whether anything was sent since the last comparison.
    pub(crate) fn is_touched(&self) -> bool {
        self.sent.load(Ordering::SeqCst) > self.compared.load(Ordering::SeqCst)
    }

    pub(crate) fn compare(&self, value: u64, text: &str, mut say: impl FnMut(String)) -> Faults {
        let [sent, answered, shown] = [&self.sent, &self.answered, &self.shown].map(|n| n.load(Ordering::SeqCst));
        let faults = Faults {
            lost: (value < answered).into(),
            early: (value < shown).into(),
            invented: (value > sent).into(),
            torn: (text != if value == 0 { String::new() } else { text_of(value) }).into(),
            ..Faults::default()
        };
        if faults.any() {
            say(format!("its state is {value} ({text:.40}); {answered} answered, {shown} shown, {sent} sent"));
        }
        // Now it was shown to us.
        self.answer(value);
        self.compared.store(sent, Ordering::SeqCst);
        faults
    }
}

/// The text that goes with a number: longer than a page now and then.
pub(crate) fn text_of(value: u64) -> String {
    let length = usize::try_from(value * 37 % 9000).unwrap_or_default();
    format!("{value}{}", "-".repeat(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_an_early_an_invented_and_a_torn_state_are_each_found() {
        let note = Note::default();
        assert_eq!((0..5).map(|_| note.send()).last(), Some(5));
        note.answer(3);
        note.show(4);
        let faults = |value, text: &str| {
            let Faults { lost, early, invented, torn, .. } = note.compare(value, text, |_| {});
            (lost, early, invented, torn)
        };
        assert_eq!(faults(2, &text_of(2)), (1, 1, 0, 0));
        assert_eq!(faults(3, &text_of(3)), (0, 1, 0, 0));
        assert_eq!(faults(4, &text_of(5)), (0, 0, 0, 1));
        assert_eq!(faults(6, &text_of(6)), (0, 0, 1, 0));
    }
}
