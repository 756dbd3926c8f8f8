//! Reading the log after a stop: what is whole, where it ends, and what is damaged.
//!
//! A bad record is the torn end of the last write only if nothing was ever written behind it in a later batch: a batch is
//! begun when the one before is durable, so a later batch proves that the bad record was whole once.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;

use crate::disk::{Disk, read_all};
use crate::log::Tail;
use crate::record::{ALIGN, AgentId, Body, HEADER, Header, Kind};
use crate::segment::{self, Before, Extent, FIRST, SegmentHeader};
use crate::{DIR, Lsn};

/// Whether checksums count. `Blind` exists so that the tests can show that they matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Trust {
    Checksums,
    Blind,
}

/// Where a record is.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Its number.
    pub lsn: Lsn,
    /// What it does.
    pub kind: Kind,
    /// Bytes of a page.
    pub page_size: u32,
    /// Pages of the database after the turn.
    pub db_pages: u32,
    /// Which segment.
    pub segment: u64,
    /// Where its body is.
    pub body_at: u64,
    /// Bytes of the body.
    pub body_len: u32,
}

/// A stretch of the log that cannot be read although it once could.
#[derive(Clone, Debug)]
pub struct Damage {
    /// Which segment.
    pub segment: u64,
    /// Where it begins.
    pub at: u64,
    /// The record that stood there.
    pub lsn: Lsn,
    /// Whose it was; `None` if nothing tells.
    pub agent: Option<AgentId>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {} at byte {} of {}", self.lsn, self.at, segment::path(self.segment))
    }
}

/// What a log holds.
#[derive(Debug, Default)]
pub struct Scan {
    /// The records of each agent, in order.
    pub records: HashMap<AgentId, Vec<Found>>,
    /// What was once whole and is not any more.
    pub damage: Vec<Damage>,
    /// Bytes behind the last whole record that were cut: the write under way when the node stopped.
    pub torn: bool,
    /// The last record.
    pub tail: Tail,
    /// The segments of the log, oldest first, and where the records of each end.
    pub segments: Vec<Extent>,
    /// Files that never became part of the log, or are void.
    pub orphans: Vec<u64>,
    /// The greatest number of a segment.
    pub highest: u64,
    /// The greatest lease seen.
    pub epoch: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Where the last batch begins, in the segment of the tail; `None` if that segment has no record.
    pub last_batch: Option<u64>,
}

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The file system refused, or the format is another version's.
    #[error("reading the journal failed: {0}")]
    Io(#[from] io::Error),
    /// A file between others is gone.
    #[error(
        "the journal lacks {missing}, which {next} continues; put the file back or restore the data directory from a backup"
    )]
    Missing {
        /// The file that is gone.
        missing: String,
        /// The file that needs it.
        next: String,
    },
    /// The beginning of a file that held records is damaged.
    #[error(
        "the header of {0} is damaged, so none of its records can be read; restore the data directory from a backup"
    )]
    Header(String),
}

/// Reads the log. `progress` hears the bytes read so far, file by file.
///
/// # Errors
/// If a file cannot be read, or the log as a whole makes no sense. Damage to single records is no error here but part of
/// the result.
pub fn scan<D: Disk>(disk: &D, mut progress: impl FnMut(u64)) -> Result<Scan, ScanError> {
    let trust = if crate::points::armed("sabotage-checksum") { Trust::Blind } else { Trust::Checksums };
    scan_trusting(disk, trust, &mut progress)
}

#[doc(hidden)]
pub fn scan_trusting<D: Disk>(disk: &D, trust: Trust, progress: &mut dyn FnMut(u64)) -> Result<Scan, ScanError> {
    let mut found = headers(disk)?;
    let mut result = Scan { highest: found.highest, orphans: std::mem::take(&mut found.empty), ..Scan::default() };
    let chain = chain(&mut found.headers, &mut result.orphans)?;
    if let Some(first) = chain.first() {
        result.tail = tail_of(&first.before);
    }
    for (at, header) in chain.iter().enumerate() {
        let bytes = read_all(&disk.open(&segment::path(header.id))?)?;
        result.bytes += bytes.len() as u64;
        let next = chain.get(at + 1).map(|next| next.before);
        let filled = filled(&bytes);
        result.last_batch = None;
        Reader { header, bytes: &bytes, filled, next, trust, at: FIRST as usize, mark_known: true, scan: &mut result }
            .read();
        let end = next.map_or(result.tail.end, |next| next.end);
        result.segments.push(Extent { id: header.id, end });
        result.epoch = result.epoch.max(header.epoch);
        progress(result.bytes);
    }
    Ok(result)
}

