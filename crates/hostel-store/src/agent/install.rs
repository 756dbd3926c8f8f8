//! Putting an image in a database's place, and taking one.

use std::fs::{self, File};
use std::io::{self, Read};
use std::sync::Arc;

use hostel_journal::{CommitLog, Entry, EntryHead, Kind, points};

use super::open::absent_is_fine;
use super::{AgentDb, Slot};
use crate::durability::{SyncHandle, sync_dir};
use crate::keeper::Keeper;
use crate::layout::{identify, relative, wal_of};
use crate::{Cause, Error, ErrorKind, Image};

/// An image is one record of the journal, which holds no more.
pub(crate) const LARGEST: u64 = (1 << 30) - (16 << 20);

impl AgentDb {
    /// Puts an image in the place of the database, whatever that was: absent, damaged or in use until now. It is a turn of
    /// its own in the history. When this returns it is durable, and the next use of this handle opens the new database. An
    /// unfinished turn is undone. Blocks, and must not be called on the journal's thread.
    ///
    /// # Errors
    ///
    /// `storage_corrupt` if the image is not this agent's, its tables of ours are not as we make them (see
    /// [`Image::rename_to`]) or it is no whole database, `history_off` in
    /// memory, `storage_full` if it is larger than a record may be, and if the journal or the file system refuses. The
    /// database is as it was then, except if the error says that a restart is due: then the image is in the journal,
    /// durably, and could not be put in place.
    pub fn replace(&mut self, image: Image, cause: Cause<'_>) -> Result<(), Error> {
        let Some(keeper) = self.store.keeper.clone() else { return Err(self.in_memory()) };
        self.check_image(&image)?;
        image.take_in()?;
        self.release()?;
        let (claim, _) = self.store.registry.claim(&self.key)?;
        let file = File::open(image.path()).and_then(|file| file.sync_all().map(|()| file));
        let file = file.map_err(|e| Error::io(&self.subject(), "writing its image", e))?;
        self.record_whole(&keeper, &image, &file, cause)?;
        let placed = self.put_in_place(image);
        if let Err(error) = placed {
            self.store.stale.lock().insert(relative(&self.key));
            let error = Error::io(&self.subject(), "putting its image in place", error);
            return Err(
                error.with_remedy("the image is safe in the journal; restart the server to have it put in place")
            );
        }
        keeper.dirt.lock().copied(identify(&self.key));
        keeper.healed(&self.key).map_err(|e| Error::io(&self.subject(), "noting that it is whole again", e))?;
        drop(claim);
        Ok(())
    }

    fn check_image(&self, image: &Image) -> Result<(), Error> {
        image.check_ours()?;
        if image.identity()?.as_ref() != Some(&self.key) {
            let message = format!("{}: the image is of another agent; rename it first", self.subject());
            return Err(Error::new(ErrorKind::Corrupt, message));
        }
        if image.bytes() > LARGEST {
            let message = format!(
                "{}: the image has {} bytes, and the journal takes at most {LARGEST} at once; delete what is not needed and try again",
                self.subject(),
                image.bytes()
            );
            return Err(Error::new(ErrorKind::Full, message));
        }
        image.page_size().map(drop)
    }

    /// One record with every page; durable when this returns.
    fn record_whole(&self, keeper: &Arc<Keeper>, image: &Image, file: &File, cause: Cause<'_>) -> Result<(), Error> {
        keeper.accepts()?;
        let page_size = image.page_size()?;
        let mut bytes = Vec::new();
        let mut file = file;
        file.read_to_end(&mut bytes).map_err(|e| Error::io(&self.subject(), "reading its image", e))?;
        let pages = bytes.chunks_exact(page_size as usize);
        let mut packed = Vec::new();
        cause.encode(&mut packed);
        let head = EntryHead {
            agent: identify(&self.key),
            namespace: self.key.namespace(),
            name: self.key.name(),
            epoch: keeper.journal.epoch(),
            kind: Kind::Create,
            time_ms: super::turn::now_ms(),
            cause: &packed,
            page_size,
            db_pages: pages.len() as u32,
        };
        let entry = Entry::new(&head, (1..).zip(pages));
        drop(bytes);
        let sync = SyncHandle::new(self.key.clone(), Some(keeper));
        let (_, ticket) = sync.committed(head.agent, 0, &keeper.dirt);
        keeper.journal.append(entry, ticket);
        sync.sync()
    }

    /// From here on a start would do the same from the record.
    fn put_in_place(&self, image: Image) -> io::Result<()> {
        let shard = self.path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        fs::create_dir_all(shard)?;
        points::pass("replace")?;
        image.put_at(&self.path)?;
        points::pass("replaced")?;
        self.store.cuts.lock().remove(&relative(&self.key));
        fs::remove_file(wal_of(&self.path)).or_else(absent_is_fine)?;
        sync_dir(shard)
    }

    /// The database as it is, everything committed included, as a file of its own. Waits until all of it is durable; an
    /// unfinished turn is undone.
    ///
    /// # Errors
    ///
    /// `agent_not_found` if nothing was ever committed, `history_off` in memory, and if the journal or the file system
    /// refuses.
    pub fn image(&mut self) -> Result<Image, Error> {
        if self.store.keeper.is_none() {
            return Err(self.in_memory());
        }
        self.rollback()?;
        self.load(&mut self.slot.borrow_mut())?;
        match self.slot.get_mut() {
            Slot::Open(open) if open.is_created() => open.empty_log()?,
            _ => return Err(Error::new(ErrorKind::NotFound, format!("{}: there is no such agent", self.subject()))),
        }
        self.store.copy_of(&self.key)
    }

    fn in_memory(&self) -> Error {
        let message =
            format!("{}: a store in memory keeps no history and no files; use a data directory", self.subject());
        Error::new(ErrorKind::HistoryOff, message)
    }
}
