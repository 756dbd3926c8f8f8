//! One agent's database, and the turn that is going on in it.

pub(crate) mod children;
mod group;
pub(crate) mod idempotency;
mod install;
mod lazy;
mod open;
mod query;
mod replace;
pub(crate) mod runs;
pub(crate) mod tasks;
mod turn;

use std::cell::RefCell;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::durability::{Commit, SyncHandle};
use crate::store::Inner;
use crate::{AgentKey, Cause, Error};

pub use group::Kept;
pub(crate) use install::LARGEST as LARGEST_IMAGE;
pub(crate) use open::EMPTY;
use open::Open;
pub(crate) use turn::now_ms;

/// The database of one agent. It belongs to one thread at a time, opens its file on first use and creates
/// it on the first write.
///
/// A turn is a transaction: writes after [`begin`](Self::begin) are kept by [`commit`](Self::commit) or
/// undone by [`rollback`](Self::rollback). Dropping the database undoes an unfinished turn.
#[derive(Debug)]
pub struct AgentDb {
    store: Arc<Inner>,
    key: AgentKey,
    path: PathBuf,
    slot: RefCell<Slot>,
    deadline: Option<Instant>,
    /// Why the turn is done, packed; the room is used again.
    cause: Vec<u8>,
}

/// Whether the database is open, and if not, what is known.
#[derive(Debug)]
enum Slot {
    Unopened,
    /// Looked, and there was nothing.
    Absent,
    Open(Box<Open>),
}

/// What opening does about a file that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Absent {
    Create,
    Refuse,
}

impl AgentDb {
    pub(crate) fn new(store: Arc<Inner>, key: AgentKey) -> Self {
        let path = store.layout.database(&key);
        Self { store, key, path, slot: RefCell::new(Slot::Unopened), deadline: None, cause: Vec::new() }
    }

    /// Whose database this is.
    pub fn key(&self) -> &AgentKey {
        &self.key
    }

    /// The state as JSON text, `None` if it was never set.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read, or is not this agent's.
    pub fn state(&self) -> Result<Option<Arc<str>>, Error> {
        self.read(|open| open.state())
    }

    /// When the agent wants to be woken, in Unix milliseconds.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read, or is not this agent's.
    pub fn alarm(&self) -> Result<Option<i64>, Error> {
        self.read(|open| Ok(open.alarm()))
    }

    /// Whether anything was ever committed for this agent (or written in the current turn). `false` also if
    /// the file cannot be read; [`state`](Self::state) says why.
    pub fn is_created(&self) -> bool {
        self.read(|open| Ok(Some(open.is_created()))).ok().flatten().unwrap_or(false)
    }

    /// Begins a turn. Costs nothing: the transaction starts at the first write or query. Doing it twice is
    /// the same as once.
    ///
    /// # Errors
    ///
    /// If an earlier sync failed, so that the database has to be rebuilt first.
    pub fn begin(&mut self) -> Result<(), Error> {
        match self.slot.get_mut() {
            Slot::Open(open) => {
                open.check_usable()?;
                if open.is_idle() { open.relieve_log() } else { Ok(()) }
            }
            Slot::Unopened | Slot::Absent => Ok(()),
        }
    }

    /// Copies what was written into the agent's file, if the journal has asked for that and all of it is durable. A turn that
    /// begins does the same; this is for an agent that stays open without turns. In a turn it does nothing.
    ///
    /// # Errors
    ///
    /// If SQLite's log has become too long and cannot be synced.
    pub fn keep_up(&mut self) -> Result<(), Error> {
        match self.slot.get_mut() {
            Slot::Open(open) if open.is_idle() => open.relieve_log(),
            _ => Ok(()),
        }
    }

    /// Replaces the state.
    ///
    /// # Errors
    ///
    /// If the write fails; the turn is then to be rolled back.
    pub fn set_state(&mut self, json: &str) -> Result<(), Error> {
        self.writable()?.set_state(json)
    }

    /// Sets or clears the alarm kept with the agent. The node's register is
    /// [`Store::register_alarm`](crate::Store::register_alarm).
    ///
    /// # Errors
    ///
    /// If the write fails; the turn is then to be rolled back.
    pub fn set_alarm(&mut self, at_ms: Option<i64>) -> Result<(), Error> {
        self.writable()?.set_alarm(at_ms)
    }

    /// Makes the database, with nothing in it, if there is none. Belongs to the turn.
    ///
    /// # Errors
    ///
    /// If the write fails; the turn is then to be rolled back.
    pub fn create(&mut self) -> Result<(), Error> {
        self.writable().map(drop)
    }

    /// Whether a transaction is under way: the turn has written, or run SQL of its own.
    pub fn is_writing(&self) -> bool {
        matches!(&*self.slot.borrow(), Slot::Open(open) if !open.is_idle())
    }

    /// Says why the turn is done, for the history. Holds until the turn is committed or undone.
    pub fn set_cause(&mut self, cause: Cause<'_>) {
        cause.encode(&mut self.cause);
    }

    /// From now on the agent's own SQL is interrupted at this moment; `None` lets it run.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Keeps what the turn wrote, and hands over what was [held](Self::hold) before it. `None` if there was nothing. The
    /// result is visible in this process at
    /// once and is on its way to the journal; it survives a crash and the loss of power when
    /// [`make_durable`](crate::make_durable) or [`Store::submit`](crate::Store::submit) says so.
    ///
    /// # Errors
    ///
    /// If SQLite cannot write; then nothing of the turn is kept.
    pub fn commit(&mut self) -> Result<Option<Commit>, Error> {
        self.keep(false).map(|kept| match kept {
            Kept::Committed(commit) => Some(commit),
            Kept::Nothing | Kept::Held => None,
        })
    }

