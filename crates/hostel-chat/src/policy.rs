//! What becomes of a message that comes while another is being answered.

use std::time::Duration;

use crate::store::turns::{State, Turn};

/// What becomes of a message that comes while another is being answered. Turns run one after the other in any case, and
/// answers that are asked for again, and those that go on by themselves, always wait for their turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Each is answered, in the order they came.
    #[default]
    Queue,
    /// Of those that wait only the newest is answered; the others stay in the transcript.
    Latest,
    /// Those that wait become one message, which is answered.
    Merge,
    /// It is not taken; whoever sent it is told, and sees the transcript as it is.
    Drop,
    /// The newest is answered once nothing more has come for this long.
    Debounce(Duration),
}

impl Policy {
    /// How long nothing must come before a turn begins.
    pub(crate) fn quiet(self) -> Option<Duration> {
        match self {
            Self::Debounce(quiet) => Some(quiet),
            _ => None,
        }
    }

    /// Whether a turn that waits is not run because a newer one has come.
    pub(crate) fn supersedes(self, turn: &Turn) -> bool {
        let by_hand = !turn.ask.by_itself && !turn.ask.regenerate && turn.ask.continues.is_none();
        let waits = matches!(turn.state, State::Waiting | State::Queued);
        by_hand && waits && matches!(self, Self::Latest | Self::Merge | Self::Debounce(_))
    }
}
