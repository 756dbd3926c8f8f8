//! The names of the files in `history/`. They alone tell what a file covers, so that a file which another one replaces is
//! known without being opened.

use super::gaps::Gap;
use crate::Lsn;
use crate::record::AgentId;

/// Where history lives, below the data directory.
pub(super) const HISTORY: &str = "history";
/// Segments that were handed over and not taken apart yet. A class may have this name too: its files end in `.hist`.
pub(super) const PENDING: &str = "history/pending";

/// A segment that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pending {
    pub(super) id: u64,
    /// Where its records end.
    pub(super) end: u64,
}

impl Pending {
    pub(super) fn path(self) -> String {
        format!("{PENDING}/{:016x}-{:016x}.seg", self.id, self.end)
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        let (id, end) = name.strip_suffix(".seg")?.split_once('-')?;
        Some(Self { id: hex(id)?, end: hex(end)? })
    }
}

/// A file of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum FileName {
    /// The turns of a stretch of the log.
    Turns { first: Lsn, last: Lsn },
    /// One whole image of each agent, in place of all turns up to `last`.
    Base { last: Lsn },
    /// Turns that an agent brought from elsewhere. Their numbers are negative.
    Import { agent: AgentId },
}

impl FileName {
    pub(super) fn path(self, namespace: &str) -> String {
        let dir = dir(namespace);
        match self {
            Self::Turns { first, last } => format!("{dir}/{first:016x}-{last:016x}.hist"),
            Self::Base { last } => format!("{dir}/base-{last:016x}.hist"),
            Self::Import { agent } => format!("{dir}/import-{:032x}.hist", agent.0),
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        let (kind, rest) = name.strip_suffix(".hist")?.split_once('-')?;
        Some(match kind {
            "base" => Self::Base { last: hex(rest)? },
            "import" => {
                let agent = Some(rest).filter(|rest| rest.len() == 32)?;
                Self::Import { agent: AgentId(u128::from_str_radix(agent, 16).ok()?) }
            }
            first => Self::Turns { first: hex(first)?, last: hex(rest)? },
        })
    }

    /// Where it stands in the order of turns. What was brought from elsewhere comes first.
    pub(super) fn order(self) -> (i64, u128) {
        match self {
            Self::Turns { first, .. } => (first.cast_signed(), 0),
            Self::Base { .. } => (i64::MIN, 0),
            Self::Import { agent } => (i64::MIN + 1, agent.0),
        }
    }

    /// What is missing if this file cannot be read.
    pub(super) fn gap(self) -> Vec<Gap> {
        match self {
            Self::Turns { last, .. } | Self::Base { last } => vec![Gap { agent: None, lsn: last }],
            Self::Import { agent } => vec![Gap { agent: Some(agent), lsn: 1_u64.wrapping_neg() }],
        }
    }

    /// Whether everything in this file is in `other` too, or was folded into it.
    fn is_replaced_by(self, other: Self) -> bool {
        let at = Lsn::cast_signed;
        match (self, other) {
            (Self::Base { last }, Self::Base { last: newer }) => at(last) < at(newer),
            (Self::Turns { last, .. }, Self::Base { last: merged }) => at(last) <= at(merged),
            (Self::Turns { first, last }, Self::Turns { first: from, last: to }) => {
                self != other && at(from) <= at(first) && at(last) <= at(to)
            }
            _ => false,
        }
    }
}

/// Parts the files of a class into those that count, in the order of turns, and those that others replace.
pub(super) fn sort_out(names: &[String]) -> (Vec<FileName>, Vec<FileName>) {
    let mut all: Vec<FileName> = names.iter().filter_map(|name| FileName::parse(name)).collect();
    all.sort_by_key(|name| name.order());
    all.iter().copied().partition(|name| !all.iter().any(|other| name.is_replaced_by(*other)))
}

/// The directory of a class.
pub(super) fn dir(namespace: &str) -> String {
    format!("{HISTORY}/{namespace}")
}

pub(super) fn hex(digits: &str) -> Option<u64> {
    (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_others_are_nobodys() {
        let imported = FileName::Import { agent: AgentId(7) };
        for name in [FileName::Turns { first: 1, last: 9 }, FileName::Base { last: 9 }, imported] {
            let path = name.path("counter");
            assert_eq!(FileName::parse(path.rsplit_once('/').unwrap().1), Some(name), "{path}");
        }
        let pending = Pending { id: 3, end: 8192 };
        assert_eq!(Pending::parse(pending.path().rsplit_once('/').unwrap().1), Some(pending));
        for other in ["new.tmp", "1-2.hist", "base-.hist", "import-1.hist", ".hist", "-"] {
            assert_eq!((FileName::parse(other), Pending::parse(other)), (None, None), "{other}");
        }
    }

    #[test]
    fn what_a_newer_file_covers_does_not_count() {
        let turns = |first, last| FileName::Turns { first, last };
        let names: Vec<String> = [
            turns(1, 10),
            turns(11, 20),
            turns(21, 30),
            turns(31, 40),
            turns(21, 40),
            FileName::Base { last: 20 },
            FileName::Base { last: 10 },
        ]
        .map(|name| name.path("a").replace("history/a/", ""))
        .to_vec();
        let (count, replaced) = sort_out(&names);
        assert_eq!(count, [FileName::Base { last: 20 }, turns(21, 40)]);
        assert_eq!(replaced.len(), 5);
    }
}
