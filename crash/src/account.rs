//! What clients were told about one agent, and whether what is found after a restart agrees with it.

use std::collections::{BTreeSet, HashSet};

use serde::Deserialize;

use crate::faults::Faults;

/// An entry of one life of an agent: somebody was told that `op` is the `n`th.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) born: String,
    pub(crate) n: u64,
    pub(crate) op: String,
    pub(crate) kind: Told,
}

/// How a client was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// By the answer to its own request.
    Answered,
    /// By a state frame about anybody's request.
    Shown,
}

/// What the agent says of itself; `hostel-crash-server` makes it.
#[derive(Debug, Clone, Deserialize, Default)]
pub(crate) struct Look {
    pub(crate) born: String,
    pub(crate) count: u64,
    pub(crate) last: String,
    entries: u64,
    copies: u64,
    same: u64,
    sound: String,
    pub(crate) from: u64,
    pub(crate) after: Vec<String>,
}

impl Look {
    /// Whether state, tables and file agree.
    pub(crate) fn is_whole(&self) -> bool {
        let counts = [self.entries, self.copies, self.same, self.from + self.after.len() as u64];
        let last = self.after.last().is_none_or(|last| *last == self.last);
        counts.iter().all(|count| *count == self.count) && last && self.sound == "ok"
    }

    fn entry(&self, n: u64) -> Option<&str> {
        let at = usize::try_from(n.checked_sub(self.from + 1)?).ok()?;
        self.after.get(at).map(String::as_str)
    }
}

/// One agent, since the last comparison.
#[derive(Debug, Default)]
pub(crate) struct Account {
    sent: HashSet<String>,
    /// Requests that were answered with an error: they must not be there.
    refused: HashSet<String>,
    claims: Vec<Claim>,
    ends_sent: u64,
    /// Lives whose end was acknowledged.
    ended: BTreeSet<String>,
    /// What was found last. It was shown to us, so it must stay.
    base: (String, u64),
}

impl Account {
    pub(crate) fn send(&mut self, op: &str) {
        self.sent.insert(op.to_owned());
    }

    pub(crate) fn refuse(&mut self, op: &str) {
        self.refused.insert(op.to_owned());
    }

    pub(crate) fn send_end(&mut self) {
        self.ends_sent += 1;
    }

    pub(crate) fn claim(&mut self, claim: Claim) {
        self.claims.push(claim);
    }

    pub(crate) fn end(&mut self, born: &str) {
        self.ended.insert(born.to_owned());
    }

    /// The life last found, and how many entries it had.
    pub(crate) fn base(&self) -> (String, u64) {
        self.base.clone()
    }

    /// Whether anything was done since the last comparison.
    pub(crate) fn is_touched(&self) -> bool {
        !self.sent.is_empty() || self.ends_sent > 0
    }

    /// Compares, says what is wrong with `say`, and begins anew from what was found.
    pub(crate) fn compare(&mut self, found: &Look, mut say: impl FnMut(String)) -> Faults {
        let mut faults = self.broken_claims(found, &mut say);
        if !found.is_whole() {
            faults.torn += 1;
            say(format!("its parts do not agree: {found:?}"));
        }
        faults += self.strangers(found, &mut say);
        if let Some(why) = disorder(&found.after, &self.refused) {
            faults.disordered += 1;
            say(why);
        }
        *self = Self { base: (found.born.clone(), found.count), ..Self::default() };
        faults
    }

    fn broken_claims(&self, found: &Look, say: &mut impl FnMut(String)) -> Faults {
        let mut faults = Faults::default();
        let mut dead = BTreeSet::new();
        for claim in &self.claims {
            if claim.born != found.born {
                dead.insert(claim.born.clone());
            } else if found.entry(claim.n).is_some_and(|op| op != claim.op) || claim.n > found.count {
                match claim.kind {
                    Told::Answered => faults.lost += 1,
                    Told::Shown => faults.early += 1,
                }
                say(format!("{claim:?}, but it has {} entries and {:?}", found.count, found.entry(claim.n)));
            }
        }
        let (born, count) = &self.base;
        if *born != found.born && *count > 0 {
            dead.insert(born.clone());
        }
        if (*born == found.born && found.count < *count) || dead.len() as u64 > self.ends_sent {
            faults.lost += 1;
            say(format!(
                "{count} entries were there before and {} are; ended: {dead:?} by {}",
                found.count, self.ends_sent
            ));
        }
        if found.count > 0 && self.ended.contains(&found.born) {
            faults.lost += 1;
            say(format!("its life {} was ended, and is back", found.born));
        }
        faults
    }

    /// Entries that nobody has sent, or that were refused.
    fn strangers(&self, found: &Look, say: &mut impl FnMut(String)) -> Faults {
        let old = if found.born == self.base.0 { self.base.1 } else { 0 };
        let skip = usize::try_from(old.saturating_sub(found.from)).unwrap_or(usize::MAX);
        let new: Vec<&String> = found.after.iter().skip(skip).collect();
        let distinct: HashSet<&String> = new.iter().copied().collect();
        let known = new.iter().filter(|op| self.sent.contains(**op) && !self.refused.contains(**op)).count();
        if known == new.len() && distinct.len() == new.len() {
            return Faults::default();
        }
        say(format!("of {} new entries {known} were sent and not refused, {} are distinct", new.len(), distinct.len()));
        Faults { invented: 1, ..Faults::default() }
    }
}

/// An operation is `<session>.<number>`; a session's numbers must follow each other, but for those that were refused.
pub(crate) fn disorder(ops: &[String], refused: &HashSet<String>) -> Option<String> {
    let mut last = std::collections::HashMap::new();
    for op in ops {
        let (session, number) = op.rsplit_once('.')?;
        let number: u64 = number.parse().ok()?;
        if let Some(before) = last.insert(session, number)
            && (number <= before || (before + 1..number).any(|n| !refused.contains(&format!("{session}.{n}"))))
        {
            return Some(format!("session {session}: request {number} follows upon {before}"));
        }
    }
    None
}

#[cfg(test)]
mod tests;
