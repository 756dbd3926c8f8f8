//! What a commit changed, read from SQLite's own log: the frames between where it ended before and where it ends now. That
//! is what SQLite's hook for commits in the log says; the end of the log would not do, since a turn that was rolled back
//! may have left frames behind it, and a turn that changed nothing writes none.
//!
//! The log is in this process' memory, just as SQLite wrote it, so SQLite's checksums, which are there for logs that come
//! from a disk, are not computed again. That the frames are what this file takes them for is still checked: a
//! misunderstanding must not end up in the journal as a page.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hostel_vfs::{Bytes, Log};
use rusqlite::Connection;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// Follows the log of one open database.
#[derive(Debug)]
pub(crate) struct Capture {
    log: Arc<Log>,
    /// How many frames the log has, set by the hook when a commit has written some.
    announced: Arc<AtomicU64>,
    at: u64,
    header: Option<LogHeader>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LogHeader {
    page_size: u32,
    salts: [u8; 8],
}

/// The frames of one commit, or of several in a row. While they are held, SQLite cannot write its log.
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    pub(crate) page_size: u32,
    /// Pages of the database after the commit.
    pub(crate) db_pages: u32,
    /// Where the log ends with this commit.
    pub(crate) end: u64,
    bytes: Bytes<'a>,
    /// Of several commits: the frames that count, by their place, rising.
    latest: Option<Vec<usize>>,
}

impl Frames<'_> {
    /// Page numbers and images, in the order written. Of several commits, each page once, as the last one left it.
    pub(crate) fn pages(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let counts = |at: &usize| self.latest.as_ref().is_none_or(|latest| latest.binary_search(at).is_ok());
        let frames = self.bytes.chunks_exact(FRAME_HEADER + self.page_size as usize).enumerate();
        frames.filter(move |(at, _)| counts(at)).map(|(_, frame)| (word(frame, 0), &frame[FRAME_HEADER..]))
    }

    /// A page that a later commit wrote again, or cut off, is not as an earlier one left it.
    fn keep_latest(&mut self) {
        let mut latest = BTreeMap::new();
        for (at, frame) in self.bytes.chunks_exact(FRAME_HEADER + self.page_size as usize).enumerate() {
            latest.insert(word(frame, 0), at);
        }
        let mut latest: Vec<usize> = latest.range(..=self.db_pages).map(|(_, at)| *at).collect();
        latest.sort_unstable();
        self.latest = Some(latest);
    }
}

impl Capture {
    /// Follows `log`, the log of `conn`, which is empty.
    pub(crate) fn of_empty(log: Arc<Log>, conn: &mut Connection) -> rusqlite::Result<Self> {
        let announced = Arc::new(AtomicU64::new(0));
        let hears = Arc::clone(&announced);
        conn.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, frames: i32| {
            hears.store(u64::from(frames.unsigned_abs()), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { log, announced, at: 0, header: None })
    }

    /// Follows `log`, the log of `conn`, from `end` on, where it ends with a commit.
    pub(crate) fn of_kept(log: Arc<Log>, end: u64, conn: &mut Connection) -> io::Result<Self> {
        let mut capture = Self::of_empty(log, conn).map_err(io::Error::other)?;
        let header = capture.begin()?;
        capture.check(&header, end)?;
        capture.at = end;
        Ok(capture)
    }

    /// Whether the log consists of whole commits and ends at `end`.
    fn check(&self, header: &LogHeader, end: u64) -> io::Result<()> {
        let (mut at, mut whole) = (HEADER as u64, false);
        while at < end {
            let frame = self.log.read(at..at + FRAME_HEADER as u64)?;
            if word(&frame, 0) == 0 || frame[8..16] != header.salts {
                return Err(damaged("a frame is not of this log"));
            }
            whole = word(&frame, 4) != 0;
            at += header.frame() as u64;
        }
        if whole && at == end && self.log.length() == end {
            Ok(())
        } else {
            Err(damaged("it does not end with a commit"))
        }
    }

    /// Where the log ends, as far as it was read.
    pub(crate) fn end(&self) -> u64 {
        self.at
    }

    /// The log was copied into the database and emptied.
    pub(crate) fn emptied(&mut self) {
        self.at = 0;
        self.header = None;
    }

    /// How many frames the log has, as the last commit that wrote some has left it; 0 if that was read already.
    pub(crate) fn announced(&self) -> u64 {
        self.announced.load(Ordering::Relaxed)
    }

    /// Bytes of the log that were not read yet.
    pub(crate) fn unread(&self) -> u64 {
        self.log.length().saturating_sub(self.at)
    }

    /// Reads what was committed since the last time; `None` if nothing changed. `commits` says how many commits wrote
    /// something, so that a misunderstanding shows.
    pub(crate) fn read_commits(&mut self, commits: u32) -> io::Result<Option<Frames<'_>>> {
        let announced = self.announced.swap(0, Ordering::Relaxed);
        if announced == 0 {
            return Ok(None);
        }
        let header = match self.header {
            Some(header) => header,
            None => self.begin()?,
        };
        let end = HEADER as u64 + announced * header.frame() as u64;
        // SQLite begins its log anew, under other salts, when it finds all of it copied.
        let header = if end <= self.at { self.begin()? } else { header };
        let range = self.at..end;
        self.at = end;
        self.frames(&header, range, commits).map(Some)
    }

    fn begin(&mut self) -> io::Result<LogHeader> {
        let bytes = self.log.read(0..HEADER as u64)?;
        if !matches!(word(&bytes, 0), 0x377f_0682 | 0x377f_0683) {
            return Err(damaged("its header is not one"));
        }
        let page_size = word(&bytes, 8);
        if !page_size.is_power_of_two() || !(512..=65536).contains(&page_size) {
            return Err(damaged("its page size is impossible"));
        }
        let mut salts = [0; 8];
        salts.copy_from_slice(&bytes[16..24]);
        let header = LogHeader { page_size, salts };
        self.header = Some(header);
        self.at = HEADER as u64;
        Ok(header)
    }

    fn frames(&self, header: &LogHeader, range: Range<u64>, commits: u32) -> io::Result<Frames<'_>> {
        let end = range.end;
        let bytes = self.log.read(range)?;
        let (mut db_pages, mut ended) = (0, 0);
        for frame in bytes.chunks_exact(header.frame()) {
            if ended == commits {
                return Err(damaged("it has more commits than were made"));
            }
            if word(frame, 0) == 0 || frame[8..16] != header.salts {
                return Err(damaged("a frame is not of this log"));
            }
            db_pages = word(frame, 4);
            ended += u32::from(db_pages != 0);
        }
        if db_pages == 0 || ended != commits {
            return Err(damaged("a commit has no end"));
        }
        let mut frames = Frames { page_size: header.page_size, db_pages, end, bytes, latest: None };
        if commits > 1 {
            frames.keep_latest();
        }
        Ok(frames)
    }
}

impl LogHeader {
    fn frame(&self) -> usize {
        FRAME_HEADER + self.page_size as usize
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("SQLite's log is not as expected: {what}"))
}
