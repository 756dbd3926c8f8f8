//! Records one after the other, from a segment or from a stretch of a history file. Damage is passed by and told.

use std::io;
use std::sync::Arc;

use crate::disk::DiskFile;
use crate::record::{ALIGN, HEADER, Header};

/// Bytes read at once.
const WINDOW: usize = 128 << 10;

/// What comes next.
#[derive(Debug)]
pub(super) enum Step {
    /// A record whose header is whole; it stands at this place.
    Record(Header, u64),
    /// From the first place up to the second nothing can be read.
    Damage(u64, u64),
}

/// Reads forward.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    file: Arc<dyn DiskFile>,
    salt: u64,
    at: u64,
    end: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl Walk {
    pub(super) fn new(file: Arc<dyn DiskFile>, salt: u64, from: u64, end: u64) -> Self {
        Self { file, salt, at: from, end, window: Vec::new(), window_at: 0 }
    }

    pub(super) fn file(&self) -> &Arc<dyn DiskFile> {
        &self.file
    }

    /// The next record, or the damage before it.
    pub(super) fn next(&mut self) -> io::Result<Option<Step>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let from = self.at;
        if let Some(header) = self.header(from)? {
            self.at += header.footprint() as u64;
            return Ok(Some(Step::Record(header, from)));
        }
        self.at += ALIGN as u64;
        while self.at < self.end && self.header(self.at)?.is_none() {
            self.at += ALIGN as u64;
        }
        Ok(Some(Step::Damage(from, self.at.min(self.end))))
    }

    /// A whole header at this place, of a record that fits.
    fn header(&mut self, at: u64) -> io::Result<Option<Header>> {
        let (salt, left) = (self.salt, self.end - at);
        let header = Header::decode(self.bytes(at, HEADER)?, salt);
        Ok(header.filter(|header| header.footprint() as u64 <= left))
    }

    /// Up to `length` bytes at `at`; fewer only at the end.
    pub(super) fn bytes(&mut self, at: u64, length: usize) -> io::Result<&[u8]> {
        let inside = at >= self.window_at && at + length as u64 <= self.window_at + self.window.len() as u64;
        if !inside {
            let wanted = length.max(WINDOW).min(usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX));
            self.window.resize(wanted, 0);
            let read = self.file.read_at(at, &mut self.window)?;
            self.window.truncate(read);
            self.window_at = at;
        }
        let from = usize::try_from(at - self.window_at).map_err(io::Error::other)?;
        let rest = &self.window[from..];
        Ok(&rest[..length.min(rest.len())])
    }

    /// The body of the record at `at`; `None` if it is not what was written.
    pub(super) fn body(&mut self, header: &Header, at: u64) -> io::Result<Option<&[u8]>> {
        let body = self.bytes(at + HEADER as u64, header.body_len as usize)?;
        Ok(header.matches(body).then_some(body))
    }
}
