//! One committed turn as bytes: a header of fixed size with its own checksum, and a body with another.
//!
//! The header alone says whose record it is and how long, so damage to a body touches one known agent. It also names the
//! agent of the record before, so that a record whose own header is damaged still has an owner.

use std::io;

use crate::{Epoch, Lsn};

/// Bytes of a header.
pub const HEADER: usize = 128;
/// Records begin at multiples of this.
pub const ALIGN: usize = 8;
const MAGIC: u32 = 0x3152_4a48;
const FIXED: usize = 18;
/// No body is longer; a length beyond it is damage.
const MAX_BODY: u32 = 1 << 30;

/// Who: a hash of namespace and name, chosen by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct AgentId(pub u128);

/// What a record does to its agent's database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The whole database: nothing before this record is needed to have it.
    Create = 1,
    /// Pages to be laid over what was there.
    Commit = 2,
    /// The database is gone.
    Destroy = 3,
}

/// The facts of a turn, except its pages.
#[derive(Clone, Copy, Debug)]
pub struct EntryHead<'a> {
    /// Whose.
    pub agent: AgentId,
    /// The agent's class.
    pub namespace: &'a str,
    /// The agent's name.
    pub name: &'a str,
    /// Under which lease the turn ran.
    pub epoch: Epoch,
    /// What it does.
    pub kind: Kind,
    /// When, in Unix milliseconds.
    pub time_ms: i64,
    /// Which event of which connection; opaque here.
    pub cause: &'a [u8],
    /// Bytes of a page.
    pub page_size: u32,
    /// Pages of the database after the turn.
    pub db_pages: u32,
}

/// A turn ready to be appended: its body is packed and summed, its place in the log still open.
#[derive(Clone, Debug)]
pub struct Entry {
    pub(crate) agent: AgentId,
    pub(crate) epoch: Epoch,
    kind: Kind,
    time_ms: i64,
    page_size: u32,
    db_pages: u32,
    body: Vec<u8>,
    body_crc: u32,
}

impl Entry {
    /// Packs a turn. Pages are numbered from 1; of two images of one page the later counts.
    pub fn new<'a>(head: &EntryHead<'_>, pages: impl Iterator<Item = (u32, &'a [u8])>) -> Self {
        let (mut numbers, mut images) = (Vec::new(), Vec::new());
        for (number, image) in pages {
            numbers.extend_from_slice(&number.to_le_bytes());
            images.extend_from_slice(image);
        }
        let mut body = Vec::with_capacity(FIXED + numbers.len() + images.len() / 4 + 128);
        body.extend_from_slice(&(head.namespace.len() as u16).to_le_bytes());
        for length in [head.name.len(), head.cause.len(), numbers.len() / 4, images.len()] {
            body.extend_from_slice(&(length as u32).to_le_bytes());
        }
        for part in [head.namespace.as_bytes(), head.name.as_bytes(), head.cause, &numbers] {
            body.extend_from_slice(part);
        }
        body.extend_from_slice(&lz4_flex::block::compress(&images));
        let body_crc = crc32fast::hash(&body);
        Self {
            agent: head.agent,
            epoch: head.epoch,
            kind: head.kind,
            time_ms: head.time_ms,
            page_size: head.page_size,
            db_pages: head.db_pages,
            body,
            body_crc,
        }
    }

    /// Bytes that the record takes in the log.
    pub fn footprint(&self) -> usize {
        padded(HEADER + self.body.len())
    }

    /// Whether the record could be read again: a longer one would be taken for damage.
    pub(crate) fn fits(&self) -> bool {
        self.body.len() <= MAX_BODY as usize
    }

    /// The packed body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Appends the record to `out`, in its place in the log.
    pub(crate) fn encode(&self, place: &Place, salt: u64, out: &mut Vec<u8>) -> u64 {
        let header = Header {
            body_len: self.body.len() as u32,
            body_crc: self.body_crc,
            lsn: place.lsn,
            batch: place.batch,
            epoch: self.epoch,
            seq: place.seq,
            agent: self.agent,
            prev_agent: place.prev_agent,
            prev_mark: place.prev_mark,
            agent_mark: place.agent_mark,
            time_ms: self.time_ms,
            db_pages: self.db_pages,
            page_size: self.page_size,
            kind: self.kind,
        };
        let bytes = header.encode(salt);
        out.extend_from_slice(&bytes);
        out.extend_from_slice(&self.body);
        out.resize(padded(out.len()), 0);
        mark_of(&bytes)
    }
}

/// Where in the log a record stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    pub(crate) lsn: Lsn,
    pub(crate) batch: Lsn,
    pub(crate) seq: u64,
    pub(crate) prev_agent: AgentId,
    pub(crate) prev_mark: u64,
    pub(crate) agent_mark: u64,
}

