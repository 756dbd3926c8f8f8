//! Broken promises, counted.

use std::ops::AddAssign;

/// Broken promises, counted by agent and round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Acknowledged, and not there.
    pub(crate) lost: u32,
    /// Seen by a client, and not there: it was shown before it was durable.
    pub(crate) early: u32,
    /// There, and never asked for, or twice.
    pub(crate) invented: u32,
    /// Parts of one turn do not agree.
    pub(crate) torn: u32,
    /// One client's requests are not there in the order it made them.
    pub(crate) disordered: u32,
    /// An agent, or the whole server, that cannot be reached any more.
    pub(crate) stuck: u32,
}

impl Faults {
    pub(crate) fn any(self) -> bool {
        self != Self::default()
    }
}

impl AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.early += other.early;
        self.invented += other.invented;
        self.torn += other.torn;
        self.disordered += other.disordered;
        self.stuck += other.stuck;
    }
}

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} lost, {} shown too early, {} invented, {} torn, {} out of order, {} stuck",
            self.lost, self.early, self.invented, self.torn, self.disordered, self.stuck
        )
    }
}
