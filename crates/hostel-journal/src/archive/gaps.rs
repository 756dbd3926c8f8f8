//! Turns that are known to be lost, written down before whatever held them goes: an image must never be carried across.

use std::io;

use super::names::HISTORY;
use super::read::damaged;
use crate::Lsn;
use crate::disk::{Disk, DiskFile, read_all};
use crate::record::{AgentId, Header};

const PATH: &str = "history/gaps.list";
const NEW: &str = "history/gaps.tmp";

/// Something of `agent` is missing at or before `lsn`; of anybody's, if nothing tells whose it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) agent: Option<AgentId>,
    pub(super) lsn: Lsn,
}

/// All that is known to be missing.
#[derive(Clone, Debug, Default)]
pub(super) struct Gaps(Vec<Gap>);

impl Gaps {
    pub(super) fn read<D: Disk>(disk: &D) -> io::Result<Self> {
        let file = match disk.open(PATH) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            file => file?,
        };
        let text = String::from_utf8_lossy(&read_all(&file)?).into_owned();
        let gaps: Option<Vec<Gap>> = text.lines().map(parse).collect();
        gaps.map(Self).ok_or_else(|| damaged(&format!("{PATH} is damaged; restore it from a backup")))
    }

    /// Adds gaps; durable when it returns.
    pub(super) fn add<D: Disk>(&mut self, disk: &D, gaps: &[Gap]) -> io::Result<()> {
        let before = self.0.len();
        for gap in gaps {
            if !self.0.contains(gap) {
                self.0.push(*gap);
            }
        }
        if self.0.len() == before {
            return Ok(());
        }
        let lines: String = self.0.iter().map(|gap| format(*gap)).collect();
        disk.remove(NEW)?;
        let file = disk.create(NEW, 0)?;
        file.write_at(0, lines.as_bytes())?;
        file.sync()?;
        disk.rename(NEW, PATH)?;
        disk.sync_dir(HISTORY)
    }

    /// Every gap.
    pub(super) fn all(&self) -> &[Gap] {
        &self.0
    }

    /// Whether a recovery has found what is missing at `lsn`, and has noted whose it was.
    pub(super) fn knows(&self, lsn: Lsn) -> bool {
        self.0.iter().any(|gap| gap.agent.is_some() && gap.lsn.cast_signed() >= lsn.cast_signed())
    }

    /// Adds gaps for this reading alone.
    pub(super) fn suspect(&mut self, gaps: impl IntoIterator<Item = Gap>) {
        self.0.extend(gaps);
    }

    /// Whether something is missing between two records of an agent that follow each other in what is there.
    pub(super) fn between(&self, before: &Header, after: &Header) -> bool {
        if before.lsn.cast_signed() < 0 && after.lsn.cast_signed() >= 0 {
            // What was brought from elsewhere ends where an image of it was installed; no turn from here goes on with it.
            return true;
        }
        if before.epoch == after.epoch {
            return before.seq.checked_add(1) != Some(after.seq);
        }
        let inside = |lsn: Lsn| (before.lsn.cast_signed()..after.lsn.cast_signed()).contains(&lsn.cast_signed());
        let concerns = |gap: &Gap| gap.agent.is_none_or(|agent| agent == after.agent) && inside(gap.lsn);
        after.seq != 1 || self.0.iter().any(concerns)
    }
}

fn format(gap: Gap) -> String {
    let whose = gap.agent.map_or_else(|| "all".to_owned(), |agent| format!("{:032x}", agent.0));
    let facts = format!("{whose} {}", gap.lsn.cast_signed());
    format!("{facts} {:08x}\n", crc32fast::hash(facts.as_bytes()))
}

fn parse(line: &str) -> Option<Gap> {
    let mut words = line.split(' ');
    let agent = match words.next()? {
        "all" => None,
        hex => Some(AgentId(u128::from_str_radix(hex, 16).ok()?)),
    };
    let gap = Gap { agent, lsn: words.next()?.parse::<i64>().ok()?.cast_unsigned() };
    (format(gap).trim_end() == line).then_some(gap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Kind;

    #[test]
    fn a_turn_from_elsewhere_may_have_any_number_and_none_from_here_goes_on_with_it() {
        let header = |lsn: i64, seq| Header {
            body_len: 0,
            body_crc: 0,
            lsn: lsn.cast_unsigned(),
            batch: 0,
            epoch: 3,
            seq,
            agent: AgentId(9),
            prev_agent: AgentId(0),
            prev_mark: 0,
            agent_mark: 0,
            time_ms: 0,
            db_pages: 1,
            page_size: 512,
            kind: Kind::Commit,
        };
        let gaps = Gaps::default();
        assert!(!gaps.between(&header(-2, 4), &header(-1, 5)));
        assert!(gaps.between(&header(-2, u64::MAX), &header(-1, 0)));
        assert!(gaps.between(&header(-1, 4), &header(7, 5)));
        assert!(gaps.between(&header(-1, 4), &Header { epoch: 4, ..header(7, 1) }));
    }

    #[test]
    fn a_line_comes_back_and_a_damaged_one_does_not() {
        for gap in [Gap { agent: None, lsn: 7 }, Gap { agent: Some(AgentId(9)), lsn: 3_u64.wrapping_neg() }] {
            let line = format(gap);
            assert_eq!(parse(line.trim_end()), Some(gap));
            assert_eq!(parse(&line.trim_end().replace(' ', "  ")), None);
            assert_eq!(parse(&line.trim_end()[1..]), None);
        }
    }
}