struct Headers {
    headers: BTreeMap<u64, SegmentHeader>,
    /// Files that were created and never used.
    empty: Vec<u64>,
    highest: u64,
}

fn headers<D: Disk>(disk: &D) -> Result<Headers, ScanError> {
    let mut result = Headers { headers: BTreeMap::new(), empty: Vec::new(), highest: 0 };
    for id in disk.list(DIR)?.iter().filter_map(|name| segment::id_of(name)) {
        result.highest = result.highest.max(id);
        let file = disk.open(&segment::path(id))?;
        let mut start = vec![0; FIRST as usize];
        let read = crate::disk::DiskFile::read_at(&file, 0, &mut start)?;
        match SegmentHeader::read(&start[..read])? {
            Some(header) if header.id == id => drop(result.headers.insert(id, header)),
            _ if is_unused(&read_all(&file)?) => result.empty.push(id),
            _ => return Err(ScanError::Header(segment::path(id))),
        }
    }
    Ok(result)
}

/// Where the last block begins that is not all zeros, or rather where it ends.
fn filled(bytes: &[u8]) -> usize {
    const BLOCK: usize = 4096;
    let zeros = [0; BLOCK];
    let blank = bytes.rchunks(BLOCK).take_while(|block| **block == zeros[..block.len()]).map(<[u8]>::len);
    bytes.len() - blank.sum::<usize>()
}

/// A segment is used only when its header is durable: without one there can be no record.
fn is_unused(bytes: &[u8]) -> bool {
    filled(bytes) <= FIRST as usize
}

/// The segments from the newest backwards, each as the one after it says.
fn chain(headers: &mut BTreeMap<u64, SegmentHeader>, orphans: &mut Vec<u64>) -> Result<Vec<SegmentHeader>, ScanError> {
    let mut chain: Vec<SegmentHeader> = Vec::new();
    let mut wanted = headers.keys().next_back().copied();
    while let Some(id) = wanted {
        let Some(header) = headers.remove(&id) else {
            if headers.keys().any(|other| *other < id) {
                let next = chain.last().map_or_else(String::new, |next| segment::path(next.id));
                return Err(ScanError::Missing { missing: segment::path(id), next });
            }
            break;
        };
        wanted = (header.before.id != 0).then_some(header.before.id);
        chain.push(header);
    }
    orphans.extend(headers.keys());
    chain.reverse();
    Ok(chain)
}

fn tail_of(before: &Before) -> Tail {
    Tail { lsn: before.lsn, agent: before.agent, mark: before.mark, segment: before.id, end: before.end }
}

/// Reads one segment.
struct Reader<'a> {
    header: &'a SegmentHeader,
    bytes: &'a [u8],
    /// Behind this there are only zeros.
    filled: usize,
    /// Where the next segment says that this one ends; `None` for the last.
    next: Option<Before>,
    trust: Trust,
    at: usize,
    /// Whether the mark in the tail is that of the record before.
    mark_known: bool,
    scan: &'a mut Scan,
}

