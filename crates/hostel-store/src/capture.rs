//! What a commit changed, read from SQLite's own log: the frames between where it ended before and where it ends now. That
//! is what SQLite's hook for commits in the log says; the end of the file would not do, since a turn that was rolled back
//! may have left frames behind it, and a turn that changed nothing writes none.
//!
//! Every frame is checked as SQLite itself would check it on recovery, so a misunderstanding of the file cannot end up in
//! the journal as a page.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// Follows the log of one open database.
#[derive(Debug)]
pub(crate) struct Capture {
    file: File,
    /// How many frames the log has, set by the hook when a commit has written some.
    announced: Arc<AtomicU64>,
    at: u64,
    header: Option<LogHeader>,
    /// The running checksum of SQLite's log.
    sum: (u32, u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LogHeader {
    page_size: u32,
    salts: [u8; 8],
    big_endian: bool,
}

/// The frames of one commit.
#[derive(Debug)]
pub(crate) struct Frames {
    pub(crate) page_size: u32,
    /// Pages of the database after the commit.
    pub(crate) db_pages: u32,
    bytes: Vec<u8>,
}

impl Frames {
    /// Page numbers and images, in the order written.
    pub(crate) fn pages(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let frames = self.bytes.chunks_exact(FRAME_HEADER + self.page_size as usize);
        frames.map(|frame| (word(frame, 0), &frame[FRAME_HEADER..]))
    }
}

impl Capture {
    /// Follows the log of `conn`, which is empty.
    pub(crate) fn of_empty(file: File, conn: &mut Connection) -> rusqlite::Result<Self> {
        let announced = Arc::new(AtomicU64::new(0));
        let hears = Arc::clone(&announced);
        conn.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, frames: i32| {
            hears.store(u64::from(frames.unsigned_abs()), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { file, announced, at: 0, header: None, sum: (0, 0) })
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

    /// Reads what the commit that has just been made has added; `None` if it changed nothing.
    pub(crate) fn read_commit(&mut self) -> io::Result<Option<Frames>> {
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
        self.frames(&header, end).map(Some)
    }

    fn begin(&mut self) -> io::Result<LogHeader> {
        let mut bytes = [0; HEADER];
        self.file.read_exact_at(&mut bytes, 0)?;
        let big_endian = match word(&bytes, 0) {
            0x377f_0682 => false,
            0x377f_0683 => true,
            _ => return Err(damaged("its header is not one")),
        };
        let sum = add((0, 0), &bytes[..24], big_endian);
        if sum != (word(&bytes, 24), word(&bytes, 28)) {
            return Err(damaged("the checksum of its header is wrong"));
        }
        let page_size = word(&bytes, 8);
        if !page_size.is_power_of_two() || !(512..=65536).contains(&page_size) {
            return Err(damaged("its page size is impossible"));
        }
        let mut salts = [0; 8];
        salts.copy_from_slice(&bytes[16..24]);
        let header = LogHeader { page_size, salts, big_endian };
        self.header = Some(header);
        self.sum = sum;
        self.at = HEADER as u64;
        Ok(header)
    }

    fn frames(&mut self, header: &LogHeader, end: u64) -> io::Result<Frames> {
        let length = end.checked_sub(self.at).and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, self.at)?;
        let (mut sum, mut db_pages) = (self.sum, 0);
        for frame in bytes.chunks_exact(header.frame()) {
            if db_pages != 0 {
                return Err(damaged("it has more than one commit"));
            }
            sum = check(frame, header, sum)?;
            db_pages = word(frame, 4);
        }
        if db_pages == 0 {
            return Err(damaged("the commit has no end"));
        }
        self.sum = sum;
        self.at = end;
        Ok(Frames { page_size: header.page_size, db_pages, bytes })
    }
}

impl LogHeader {
    fn frame(&self) -> usize {
        FRAME_HEADER + self.page_size as usize
    }
}

/// Checks a frame as SQLite does and returns the running checksum behind it.
fn check(frame: &[u8], header: &LogHeader, sum: (u32, u32)) -> io::Result<(u32, u32)> {
    if word(frame, 0) == 0 || frame[8..16] != header.salts {
        return Err(damaged("a frame is not of this log"));
    }
    let sum = add(sum, &frame[..8], header.big_endian);
    let sum = add(sum, &frame[FRAME_HEADER..], header.big_endian);
    if sum != (word(frame, 16), word(frame, 20)) {
        return Err(damaged("the checksum of a frame is wrong"));
    }
    Ok(sum)
}

/// SQLite's checksum of its log, over pairs of words.
fn add((mut a, mut b): (u32, u32), bytes: &[u8], big_endian: bool) -> (u32, u32) {
    let number = |four: [u8; 4]| if big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) };
    for pair in bytes.chunks_exact(8) {
        a = a.wrapping_add(number([pair[0], pair[1], pair[2], pair[3]])).wrapping_add(b);
        b = b.wrapping_add(number([pair[4], pair[5], pair[6], pair[7]])).wrapping_add(a);
    }
    (a, b)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("SQLite's log is not as expected: {what}"))
}
