//! The file of one database. Many are open at a time and few are in use, so its descriptor may be lent to another: it is
//! opened again when it is next needed.
//!
//! While it is lent nothing keeps other programs off the file, and what one of them changes is not noticed. So that is forbidden
//! in words (docs/operating.md); `hostel verify` finds the damage, for it compares pages with the journal.

use std::collections::VecDeque;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::ffi::system;

/// Descriptors that are kept, in the order they were opened.
static HELD: Mutex<VecDeque<Weak<Base>>> = Mutex::new(VecDeque::new());
/// How many of them are open.
static OPEN: AtomicUsize = AtomicUsize::new(0);
/// How many may be; 0 is not decided yet.
static MOST: AtomicUsize = AtomicUsize::new(0);
/// At least so many.
const FEWEST: usize = 64;

/// Says how many descriptors may be kept for files of databases. Without it, a quarter of what the process may have when
/// the first is opened.
pub fn keep_descriptors(most: usize) {
    MOST.store(most.max(1), Ordering::Relaxed);
}

fn most() -> usize {
    match MOST.load(Ordering::Relaxed) {
        0 => {
            let most = (system::descriptors() / 4).max(FEWEST);
            MOST.store(most, Ordering::Relaxed);
            most
        }
        most => most,
    }
}

/// How a file is to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) write: bool,
    pub(crate) create: bool,
    pub(crate) exclusive: bool,
}

/// One database's file.
pub(crate) struct Base {
    path: PathBuf,
    write: bool,
    file: Mutex<Option<Held>>,
}

/// An open descriptor, counted.
struct Held(File);

impl Held {
    /// Counts it, and keeps other programs off.
    fn new(file: File, write: bool) -> io::Result<Self> {
        OPEN.fetch_add(1, Ordering::Relaxed);
        let held = Self(file);
        system::lock(&held.0, write)?;
        Ok(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A process that is being started at this moment may have the descriptor too, and with it the lock.
        system::unlock(&self.0);
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Base {
    /// Opens the file; if it may only be read, for reading.
    pub(crate) fn open(path: PathBuf, access: Access) -> io::Result<Arc<Self>> {
        let mut options = OpenOptions::new();
        options.read(true).write(access.write).create(access.create && !access.exclusive);
        options.create_new(access.create && access.exclusive);
        let (file, write) = match options.open(&path) {
            Err(e) if access.write && !access.exclusive && e.kind() != io::ErrorKind::IsADirectory => {
                (File::open(&path).map_err(|_| e)?, false)
            }
            file => (file?, access.write),
        };
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let base = Arc::new(Self { path, write, file: Mutex::new(Some(Held::new(file, write)?)) });
        base.hold();
        Ok(base)
    }

    /// Whether it may be written.
    pub(crate) fn writes(&self) -> bool {
        self.write
    }

    pub(crate) fn length(self: &Arc<Self>) -> io::Result<u64> {
        self.with(|file| Ok(file.metadata()?.len()))
    }

    /// Fills `into` as far as there are bytes, the rest with zeros. Returns how many there were.
    pub(crate) fn read_into(self: &Arc<Self>, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.with(|file| {
            let mut there = 0;
            while there < into.len() {
                match file.read_at(&mut into[there..], at + there as u64) {
                    Ok(0) => break,
                    Ok(more) => there += more,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
            into[there..].fill(0);
            Ok(there)
        })
    }

    pub(crate) fn write(self: &Arc<Self>, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.with(|file| file.write_all_at(bytes, at))
    }

    pub(crate) fn truncate(self: &Arc<Self>, length: u64) -> io::Result<()> {
        self.with(|file| file.set_len(length))
    }

    pub(crate) fn sync(self: &Arc<Self>) -> io::Result<()> {
        self.with(File::sync_data)
    }

    /// Runs `work` on the file, which is opened again if its descriptor was lent.
    fn with<T>(self: &Arc<Self>, work: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        let mut file = self.file.lock();
        if let Some(held) = &*file {
            return work(&held.0);
        }
        let again = OpenOptions::new().read(true).write(self.write).open(&self.path)?;
        let done = work(&file.insert(Held::new(again, self.write)?).0);
        drop(file);
        self.hold();
        done
    }

    /// Notes that a descriptor was opened; if there are too many, the oldest go.
    fn hold(self: &Arc<Self>) {
        let mut held = HELD.lock();
        held.push_back(Arc::downgrade(self));
        // Whoever was closed is still in the list.
        let open = OPEN.load(Ordering::Relaxed);
        if held.len() > 2 * open + FEWEST {
            held.retain(|base| base.strong_count() > 0);
        }
        for _ in 0..open.saturating_sub(most()) {
            let Some(oldest) = held.pop_front() else { return };
            let Some(oldest) = oldest.upgrade() else { continue };
            match oldest.file.try_lock() {
                Some(mut file) => drop(file.take()),
                // It is in use.
                None => held.push_back(Arc::downgrade(&oldest)),
            }
        }
    }
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Base").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The counts are the process's: one test at a time.
    static ALONE: Mutex<()> = Mutex::new(());

    #[test]
    fn a_file_whose_descriptor_was_lent_reads_and_writes_as_before() {
        let (_alone, dir) = (ALONE.lock(), tempfile::tempdir().unwrap());
        keep_descriptors(2);
        let access = Access { write: true, create: true, exclusive: false };
        let open = |n: u8| Base::open(dir.path().join(n.to_string()), access).unwrap();
        let bases: Vec<_> = (0..9).map(open).collect();
        for (n, base) in bases.iter().enumerate() {
            base.write(3, &[n as u8; 5]).unwrap();
        }
        let held = bases.iter().filter(|base| base.file.lock().is_some()).count();
        assert_eq!((held, OPEN.load(Ordering::Relaxed)), (2, 2));
        for (n, base) in bases.iter().enumerate() {
            let mut into = [9; 6];
            assert_eq!(base.read_into(4, &mut into).unwrap(), 4);
            assert_eq!(into, [n as u8, n as u8, n as u8, n as u8, 0, 0]);
            assert_eq!(base.length().unwrap(), 8);
        }
        bases[0].truncate(1).unwrap();
        bases[0].sync().unwrap();
        assert_eq!(std::fs::read(dir.path().join("0")).unwrap(), [0]);
        drop(bases);
        assert_eq!(OPEN.load(Ordering::Relaxed), 0);
        open(1).write(0, &[7]).unwrap();
        assert!(HELD.lock().len() <= FEWEST);
    }

    #[test]
    fn a_file_that_was_removed_meanwhile_is_not_made_anew() {
        let (_alone, dir) = (ALONE.lock(), tempfile::tempdir().unwrap());
        let path = dir.path().join("a");
        let access = Access { write: true, create: true, exclusive: false };
        let base = Base::open(path.clone(), access).unwrap();
        base.file.lock().take();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(base.write(0, &[1]).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(!path.exists());
    }
}