/// A decoded header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the body.
    pub body_len: u32,
    /// Checksum of the body.
    pub body_crc: u32,
    /// The record's number in the log.
    pub lsn: Lsn,
    /// The number of the first record of the batch: all of a batch was written and synced together.
    pub batch: Lsn,
    /// The lease.
    pub epoch: Epoch,
    /// The number of this turn among the agent's turns of this epoch, from 1.
    pub seq: u64,
    /// Whose.
    pub agent: AgentId,
    /// Whose the record before this one is.
    pub prev_agent: AgentId,
    /// The mark of the record before this one in the log; 0 for the first.
    pub prev_mark: u64,
    /// The mark of the agent's record before this one in this epoch; 0 for the first.
    pub agent_mark: u64,
    /// When, in Unix milliseconds.
    pub time_ms: i64,
    /// Pages of the database after the turn.
    pub db_pages: u32,
    /// Bytes of a page.
    pub page_size: u32,
    /// What it does.
    pub kind: Kind,
}

impl Header {
    /// The header as bytes, in the place where headers are mixed with `salt`.
    pub fn encode(&self, salt: u64) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let mut at = 8;
        let mut put = |part: &[u8]| {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        };
        put(&self.body_len.to_le_bytes());
        put(&self.body_crc.to_le_bytes());
        put(&self.lsn.to_le_bytes());
        put(&self.batch.to_le_bytes());
        put(&self.epoch.to_le_bytes());
        put(&self.seq.to_le_bytes());
        put(&self.agent.0.to_le_bytes());
        put(&self.prev_agent.0.to_le_bytes());
        put(&self.prev_mark.to_le_bytes());
        put(&self.agent_mark.to_le_bytes());
        put(&self.time_ms.to_le_bytes());
        put(&self.db_pages.to_le_bytes());
        put(&self.page_size.to_le_bytes());
        put(&[self.kind as u8]);
        bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
        let crc = header_crc(&bytes, salt);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header; `None` unless it is whole and of the segment with this salt.
    pub fn decode(bytes: &[u8], salt: u64) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.get(..HEADER)?.try_into().ok()?;
        let mut fields = Fields(bytes);
        if fields.u32() != MAGIC || fields.u32() != header_crc(bytes, salt) {
            return None;
        }
        let header = Self {
            body_len: fields.u32(),
            body_crc: fields.u32(),
            lsn: fields.u64(),
            batch: fields.u64(),
            epoch: fields.u64(),
            seq: fields.u64(),
            agent: AgentId(fields.u128()),
            prev_agent: AgentId(fields.u128()),
            prev_mark: fields.u64(),
            agent_mark: fields.u64(),
            time_ms: fields.u64().cast_signed(),
            db_pages: fields.u32(),
            page_size: fields.u32(),
            kind: match fields.0.first() {
                Some(1) => Kind::Create,
                Some(2) => Kind::Commit,
                Some(3) => Kind::Destroy,
                _ => return None,
            },
        };
        (header.body_len <= MAX_BODY).then_some(header)
    }

    /// Bytes from this record's begin to the next one's.
    pub fn footprint(&self) -> usize {
        padded(HEADER + self.body_len as usize)
    }

    /// What the next record remembers of this one.
    pub fn mark(&self, salt: u64) -> u64 {
        mark_of(&self.encode(salt))
    }

    /// Whether `body` is what was written.
    pub fn matches(&self, body: &[u8]) -> bool {
        crc32fast::hash(body) == self.body_crc
    }
}

/// Header checksum and body checksum together.
fn mark_of(header: &[u8; HEADER]) -> u64 {
    let word = |at: usize| u64::from(u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]));
    word(4) << 32 | word(12)
}

fn header_crc(bytes: &[u8; HEADER], salt: u64) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&salt.to_le_bytes());
    crc.update(&bytes[8..]);
    crc.finalize()
}

pub(crate) fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGN)
}

/// Takes numbers off the front of bytes whose length was checked.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut field = [0; N];
        if let Some((head, rest)) = self.0.split_at_checked(N) {
            field.copy_from_slice(head);
            self.0 = rest;
        }
        field
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    fn u128(&mut self) -> u128 {
        u128::from_le_bytes(self.take())
    }
}

/// What stands at the beginning of a body: everything but pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BodyHead<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) cause: &'a [u8],
    /// Bytes of all this.
    pub(crate) length: usize,
}

impl<'a> BodyHead<'a> {
    /// Reads the beginning of a body; `None` if it is malformed or cut.
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        let (fixed, rest) = body.split_at_checked(FIXED)?;
        let mut fields = Fields(fixed);
        let namespace = usize::from(u16::from_le_bytes(fields.take()));
        let (name, cause) = (fields.u32() as usize, fields.u32() as usize);
        let (namespace, rest) = rest.split_at_checked(namespace)?;
        let (name, rest) = rest.split_at_checked(name)?;
        let (cause, _) = rest.split_at_checked(cause)?;
        let length = FIXED + namespace.len() + name.len() + cause.len();
        Some(Self {
            namespace: std::str::from_utf8(namespace).ok()?,
            name: std::str::from_utf8(name).ok()?,
            cause,
            length,
        })
    }
}

/// A decoded body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The agent's class.
    pub namespace: String,
    /// The agent's name.
    pub name: String,
    /// Which event of which connection.
    pub cause: Vec<u8>,
    numbers: Vec<u32>,
    images: Vec<u8>,
}

