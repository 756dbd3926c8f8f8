//! Deleting a database durably, and going back to what is durable after a failure.

use std::fs;
use std::io;
use std::sync::Arc;

use hostel_journal::{CommitLog, Entry, EntryHead, Kind, points};

use super::open::{Open, absent_is_fine};
use super::{AgentDb, Slot};
use crate::durability::SyncHandle;
use crate::keeper::Keeper;
use crate::layout::{identify, wal_of};
use crate::{Error, ErrorKind};

impl AgentDb {
    /// Deletes the agent's data, a damaged file as well. After this returns, not even a power cut brings it back. Blocks for a
    /// sync.
    ///
    /// # Errors
    ///
    /// If the journal or the file system refuses. Until the deletion is complete the data is either whole or gone.
    pub fn destroy(mut self) -> Result<(), Error> {
        self.rollback()?;
        let loaded = self.load(&mut self.slot.borrow_mut());
        let open = match (loaded, self.slot.replace(Slot::Absent)) {
            (Ok(()), Slot::Open(open)) => Some(open),
            (Ok(()), _) => return Ok(()),
            (Err(error), _) if error.kind() == ErrorKind::Corrupt => None,
            (Err(error), _) => return Err(error),
        };
        let Some(keeper) = self.store.keeper.clone() else {
            drop(open.map(|open| open.abandon()));
            return Ok(());
        };
        // What cannot be read was something, and its end is recorded.
        let created = open.as_deref().is_none_or(Open::is_created);
        drop(open);
        let (claim, _) = self.store.registry.claim(&self.key)?;
        if created {
            self.record_end(&keeper)?;
        }
        points::pass("destroy").map_err(|e| Error::io(&self.subject(), "deleting its database", e))?;
        let gone = self.remove();
        if gone.is_ok() {
            keeper.dirt.lock().copied(identify(&self.key));
        }
        drop(claim);
        gone.map_err(|e| Error::io(&self.subject(), "deleting its database", e))
    }

    /// First the record, then the files: in between, a start would delete them from the record.
    fn record_end(&self, keeper: &Arc<Keeper>) -> Result<(), Error> {
        keeper.accepts()?;
        let agent = identify(&self.key);
        let head = EntryHead {
            agent,
            namespace: self.key.namespace(),
            name: self.key.name(),
            epoch: keeper.journal.epoch(),
            kind: Kind::Destroy,
            time_ms: super::turn::now_ms(),
            cause: &[],
            page_size: 0,
            db_pages: 0,
        };
        let sync = SyncHandle::new(self.key.clone(), Some(keeper));
        let (_, ticket) = sync.committed(agent, 0, &keeper.dirt);
        keeper.journal.append(Entry::new(&head, std::iter::empty()), ticket);
        sync.sync()
    }

    fn remove(&self) -> io::Result<()> {
        self.store.cuts.lock().remove(&crate::layout::relative(&self.key));
        fs::remove_file(&self.path).or_else(absent_is_fine)?;
        fs::remove_file(wal_of(&self.path)).or_else(absent_is_fine)
    }

    /// Goes back to what is durable, after the journal has failed: commits that were not acknowledged are undone, as is an
    /// unfinished turn.
    ///
    /// # Errors
    ///
    /// If what is durable cannot be read; a restart then restores it from the journal.
    pub fn rebuild(&mut self) -> Result<(), Error> {
        self.release()?;
        self.load(&mut self.slot.borrow_mut())
    }
}
