//! The log of a database that was closed before it could be copied into its file: kept in memory for the next opening.

use std::io;
use std::sync::Arc;

use hostel_vfs::{Log, Offer};
use rusqlite::Connection;

use crate::capture::Capture;

/// Such a log, and how much of it is durable in the journal.
#[derive(Clone, Debug)]
pub(crate) struct KeptLog {
    log: Arc<Log>,
    end: u64,
}

impl KeptLog {
    /// The log of `conn` up to `end`; `None` if nothing of it is durable.
    pub(crate) fn of(conn: &Connection, end: u64) -> Option<Self> {
        let log = hostel_vfs::log_of(conn).filter(|_| end > 0)?;
        Some(Self { log, end })
    }

    /// Has the next opening begin with it: with what is durable of it.
    pub(crate) fn offer(&self) -> io::Result<Offer> {
        self.log.offer(self.end)
    }

    /// Follows it from its end on; `conn` was opened with it.
    pub(crate) fn follow(&self, conn: &mut Connection) -> io::Result<Capture> {
        Capture::of_kept(Arc::clone(&self.log), self.end, conn)
    }

    /// Where it ends.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// How many frames it has, of a database with such pages.
    pub(crate) fn frames(&self, page_size: u32) -> u64 {
        self.end.saturating_sub(32) / (u64::from(page_size) + 24)
    }
}
