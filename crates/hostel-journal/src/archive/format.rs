//! The parts of a history file besides its records: what it is about, said twice, and where each agent's records are.

use crate::Lsn;
use crate::record::AgentId;

/// Bytes of [`Facts`]. They stand at the beginning of the file and again at its end.
pub(super) const FACTS: usize = 128;
/// Bytes of an [`IndexEntry`].
pub(super) const ENTRY: usize = 80;
const MAGIC: &[u8; 8] = b"HOSTELH\0";
const VERSION: u32 = 1;

/// What the records of a file are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum FileKind {
    /// Turns.
    #[default]
    Turns = 0,
    /// One whole image of each agent.
    Base = 1,
}

/// What a file is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) kind: FileKind,
    /// Mixed into every checksum of the file but that of a body.
    pub(super) salt: u64,
    pub(super) first: Lsn,
    pub(super) last: Lsn,
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    pub(super) records: u64,
    pub(super) agents: u64,
    /// Where the records end and the index begins.
    pub(super) index_at: u64,
}

impl Facts {
    pub(super) fn encode(&self) -> [u8; FACTS] {
        let mut bytes = [0; FACTS];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&(self.kind as u32).to_le_bytes());
        let times = [self.first_ms.cast_unsigned(), self.last_ms.cast_unsigned()];
        let numbers = [self.salt, self.first, self.last, times[0], times[1], self.records, self.agents, self.index_at];
        put(&mut bytes[16..], &numbers);
        let crc = crc32fast::hash(&bytes[..FACTS - 4]);
        bytes[FACTS - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads facts; `None` if they are not whole.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != FACTS || bytes[..8] != MAGIC[..] || half(bytes, FACTS - 4) != crc32fast::hash(&bytes[..124]) {
            return None;
        }
        let kind = match (half(bytes, 8), half(bytes, 12)) {
            (VERSION, 0) => FileKind::Turns,
            (VERSION, 1) => FileKind::Base,
            _ => return None,
        };
        let [salt, first, last, first_ms, last_ms, records, agents, index_at] = words(&bytes[16..]);
        let (first_ms, last_ms) = (first_ms.cast_signed(), last_ms.cast_signed());
        Some(Self { kind, salt, first, last, first_ms, last_ms, records, agents, index_at })
    }

    /// Counts one more record.
    pub(super) fn count(&mut self, lsn: Lsn, time_ms: i64) {
        if self.records == 0 {
            (self.first, self.last) = (lsn, lsn);
            (self.first_ms, self.last_ms) = (time_ms, time_ms);
        }
        self.records += 1;
        if lsn.cast_signed() < self.first.cast_signed() {
            self.first = lsn;
        }
        if lsn.cast_signed() > self.last.cast_signed() {
            self.last = lsn;
        }
        self.first_ms = self.first_ms.min(time_ms);
        self.last_ms = self.last_ms.max(time_ms);
    }
}

/// Where the records of one agent are: all together, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub(super) agent: AgentId,
    pub(super) at: u64,
    pub(super) bytes: u64,
    pub(super) records: u64,
    pub(super) first: Lsn,
    pub(super) last: Lsn,
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
}

impl IndexEntry {
    pub(super) fn encode(&self, salt: u64) -> [u8; ENTRY] {
        let mut bytes = [0; ENTRY];
        bytes[..16].copy_from_slice(&self.agent.0.to_le_bytes());
        let times = [self.first_ms.cast_unsigned(), self.last_ms.cast_unsigned()];
        put(&mut bytes[16..], &[self.at, self.bytes, self.records, self.first, self.last, times[0], times[1]]);
        let crc = sum(&bytes[..ENTRY - 8], salt);
        bytes[ENTRY - 8..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads an entry; `None` if it is not whole.
    pub(super) fn decode(bytes: &[u8], salt: u64) -> Option<Self> {
        let bytes: &[u8; ENTRY] = bytes.try_into().ok()?;
        let [crc] = words(&bytes[ENTRY - 8..]);
        if crc != sum(&bytes[..ENTRY - 8], salt) {
            return None;
        }
        let [low, high] = words(bytes);
        let [at, length, records, first, last, first_ms, last_ms] = words(&bytes[16..]);
        let agent = AgentId(u128::from(high) << 64 | u128::from(low));
        let (first_ms, last_ms) = (first_ms.cast_signed(), last_ms.cast_signed());
        Some(Self { agent, at, bytes: length, records, first, last, first_ms, last_ms })
    }
}

/// Length and checksum of the beginning of a body. It stands in a header's field for the record before, which history does
/// not need: so cause and name can be trusted without reading the pages.
pub(super) fn head_mark(head: &[u8]) -> u64 {
    (head.len() as u64) << 32 | u64::from(crc32fast::hash(head))
}

fn sum(bytes: &[u8], salt: u64) -> u64 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&salt.to_le_bytes());
    crc.update(bytes);
    u64::from(crc.finalize())
}

fn put(into: &mut [u8], numbers: &[u64]) {
    for (place, number) in into.chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
}

fn words<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let mut words = [0; N];
    for (word, eight) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*eight);
    }
    words
}

fn half(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_and_entries_come_back_and_damaged_ones_do_not() {
        let mut facts = Facts { kind: FileKind::Base, salt: 3, agents: 4, index_at: 5, ..Facts::default() };
        facts.count(9, -4);
        facts.count(2_u64.wrapping_neg(), 7);
        assert_eq!((facts.first, facts.last, facts.first_ms, facts.last_ms), (2_u64.wrapping_neg(), 9, -4, 7));
        let bytes = facts.encode();
        assert_eq!(Facts::decode(&bytes), Some(facts));
        let entry =
            IndexEntry { agent: AgentId(1 << 64 | 2), at: 3, bytes: 4, records: 5, first: 6, ..Default::default() };
        let indexed = entry.encode(8);
        assert_eq!(IndexEntry::decode(&indexed, 8), Some(entry));
        assert_eq!(IndexEntry::decode(&indexed, 9), None);
        for bit in 0..FACTS * 8 {
            let (mut a, mut b) = (bytes, indexed);
            a[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Facts::decode(&a), None, "bit {bit}");
            if bit < ENTRY * 8 {
                b[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(IndexEntry::decode(&b, 8), None, "bit {bit}");
            }
        }
    }
}