    fn keep(&mut self, hold: bool) -> Result<Kept, Error> {
        let kept = match self.slot.get_mut() {
            Slot::Open(open) => open.keep(&self.cause, hold),
            Slot::Unopened | Slot::Absent => Ok(Kept::Nothing),
        };
        self.cause.clear();
        if kept.is_err() {
            self.rollback()?;
        }
        kept
    }

    /// Undoes the turn: the database is as it was before [`begin`](Self::begin). Without a turn this does
    /// nothing.
    ///
    /// # Errors
    ///
    /// None in practice: if SQLite cannot roll back, the connection is closed, which does it.
    pub fn rollback(&mut self) -> Result<(), Error> {
        self.cause.clear();
        let slot = self.slot.get_mut();
        let Slot::Open(open) = slot else { return Ok(()) };
        let clean = open.rollback();
        if clean && !open.is_unused() {
            return Ok(());
        }
        if let Slot::Open(open) = std::mem::replace(slot, Slot::Unopened) {
            self.discard(*open);
        }
        Ok(())
    }

    /// A handle that makes everything committed so far durable. `None` if nothing was written since the
    /// database was opened.
    pub fn sync_handle(&self) -> Option<SyncHandle> {
        match &*self.slot.borrow() {
            Slot::Open(open) => open.sync_handle(),
            Slot::Unopened | Slot::Absent => None,
        }
    }

    /// Closes the file, keeping the handle: the next use opens it again. An unfinished turn is undone.
    ///
    /// # Errors
    ///
    /// None in practice: what was committed is in the log, whether or not closing tidied it up.
    pub fn release(&mut self) -> Result<(), Error> {
        self.rollback()?;
        match self.slot.replace(Slot::Unopened) {
            Slot::Open(open) => open.close(),
            Slot::Unopened | Slot::Absent => Ok(()),
        }
    }

    /// Closes the database. An unfinished turn is undone.
    ///
    /// # Errors
    ///
    /// As [`release`](Self::release).
    pub fn close(mut self) -> Result<(), Error> {
        self.release()
    }

    /// Reads something if there is a database; never creates one.
    fn read<T>(&self, read: impl FnOnce(&mut Open) -> Result<Option<T>, Error>) -> Result<Option<T>, Error> {
        let mut slot = self.slot.borrow_mut();
        self.load(&mut slot)?;
        match &mut *slot {
            Slot::Open(open) => read(open),
            Slot::Unopened | Slot::Absent => Ok(None),
        }
    }

    /// Opens what is there.
    fn load(&self, slot: &mut Slot) -> Result<(), Error> {
        if !matches!(slot, Slot::Unopened) {
            return Ok(());
        }
        *slot = if self.exists()? { Slot::Open(Box::new(self.open(Absent::Refuse)?)) } else { Slot::Absent };
        Ok(())
    }

    fn open(&self, absent: Absent) -> Result<Open, Error> {
        if let Some(keeper) = &self.store.keeper {
            keeper.check(&self.key)?;
        }
        let (claim, parked) = self.store.registry.claim(&self.key)?;
        if let Some(conn) = parked {
            return Open::resume(&self.store, &self.key, conn, claim);
        }
        if self.store.in_memory {
            return Open::memory(&self.store, &self.key, claim);
        }
        // Only now, when nobody else can be doing the same.
        let fresh = absent == Absent::Create && !self.exists()?;
        if fresh {
            let placed = self.store.blank()?.place(&self.path);
            placed.map_err(|e| Error::io(&self.subject(), "creating its database", e))?;
        }
        let mut open = Open::file(&self.store, &self.key, &self.path, claim)?;
        open.fresh = fresh;
        Ok(open)
    }

    fn exists(&self) -> Result<bool, Error> {
        if self.store.in_memory {
            return Ok(self.store.registry.is_known(&self.key));
        }
        self.store.check_stale(&self.key)?;
        match fs::metadata(&self.path) {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(Error::io(&self.subject(), "looking for its database", e)),
        }
    }

    /// The open database inside its transaction, created if need be.
    fn writable(&mut self) -> Result<&mut Open, Error> {
        self.put_unwritten_aside()?;
        if !matches!(self.slot.get_mut(), Slot::Open(_)) {
            let open = self.open(Absent::Create)?;
            *self.slot.get_mut() = Slot::Open(Box::new(open));
        }
        match self.slot.get_mut() {
            Slot::Open(open) => {
                open.ensure_transaction()?;
                Ok(open)
            }
            Slot::Unopened | Slot::Absent => unreachable!("opened above"),
        }
    }

    /// A file without a committed turn makes room for a blank one: only of that one is every page known, as the first
    /// record in the journal needs.
    fn put_unwritten_aside(&mut self) -> Result<(), Error> {
        let Slot::Open(open) = self.slot.get_mut() else { return Ok(()) };
        if open.fresh || open.path.is_none() || open.is_created() || !open.is_idle() {
            return Ok(());
        }
        if let Slot::Open(open) = self.slot.replace(Slot::Unopened) {
            open.remove_files().map_err(|e| Error::io(&self.subject(), "creating its database", e))?;
        }
        Ok(())
    }

    /// Drops a connection whose turn did not end well. A file that was put there for this turn goes too.
    fn discard(&self, open: Open) {
        if !open.is_unused() {
            return drop(open);
        }
        if let Err(error) = open.remove_files() {
            tracing::warn!(agent = %self.key, %error, "an unused database file stays behind");
        }
    }

    fn subject(&self) -> String {
        format!("agent {}", self.key)
    }
}

impl Drop for AgentDb {
    fn drop(&mut self) {
        if let Err(error) = self.release() {
            tracing::warn!(agent = %self.key, %error, "closing a database");
        }
    }
}
