//! The three seams behind which another machine may stand one day. Today's implementations are local.

use std::io;

use crate::disk::{Disk, DiskFile, read_all};
use crate::journal::Ticket;
use crate::{DIR, Entry, Epoch, Lsn};

/// Who may write.
pub trait LeaseStore {
    /// Takes the lease under a greater epoch than anybody had before; durable when it returns.
    ///
    /// # Errors
    /// If the lease cannot be read or written.
    fn acquire(&self) -> io::Result<Lease>;

    /// Remembers how far the log has come, for a start that finds no log.
    ///
    /// # Errors
    /// If the lease cannot be written.
    fn record(&self, lease: Lease) -> io::Result<()>;
}

/// Where committed turns go.
pub trait CommitLog: Send + Sync {
    /// Queues a turn. The ticket is told when it is durable, or that it will never be. Turns are taken in the order of
    /// the calls. An entry whose epoch is not the one in force is refused by the log.
    fn append(&self, entry: Entry, ticket: Box<dyn Ticket>);

    /// Waits until everything queued so far is settled.
    fn flush(&self);
}

/// Where the bases are that the log builds upon.
pub trait SnapshotStore {
    /// Lays pages over an agent's base, of `db_pages` pages afterwards; creates it first if `whole`.
    ///
    /// # Errors
    /// `NotFound` if there is no base and the pages are not the whole of it.
    fn lay(&self, base: &str, page_size: u32, db_pages: u32, whole: bool, pages: &[(u32, Vec<u8>)]) -> io::Result<()>;

    /// Removes a base, with all that belongs to it.
    ///
    /// # Errors
    /// If it cannot be removed.
    fn discard(&self, base: &str) -> io::Result<()>;

    /// Makes these bases durable, and the absence of those that are not there.
    ///
    /// # Errors
    /// If anything of them could not be made durable.
    fn make_durable(&self, bases: &[String]) -> io::Result<()>;
}

/// A lease, and how far the log has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Lease {
    /// The number of the lease.
    pub epoch: Epoch,
    /// The last record known when it was taken or given back.
    pub lsn: Lsn,
    /// The greatest number of a segment.
    pub segment: u64,
}

/// The lease as a file in the log's directory. Exclusion is the business of the lock on the data directory; this makes the
/// epochs rise.
#[derive(Clone, Debug)]
pub struct LocalLease<D>(pub D);

const PATH: &str = "journal/lease";
const NEW: &str = "journal/lease.new";

impl<D: Disk> LocalLease<D> {
    /// The lease as it is; `None` if there was never one.
    ///
    /// # Errors
    /// `InvalidData` if it is damaged, and if it cannot be read.
    pub fn look(&self) -> io::Result<Option<Lease>> {
        match self.0.open(PATH) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            _ => self.read().map(Some),
        }
    }

    fn read(&self) -> io::Result<Lease> {
        let file = match self.0.open(PATH) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Lease::default()),
            file => file?,
        };
        let text = String::from_utf8_lossy(&read_all(&file)?).into_owned();
        parse(&text).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "journal/lease is damaged; remove it only if the journal is empty",
            )
        })
    }
}

fn format(lease: Lease) -> String {
    let facts = format!("epoch {} lsn {} segment {}", lease.epoch, lease.lsn, lease.segment);
    format!("{facts} sum {:08x}\n", crc32fast::hash(facts.as_bytes()))
}

fn parse(text: &str) -> Option<Lease> {
    let mut words = text.split_whitespace();
    let mut number = |label: &str| (words.next()? == label).then(|| words.next()?.parse().ok()).flatten();
    let lease = Lease { epoch: number("epoch")?, lsn: number("lsn")?, segment: number("segment")? };
    (format(lease) == text).then_some(lease)
}

impl<D: Disk> LeaseStore for LocalLease<D> {
    fn acquire(&self) -> io::Result<Lease> {
        self.0.create_dir(DIR)?;
        let before = self.read()?;
        let lease = Lease { epoch: before.epoch + 1, ..before };
        self.record(lease)?;
        self.0.sync_dir("")?;
        Ok(lease)
    }

    fn record(&self, lease: Lease) -> io::Result<()> {
        self.0.remove(NEW)?;
        let file = self.0.create(NEW, 0)?;
        file.write_at(0, format(lease).as_bytes())?;
        file.sync()?;
        self.0.rename(NEW, PATH)?;
        self.0.sync_dir(DIR)
    }
}
