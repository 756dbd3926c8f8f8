//! The bytes of one write-ahead log: in memory, and beyond a few megabytes in a file without a name.

use std::collections::HashMap;
use std::ffi::{CStr, CString, OsStr};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::{Deref, Range};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};

/// Bytes kept in memory. What a very large turn writes beyond them goes to the disk.
const IN_MEMORY: u64 = 4 << 20;
/// No log is longer, so that what a turn has written always fits into a record of the journal (1 GiB), even if it cannot be
/// packed. A turn that writes more is undone by SQLite, as on a full disk.
const LONGEST: u64 = (1 << 30) - (16 << 20);
/// Room that is kept when a log is emptied, for whichever log grows next: memory fresh from the kernel is cleared first, which
/// costs more than what is then written into it.
const SPARE_BYTES: std::ops::RangeInclusive<usize> = 32 << 10..=128 << 10;
const SPARES: usize = 256;
static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Logs that wait for the database they belong to, by the name SQLite will ask for.
static OFFERED: Mutex<Option<HashMap<CString, Arc<Log>>>> = Mutex::new(None);

/// One database's write-ahead log. SQLite writes it; others read it.
pub struct Log {
    name: CString,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    length: u64,
    /// The first bytes of the log, at most [`IN_MEMORY`].
    head: Vec<u8>,
    /// The rest, each byte at its own place. The file has no name any more.
    rest: Option<File>,
}

/// Bytes of a log. While they are held, the log cannot be written.
pub enum Bytes<'a> {
    /// As they lie in memory.
    Mapped(MappedMutexGuard<'a, [u8]>),
    /// Read from the disk.
    Read(Vec<u8>),
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(bytes) => bytes,
            Self::Read(bytes) => bytes,
        }
    }
}

/// A log that the next opening of its database takes over. Dropping it takes the offer back.
#[derive(Debug)]
pub struct Offer(Arc<Log>);

impl Drop for Offer {
    fn drop(&mut self) {
        if let Some(offered) = &mut *OFFERED.lock() {
            offered.remove(&self.0.name);
        }
    }
}

impl Log {
    /// The log that SQLite opens by this name.
    pub(crate) fn open(name: &CStr) -> Arc<Self> {
        let offered = OFFERED.lock().as_mut().and_then(|offered| offered.remove(name));
        offered.unwrap_or_else(|| Arc::new(Self { name: name.to_owned(), inner: Mutex::default() }))
    }

    /// Bytes of the log.
    pub fn length(&self) -> u64 {
        self.inner.lock().length
    }

    /// Cuts off what is behind `end`, and has the next opening of the database begin with what is left. For a log whose
    /// connection is closed without its having been copied.
    ///
    /// # Errors
    /// If the file system refuses; only for a log that is partly on the disk.
    pub fn offer(self: &Arc<Self>, end: u64) -> io::Result<Offer> {
        let mut inner = self.inner.lock();
        if inner.length > end {
            inner.truncate(end)?;
        }
        drop(inner);
        OFFERED.lock().get_or_insert_default().insert(self.name.clone(), Arc::clone(self));
        Ok(Offer(Arc::clone(self)))
    }

    /// Some of its bytes.
    ///
    /// # Errors
    /// `UnexpectedEof` if it has not as many; else if the file system refuses, for what is on the disk.
    pub fn read(&self, range: Range<u64>) -> io::Result<Bytes<'_>> {
        let inner = self.inner.lock();
        if range.start > range.end || range.end > inner.length {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the log of SQLite is shorter than it said"));
        }
        if range.end <= inner.head.len() as u64 {
            let range = range.start as usize..range.end as usize;
            return Ok(Bytes::Mapped(MutexGuard::map(inner, |inner| &mut inner.head[range])));
        }
        let mut bytes = vec![0; (range.end - range.start) as usize];
        inner.read(range.start, &mut bytes)?;
        Ok(Bytes::Read(bytes))
    }

    /// Fills `into` as far as there are bytes, the rest with zeros. Returns how many there were.
    pub(crate) fn read_into(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let inner = self.inner.lock();
        let there = inner.length.saturating_sub(at).min(into.len() as u64) as usize;
        let (there, beyond) = into.split_at_mut(there);
        beyond.fill(0);
        inner.read(at, there)?;
        Ok(there.len())
    }

    pub(crate) fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.inner.lock().write(at, bytes, &self.name)
    }

    pub(crate) fn truncate(&self, length: u64) -> io::Result<()> {
        self.inner.lock().truncate(length)
    }
}