impl Body {
    /// Unpacks a body.
    ///
    /// # Errors
    /// `InvalidData` if it is not what [`Entry::new`] makes.
    pub fn decode(bytes: &[u8]) -> io::Result<Self> {
        Self::parse(bytes)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the body of a record is malformed"))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (fixed, mut rest) = bytes.split_at_checked(FIXED)?;
        let mut fields = Fields(fixed);
        let namespace = usize::from(u16::from_le_bytes(fields.take()));
        let (name, cause, count) = (fields.u32() as usize, fields.u32() as usize, fields.u32() as usize);
        let raw = fields.u32() as usize;
        let mut part = |length: usize| {
            let (head, tail) = rest.split_at_checked(length)?;
            rest = tail;
            Some(head)
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let (namespace, name) = (text(part(namespace)?)?, text(part(name)?)?);
        let cause = part(cause)?.to_vec();
        let numbers = part(count.checked_mul(4)?)?;
        let numbers: Vec<u32> = numbers.chunks_exact(4).map(|four| Fields(four).u32()).collect();
        // LZ4 cannot shrink by more than 255: a larger claim is not worth the memory.
        let images = if raw / 256 > rest.len() { None } else { lz4_flex::block::decompress(rest, raw).ok() }?;
        let whole = images.len() == raw && (if count == 0 { raw == 0 } else { raw.is_multiple_of(count) });
        whole.then_some(Self { namespace, name, cause, numbers, images })
    }

    /// Page numbers and images, in the order written.
    pub fn pages(&self) -> impl DoubleEndedIterator<Item = (u32, &[u8])> {
        let size = self.images.len().checked_div(self.numbers.len()).unwrap_or(0);
        let image = move |i: usize| &self.images[i * size..(i + 1) * size];
        self.numbers.iter().enumerate().map(move |(i, number)| (*number, image(i)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> (Entry, Vec<u8>) {
        let page: Vec<u8> = (0..4096_u32).map(|i| (i / 7) as u8).collect();
        let head = EntryHead {
            agent: AgentId(7),
            namespace: "counter",
            name: "é",
            epoch: 3,
            kind: Kind::Commit,
            time_ms: -5,
            cause: b"why",
            page_size: 4096,
            db_pages: 9,
        };
        (Entry::new(&head, [(2, &page[..]), (9, &page[..])].into_iter()), page)
    }

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        let (entry, page) = entry();
        let place = Place { lsn: 11, batch: 10, seq: 4, prev_agent: AgentId(1), prev_mark: 5, agent_mark: 6 };
        let mut bytes = Vec::new();
        let mark = entry.encode(&place, 99, &mut bytes);
        assert_eq!(bytes.len(), entry.footprint());
        let header = Header::decode(&bytes, 99).unwrap();
        assert_eq!((header.lsn, header.batch, header.seq, header.prev_mark, header.agent_mark), (11, 10, 4, 5, 6));
        assert_eq!((header.time_ms, header.db_pages, header.kind, header.epoch), (-5, 9, Kind::Commit, 3));
        assert_eq!(header.mark(99), mark);
        let body = &bytes[HEADER..HEADER + header.body_len as usize];
        assert!(header.matches(body));
        let body = Body::decode(body).unwrap();
        assert_eq!((body.namespace.as_str(), body.name.as_str(), &body.cause[..]), ("counter", "é", &b"why"[..]));
        assert_eq!(body.pages().collect::<Vec<_>>(), [(2, &page[..]), (9, &page[..])]);
        assert_eq!(Header::decode(&bytes, 98), None, "another segment's salt");
    }

    #[test]
    fn a_record_that_would_be_taken_for_damage_does_not_fit() {
        let mut entry = entry().0;
        for (length, fits) in [(MAX_BODY, true), (MAX_BODY + 1, false)] {
            entry.body = vec![0; length as usize];
            let header = Header { body_len: length, ..Header::decode(&header_of(), 1).unwrap() };
            assert_eq!((entry.fits(), Header::decode(&header.encode(1), 1).is_some()), (fits, fits));
        }
    }

    fn header_of() -> Vec<u8> {
        let mut bytes = Vec::new();
        entry().0.encode(&Place::default(), 1, &mut bytes);
        bytes
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let mut bytes = Vec::new();
        entry().0.encode(&Place::default(), 1, &mut bytes);
        let whole = Header::decode(&bytes, 1).unwrap();
        let end = HEADER + whole.body_len as usize;
        for bit in 0..end * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let header = Header::decode(&damaged, 1);
            assert!(header.is_none_or(|header| !header.matches(&damaged[HEADER..end])), "bit {bit}");
        }
    }

    #[test]
    fn a_malformed_body_is_refused_without_a_panic() {
        let (entry, _) = entry();
        for cut in 0..entry.body.len() {
            assert!(Body::decode(&entry.body[..cut]).is_err());
        }
        for at in 0..entry.body.len() {
            for value in [0, 0x7f, 0xff] {
                let mut damaged = entry.body.clone();
                damaged[at] = value;
                let _any = Body::decode(&damaged).map(|body| body.pages().count());
            }
        }
    }
}