impl Reader<'_> {
    fn read(mut self) {
        let end = self.next.map_or(self.bytes.len(), |next| usize::try_from(next.end).unwrap_or(usize::MAX));
        self.bytes = &self.bytes[..end.min(self.bytes.len())];
        while self.at < self.bytes.len() {
            let step = match self.header_at(self.at) {
                Some(header) if self.continues(&header) => self.take(&header),
                _ => self.pass_damage(),
            };
            if !step {
                break;
            }
        }
        self.close();
    }

    fn header_at(&self, at: usize) -> Option<Header> {
        Header::decode(self.bytes.get(at..)?, self.header.salt)
    }

    fn continues(&self, header: &Header) -> bool {
        let tail = &self.scan.tail;
        header.lsn == tail.lsn + 1 && (!self.mark_known || header.prev_mark == tail.mark)
    }

    /// Takes a record whose header is whole. `false` ends the reading.
    fn take(&mut self, header: &Header) -> bool {
        let body_at = self.at + HEADER;
        let body = self.bytes.get(body_at..body_at + header.body_len as usize);
        let whole = body.is_some_and(|body| self.trust == Trust::Blind || header.matches(body));
        if !whole && !self.proven_later(header.lsn) {
            self.scan.torn = true;
            return false;
        }
        if whole {
            let found = Found {
                lsn: header.lsn,
                kind: header.kind,
                page_size: header.page_size,
                db_pages: header.db_pages,
                segment: self.header.id,
                body_at: body_at as u64,
                body_len: header.body_len,
            };
            self.scan.records.entry(header.agent).or_default().push(found);
        } else {
            self.damaged(header.lsn, Some(header.agent));
        }
        if header.lsn == header.batch {
            self.scan.last_batch = Some(self.at as u64);
        }
        self.at += header.footprint();
        self.scan.epoch = self.scan.epoch.max(header.epoch);
        let mark = header.mark(self.header.salt);
        self.scan.tail =
            Tail { lsn: header.lsn, agent: header.agent, mark, segment: self.header.id, end: self.at as u64 };
        self.mark_known = true;
        true
    }

    /// Whether record `lsn` was durable once: a later batch is there, or a later segment counts on it.
    fn proven_later(&self, lsn: Lsn) -> bool {
        self.next.is_some() || self.later(lsn).any(|(_, header)| header.batch > lsn)
    }

    /// Whole headers behind the current place.
    fn later(&self, lsn: Lsn) -> impl Iterator<Item = (usize, Header)> {
        let from = (self.at + 1).next_multiple_of(ALIGN);
        let places = (from..self.filled.min(self.bytes.len())).step_by(ALIGN);
        let whole = move |at: usize| self.header_at(at).map(|header| (at, header));
        places.filter_map(whole).filter(move |(_, header)| header.lsn > lsn)
    }

    /// There is no whole header here: the end, a torn end, or damage. `false` ends the reading.
    fn pass_damage(&mut self) -> bool {
        let lost = self.scan.tail.lsn + 1;
        if !self.proven_later(lost) {
            self.scan.torn = self.bytes[self.at..].iter().take(HEADER).any(|byte| *byte != 0);
            return false;
        }
        let Some((at, header)) = self.later(lost).next() else {
            return false;
        };
        for lsn in lost..header.lsn {
            let agent = (lsn + 1 == header.lsn).then_some(header.prev_agent);
            self.damaged(lsn, agent);
        }
        self.at = at;
        self.scan.tail.lsn = header.lsn - 1;
        self.mark_known = false;
        true
    }

    fn damaged(&mut self, lsn: Lsn, agent: Option<AgentId>) {
        self.scan.damage.push(Damage { segment: self.header.id, at: self.at as u64, lsn, agent });
    }

    /// Compares the end with what the next segment says, and goes on from there.
    fn close(&mut self) {
        let Some(next) = self.next else {
            // An empty last segment is where the log ends, too.
            self.scan.tail.segment = self.header.id;
            self.scan.tail.end = self.scan.tail.end.max(FIRST).min(self.at as u64);
            return;
        };
        for lsn in self.scan.tail.lsn + 1..=next.lsn {
            let agent = (lsn == next.lsn).then_some(next.agent);
            self.damaged(lsn, agent);
        }
        self.scan.tail = tail_of(&next);
    }
}

/// Makes what was read durable. To be done before anything is built upon it: after a kill the last batch may be in the
/// kernel's memory alone, and a base changed by a batch that the next power cut takes back could not be healed. It is
/// written again, because a kernel may call pages clean whose write-back has failed.
///
/// # Errors
/// If the log cannot be written or synced.
pub fn settle<D: Disk>(disk: &D, scan: &Scan) -> io::Result<()> {
    use crate::disk::DiskFile;
    let Some(newest) = scan.segments.last() else { return Ok(()) };
    let file = disk.open(&newest.path())?;
    let parts = [(0, FIRST), (scan.last_batch.unwrap_or(FIRST), scan.tail.end)];
    for (from, to) in parts {
        let mut bytes = vec![0; usize::try_from(to.saturating_sub(from)).unwrap_or(0)];
        let read = file.read_at(from, &mut bytes)?;
        file.write_at(from, &bytes[..read])?;
    }
    file.sync()?;
    disk.sync_dir(DIR)
}

/// Reads the body of a record.
///
/// # Errors
/// If the file cannot be read or the body is malformed.
pub fn body<F: crate::disk::DiskFile>(file: &F, found: &Found) -> io::Result<Body> {
    let mut bytes = vec![0; found.body_len as usize];
    let read = file.read_at(found.body_at, &mut bytes)?;
    Body::decode(&bytes[..read])
}