impl Inner {
    /// Reads bytes that are there.
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let from_head = (self.head.len() as u64).saturating_sub(at).min(into.len() as u64) as usize;
        let (first, second) = into.split_at_mut(from_head);
        if !first.is_empty() {
            first.copy_from_slice(&self.head[at as usize..at as usize + from_head]);
        }
        match &self.rest {
            Some(rest) if !second.is_empty() => rest.read_exact_at(second, at + from_head as u64),
            _ => {
                second.fill(0);
                Ok(())
            }
        }
    }

    fn write(&mut self, at: u64, bytes: &[u8], name: &CStr) -> io::Result<()> {
        let end = at.checked_add(bytes.len() as u64).filter(|end| *end <= LONGEST).ok_or(io::ErrorKind::StorageFull)?;
        let to_head = IN_MEMORY.saturating_sub(at).min(bytes.len() as u64) as usize;
        let (first, second) = bytes.split_at(to_head);
        if !second.is_empty() {
            self.rest(name)?.write_all_at(second, at + to_head as u64)?;
        }
        self.write_head(at, first)?;
        self.length = self.length.max(end);
        Ok(())
    }

    fn write_head(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let (at, end) = (at as usize, at as usize + bytes.len());
        if end > self.head.capacity() {
            self.grow(end)?;
        }
        if at >= self.head.len() {
            self.head.resize(at, 0);
            self.head.extend_from_slice(bytes);
            return Ok(());
        }
        if end > self.head.len() {
            self.head.resize(end, 0);
        }
        self.head[at..end].copy_from_slice(bytes);
        Ok(())
    }

    fn grow(&mut self, end: usize) -> io::Result<()> {
        let spare = SPARE.lock().pop().filter(|spare| spare.capacity() >= end);
        match spare {
            Some(mut spare) => {
                spare.extend_from_slice(&self.head);
                self.head = spare;
            }
            None => self.head.try_reserve(end - self.head.len())?,
        }
        Ok(())
    }

    /// Gives up what an emptied log needs no more.
    fn give_up(&mut self) {
        let mut head = std::mem::take(&mut self.head);
        if !SPARE_BYTES.contains(&head.capacity()) {
            return;
        }
        head.clear();
        let mut spare = SPARE.lock();
        if spare.len() < SPARES {
            spare.push(head);
        }
    }

    /// The file of what does not fit in memory. It loses its name at once, so that nothing of it can stay behind.
    fn rest(&mut self, name: &CStr) -> io::Result<&File> {
        if self.rest.is_none() {
            let path = Path::new(OsStr::from_bytes(name.to_bytes()));
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
            std::fs::remove_file(path)?;
            self.rest = Some(file);
        }
        self.rest.as_ref().ok_or_else(|| io::Error::other("no file"))
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        match &self.rest {
            Some(rest) if length > IN_MEMORY => rest.set_len(length)?,
            _ => self.rest = None,
        }
        if length < self.head.len() as u64 {
            self.head.truncate(length as usize);
        }
        if length == 0 {
            self.give_up();
        }
        self.length = length;
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bytes").field("length", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(dir: &Path) -> Arc<Log> {
        Log::open(&CString::new(dir.join("a.db-wal").as_os_str().as_bytes()).unwrap())
    }

    #[test]
    fn bytes_come_back_wherever_they_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path());
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        for at in [0, 50_000, IN_MEMORY - 50_000, IN_MEMORY, IN_MEMORY + 200_000] {
            log.write(at, &bytes).unwrap();
            assert_eq!(&*log.read(at..at + 100_000).unwrap(), &bytes[..], "at {at}");
        }
        assert_eq!(log.length(), IN_MEMORY + 300_000);
        assert_eq!(&*log.read(200_000..200_010).unwrap(), &[0; 10], "what was never written");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the file has no name");
        log.truncate(60_000).unwrap();
        assert!(log.read(0..60_001).is_err());
        assert_eq!(&*log.read(50_000..60_000).unwrap(), &bytes[..10_000]);
        log.write(IN_MEMORY + 10, &bytes).unwrap();
        assert_eq!(&*log.read(60_000..60_010).unwrap(), &[0; 10], "what was cut off does not come back");
    }

    #[test]
    fn a_log_that_the_journal_could_not_take_is_refused_as_on_a_full_disk() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path());
        log.write(LONGEST - 8, &[1; 8]).unwrap();
        for at in [LONGEST - 7, LONGEST, u64::MAX - 4] {
            assert_eq!(log.write(at, &[2; 8]).unwrap_err().kind(), io::ErrorKind::StorageFull, "at {at}");
        }
        assert_eq!((log.length(), &*log.read(LONGEST - 8..LONGEST).unwrap()), (LONGEST, &[1; 8][..]));
    }

    #[test]
    fn what_is_beyond_the_end_reads_as_zeros_and_is_counted_out() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path());
        log.write(0, &[1; 10]).unwrap();
        let mut into = [7; 8];
        assert_eq!(log.read_into(6, &mut into).unwrap(), 4);
        assert_eq!(into, [1, 1, 1, 1, 0, 0, 0, 0]);
        assert_eq!(log.read_into(1000, &mut into).unwrap(), 0);
    }

    #[test]
    fn an_offer_is_taken_once_and_can_be_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let first = log(dir.path());
        first.write(0, &[1; 10]).unwrap();
        let offer = first.offer(4).unwrap();
        assert_eq!(log(dir.path()).length(), 4);
        assert_eq!(log(dir.path()).length(), 0);
        drop(offer);
        drop(first.offer(4).unwrap());
        assert_eq!(log(dir.path()).length(), 0);
    }
}
