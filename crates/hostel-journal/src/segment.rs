//! One file of the log: its name, and the header that ties it to the file before.

use std::io;

use crate::disk::DiskFile;
use crate::record::AgentId;
use crate::{DIR, Epoch, Lsn};

/// Where the records begin. The header stands twice before it, so that damage to one copy costs nothing.
pub const FIRST: u64 = 8192;
const COPIES: [u64; 2] = [0, 4096];
const SIZE: usize = 128;
const MAGIC: &[u8; 8] = b"HOSTELJ\0";
const VERSION: u32 = 1;

/// Where the log stood when a segment was begun. This, not what may be found in the file, is where the one before ends:
/// what was written behind it was never acknowledged and is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Before {
    /// The segment before; 0 for none.
    pub id: u64,
    /// Where its last record ends.
    pub end: u64,
    /// The number of the last record.
    pub lsn: Lsn,
    /// Whose it was.
    pub agent: AgentId,
    /// Its mark.
    pub mark: u64,
}

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Rises from segment to segment.
    pub id: u64,
    /// Mixed into every header in the file, so that bytes from elsewhere are never taken for a record.
    pub salt: u64,
    /// The lease under which it was begun.
    pub epoch: Epoch,
    /// Where the log stood.
    pub before: Before,
}

/// A segment, and where the records end that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Its number.
    pub id: u64,
    /// Where its last record ends. What is behind it was never acknowledged and is void.
    pub end: u64,
}

impl Extent {
    /// Whether there is no record in it.
    pub fn is_empty(&self) -> bool {
        self.end <= FIRST
    }

    /// Where its file is, as long as it is in the log.
    pub fn path(&self) -> String {
        path(self.id)
    }
}

impl SegmentHeader {
    fn encode(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        let mut at = 0;
        let mut put = |part: &[u8]| {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        };
        put(MAGIC);
        put(&VERSION.to_le_bytes());
        put(&[0; 4]);
        for number in [self.id, self.salt, self.epoch, self.before.id, self.before.end, self.before.lsn] {
            put(&number.to_le_bytes());
        }
        put(&self.before.agent.0.to_le_bytes());
        put(&self.before.mark.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..SIZE - 4]);
        bytes[SIZE - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> io::Result<Option<Self>> {
        let word = |at: usize| bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
        let half = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
        if bytes.len() < SIZE || bytes[..8] != MAGIC[..] || half(SIZE - 4) != crc32fast::hash(&bytes[..SIZE - 4]) {
            return Ok(None);
        }
        if half(8) != VERSION {
            let message = format!("the journal has format {}, this build knows format {VERSION}", half(8));
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
        let agent = AgentId(u128::from(word(72)) << 64 | u128::from(word(64)));
        let before = Before { id: word(40), end: word(48), lsn: word(56), agent, mark: word(80) };
        Ok(Some(Self { id: word(16), salt: word(24), epoch: word(32), before }))
    }

    /// Writes the header, both copies. The caller syncs.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, file: &impl DiskFile) -> io::Result<()> {
        COPIES.iter().try_for_each(|at| file.write_at(*at, &self.encode()))
    }

    /// Reads the header from the bytes of a segment; `None` if neither copy is whole.
    ///
    /// # Errors
    /// `Unsupported` for a format of another version.
    pub fn read(segment: &[u8]) -> io::Result<Option<Self>> {
        for at in COPIES {
            let bytes = segment.get(at as usize..at as usize + SIZE).unwrap_or_default();
            if let Some(header) = Self::decode(bytes)? {
                return Ok(Some(header));
            }
        }
        Ok(None)
    }
}

/// The path of a segment.
pub fn path(id: u64) -> String {
    format!("{DIR}/{id:016x}.seg")
}

/// The number in the name of a segment; `None` for other files.
pub fn id_of(name: &str) -> Option<u64> {
    let hex = name.strip_suffix(".seg").filter(|hex| hex.len() == 16)?;
    u64::from_str_radix(hex, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_and_a_damaged_one_does_not() {
        let before = Before { id: 4, end: 5, lsn: 6, agent: AgentId(7 << 64 | 8), mark: 9 };
        let header = SegmentHeader { id: 1, salt: 2, epoch: 3, before };
        let bytes = header.encode();
        assert_eq!(SegmentHeader::decode(&bytes).unwrap(), Some(header));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&damaged).unwrap(), None, "bit {bit}");
        }
        assert_eq!(id_of("000000000000001f.seg"), Some(31));
        assert_eq!(id_of("lease"), None);
    }
}
