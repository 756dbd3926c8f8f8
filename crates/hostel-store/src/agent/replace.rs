//! Deleting a database durably, and rebuilding one after a failed sync.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rusqlite::Connection;

use super::open::{Open, absent_is_fine};
use super::query::allow_attaching;
use super::{AgentDb, Slot};
use crate::Error;
use crate::durability::sync_dir;
use crate::layout::{relative, wal_of};

impl AgentDb {
    /// Deletes the agent's data. After this returns, not even a power cut brings it back.
    ///
    /// # Errors
    ///
    /// If the file system refuses. Until the deletion is complete the data is either whole or gone.
    pub fn destroy(mut self) -> Result<(), Error> {
        self.rollback()?;
        self.load(&mut self.slot.borrow_mut())?;
        let Slot::Open(open) = self.slot.replace(Slot::Absent) else { return Ok(()) };
        let claim = open.abandon();
        let gone = if self.store.in_memory { Ok(()) } else { self.remove_durably() };
        drop(claim);
        gone.map_err(|e| Error::io(&self.subject(), "deleting its database", e))
    }

    /// The file leaves its place first: a log without its file is never replayed, a file without its log
    /// would be an older agent.
    fn remove_durably(&self) -> io::Result<()> {
        let shard = self.path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let leaving = self.store.layout.temporary().join(format!("{}.gone", file_name(&self.path)));
        fs::rename(&self.path, &leaving)?;
        sync_dir(shard)?;
        fs::remove_file(wal_of(&self.path)).or_else(absent_is_fine)?;
        fs::remove_file(&leaving)?;
        sync_dir(shard)
    }

    /// Writes the database afresh after a failed sync. What the kernel still holds of the old files may be
    /// marked clean without being on disk, so everything is copied into a new file and synced there. The
    /// committed turns are kept, acknowledged or not; an unfinished turn is undone.
    ///
    /// # Errors
    ///
    /// If the copy cannot be made or put in place; the old files are then still there, and it may be tried
    /// again.
    pub fn rebuild(&mut self) -> Result<(), Error> {
        self.rollback()?;
        self.load(&mut self.slot.borrow_mut())?;
        let Slot::Open(open) = self.slot.replace(Slot::Unopened) else { return Ok(()) };
        if self.store.in_memory {
            return open.close();
        }
        let fresh = self.store.blank()?.unfinished();
        let copied = copy_into(&open, &fresh);
        if let Err(e) = copied {
            fs::remove_file(&fresh).or_else(absent_is_fine).unwrap_or_default();
            let error = open.failed("rebuilding its database", e);
            *self.slot.get_mut() = Slot::Open(open);
            return Err(error);
        }
        let claim = open.abandon();
        let placed = self.put_in_place(&fresh);
        drop(claim);
        placed.map_err(|e| Error::io(&self.subject(), "putting its rebuilt database in place", e))
    }

    /// From the moment the copy is in the directory of rebuilt files the old log is void; a start after a
    /// power cut finishes what is written there.
    fn put_in_place(&self, fresh: &Path) -> io::Result<()> {
        let waiting_room = self.store.layout.rebuilt();
        let waiting = waiting_room.join(relative(&self.key).replace('/', "!"));
        fs::rename(fresh, &waiting)?;
        sync_dir(&waiting_room)?;
        finish_rebuild(&waiting, &self.path)
    }
}

/// Moves a rebuilt file to its place, where its predecessor's log is removed first.
fn finish_rebuild(waiting: &Path, place: &Path) -> io::Result<()> {
    let shard = place.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(shard)?;
    fs::remove_file(wal_of(place)).or_else(absent_is_fine)?;
    sync_dir(shard)?;
    fs::rename(waiting, place)?;
    sync_dir(shard)
}

/// On start: finishes rebuilds that a crash interrupted.
pub(crate) fn finish_rebuilds(waiting_room: &Path, root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(waiting_room)? {
        let waiting = entry?.path();
        let place = root.join(file_name(&waiting).replace('!', "/"));
        tracing::warn!(file = %place.display(), "finishing an interrupted rebuild");
        finish_rebuild(&waiting, &place)?;
    }
    Ok(())
}

fn copy_into(open: &Open, fresh: &Path) -> rusqlite::Result<()> {
    allow_attaching(open.conn())?;
    open.conn().execute("/*hostel*/ VACUUM INTO ?1", [fresh.to_string_lossy()])?;
    let copy = Connection::open(fresh)?;
    copy.execute_batch("PRAGMA journal_mode=WAL;")?;
    copy.close().map_err(|(_, e)| e)?;
    File::open(fresh).and_then(|file| file.sync_all()).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
