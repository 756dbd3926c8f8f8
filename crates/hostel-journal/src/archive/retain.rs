//! What is kept how long. Folding files into a base means to write every agent's image again, so it is done seldom and with
//! much at once; until then a little more is kept than was asked for.

use std::io;

use super::names::{FileName, dir, sort_out};
use super::read::Hist;
use super::{Archive, Retention};
use crate::disk::Disk;

/// So many small files that follow each other are joined into one.
const JOINED: usize = 8;
/// Joined files are not larger than this part of what is kept, nor do they span more than this part of its age.
const PART: u64 = 16;
/// Nor larger than this.
const LARGEST: u64 = 256 << 20;
/// What may be kept beyond age and size: this part of them.
const SLACK: u64 = 8;
/// The turns of a class take at most this part of what would be free without them, so that history never fills a disk.
const SHARE: u64 = 8;

/// A file as far as it matters here.
#[derive(Clone, Copy, Debug)]
struct Fact {
    name: FileName,
    bytes: u64,
    first_ms: i64,
    last_ms: i64,
    /// Nothing in it can be read; its times are those of the file before.
    damaged: bool,
}

impl<D: Disk> Archive<D> {
    /// Lets go of what a class need not keep, and joins what is small. Returns how many files became part of others.
    pub(super) fn retain(&self, namespace: &str, now_ms: i64) -> io::Result<u64> {
        self.go_on()?;
        let (_, replaced) = sort_out(&self.disk.list(&dir(namespace))?);
        if !replaced.is_empty() {
            // What replaces them may have its name in memory alone: the process that gave it was killed, or its sync failed.
            self.disk.sync_dir(&dir(namespace))?;
        }
        self.remove(namespace, &replaced)?;
        self.sweep(namespace)?;
        let facts = self.facts(namespace)?;
        let retention = bounded(self.retention(namespace), &facts, self.disk.free());
        let mut merged = 0;
        let old = expired(&facts, retention, now_ms);
        if !old.is_empty() {
            merged += old.len() as u64;
            self.fold(namespace, &old)?;
        }
        while let Some(small) = joinable(&self.facts(namespace)?, retention) {
            match self.join(namespace, &small) {
                Ok(()) => merged += small.len() as u64,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    tracing::warn!(%error, %namespace, "small files of history are not joined");
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(merged)
    }

    /// The files of a class in the order of turns.
    fn facts(&self, namespace: &str) -> io::Result<Vec<Fact>> {
        let (count, _) = sort_out(&self.disk.list(&dir(namespace))?);
        let mut facts: Vec<Fact> = Vec::with_capacity(count.len());
        for name in count {
            let fact = match Hist::open(&self.disk, &name.path(namespace)) {
                Ok(hist) => {
                    let (first_ms, last_ms) = (hist.facts.first_ms, hist.facts.last_ms);
                    Fact { name, bytes: hist.bytes()?, first_ms, last_ms, damaged: false }
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    tracing::error!(%error, "a file of history is damaged");
                    let time_ms = facts.last().map_or(i64::MIN, |before| before.last_ms);
                    Fact { name, bytes: 0, first_ms: time_ms, last_ms: time_ms, damaged: true }
                }
                Err(error) => return Err(error),
            };
            facts.push(fact);
        }
        Ok(facts)
    }
}

/// What a class keeps on a disk with so much left.
fn bounded(retention: Retention, facts: &[Fact], free: u64) -> Retention {
    let is_base = |fact: &Fact| matches!(fact.name, FileName::Base { .. });
    let turns: u64 = facts.iter().filter(|fact| !is_base(fact)).map(|fact| fact.bytes).sum();
    let share = free.saturating_add(turns) / SHARE;
    Retention { bytes: retention.bytes.min(share), ..retention }
}

/// The files that are to be folded, with the base they are folded into; none if it is not worth it yet.
fn expired(facts: &[Fact], retention: Retention, now_ms: i64) -> Vec<FileName> {
    let of = |wanted: fn(&FileName) -> bool| facts.iter().filter(move |fact| wanted(&fact.name));
    let base = || of(|name| matches!(name, FileName::Base { .. }));
    let imports = || of(|name| matches!(name, FileName::Import { .. }));
    let turns = || of(|name| matches!(name, FileName::Turns { .. }));
    let bytes_of = |files: &mut dyn Iterator<Item = &Fact>| files.map(|fact| fact.bytes).sum::<u64>();
    let total = bytes_of(&mut turns().chain(imports()));
    // A large base is written again only for much.
    let worth = (retention.bytes / SLACK).max((bytes_of(&mut base()) / 4).min(retention.bytes));
    let age = i64::try_from(retention.age.as_millis()).unwrap_or(i64::MAX);
    let too_old = |fact: &Fact, slack: i64| fact.last_ms < now_ms.saturating_sub(age).saturating_sub(slack);
    let much = total.saturating_sub(retention.bytes) > worth;
    let long = imports().chain(turns().take(1)).any(|fact| too_old(fact, age / SLACK as i64));
    if !much && !long {
        return Vec::new();
    }
    let mut left = total;
    let mut old: Vec<FileName> = base().map(|fact| fact.name).collect();
    for fact in imports().chain(turns()) {
        if too_old(fact, 0) || left > retention.bytes {
            left -= fact.bytes;
            old.push(fact.name);
        } else if matches!(fact.name, FileName::Turns { .. }) {
            break;
        }
    }
    old
}

/// Small neighbours that are worth being one file: the smallest first, so that nothing is written more often than need be.
fn joinable(facts: &[Fact], retention: Retention) -> Option<Vec<FileName>> {
    let most = (retention.bytes / PART).min(LARGEST);
    let span = i64::try_from(retention.age.as_millis() / u128::from(PART)).unwrap_or(i64::MAX);
    let turns: Vec<&Fact> = facts.iter().filter(|fact| matches!(fact.name, FileName::Turns { .. })).collect();
    let mut small = 4 << 10;
    while small <= most {
        // Never across what cannot be read: by its name the joined file would replace it, and nobody would know of the gap.
        let fits_in = |fact: &Fact| !fact.damaged && fact.bytes <= small;
        for run in turns.chunk_by(|a, b| fits_in(a) && fits_in(b)) {
            let mut bytes = 0;
            let fits = |fact: &&&Fact| {
                bytes += fact.bytes;
                bytes <= most && fact.last_ms.saturating_sub(run[0].first_ms) <= span
            };
            let part = run.iter().take_while(fits).count();
            if part >= JOINED && run[0].bytes <= small {
                return Some(run[..part].iter().map(|fact| fact.name).collect());
            }
        }
        small *= JOINED as u64;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    fn turns(n: u64, bytes: u64) -> Fact {
        let ms = n as i64 * DAY;
        Fact { name: FileName::Turns { first: n, last: n }, bytes, first_ms: ms, last_ms: ms, damaged: false }
    }

    fn retention(days: u64, bytes: u64) -> Retention {
        Retention { age: Duration::from_secs(days * 24 * 60 * 60), bytes }
    }

    #[test]
    fn nothing_is_folded_before_it_is_worth_it_and_then_all_that_is_too_old() {
        let facts: Vec<Fact> = (0..20).map(|n| turns(n, 1)).collect();
        assert!(expired(&facts, retention(8, 1000), 8 * DAY).is_empty());
        assert!(expired(&facts, retention(8, 1000), 9 * DAY).is_empty());
        let old = expired(&facts, retention(8, 1000), 10 * DAY);
        assert_eq!(old, [turns(0, 1).name, turns(1, 1).name]);
    }

    #[test]
    fn what_is_too_much_goes_with_the_base_and_a_large_base_waits_for_more() {
        let base = |bytes| Fact { name: FileName::Base { last: 0 }, bytes, first_ms: 0, last_ms: 0, damaged: false };
        let mut facts = vec![base(0)];
        facts.extend((1..=112).map(|n| turns(n, 1)));
        assert!(expired(&facts, retention(999, 100), 0).is_empty());
        facts.push(turns(113, 1));
        assert_eq!(expired(&facts, retention(999, 100), 0).len(), 1 + 13);
        facts[0] = base(200);
        assert!(expired(&facts, retention(999, 100), 0).is_empty());
        facts.extend((114..=151).map(|n| turns(n, 1)));
        assert_eq!(expired(&facts, retention(999, 100), 0).len(), 1 + 51);
    }

    #[test]
    fn small_neighbours_are_joined_as_long_as_they_stay_small_and_close() {
        let facts: Vec<Fact> = (0..7).map(|n| turns(n, 100)).collect();
        assert_eq!(joinable(&facts, retention(1600, 1 << 30)), None);
        let facts: Vec<Fact> = (0..9).map(|n| turns(n, 100)).collect();
        assert_eq!(joinable(&facts, retention(1600, 1 << 30)).map(|names| names.len()), Some(9));
        assert_eq!(joinable(&facts, retention(16, 1 << 30)), None, "they span more than a day");
        assert_eq!(joinable(&facts, retention(1600, 10_000)), None, "they would be too much for one file");
        let mut parted = facts.clone();
        parted[4].bytes = 1 << 20;
        assert_eq!(joinable(&parted, retention(1600, 1 << 20)), None);
    }
}
