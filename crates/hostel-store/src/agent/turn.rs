//! The transaction of a turn, from its first statement to its commit or its undoing.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use hostel_journal::{CommitLog, Entry, EntryHead, Failure, Kind, points};
use hostel_vfs::Log;
use rusqlite::{Connection, TransactionState};

use super::open::{Open, subject};
use crate::capture::{Capture, Frames};
use crate::connect;
use crate::durability::{Commit, SyncHandle};
use crate::keeper::Keeper;
use crate::{Error, ErrorKind};

const INTRODUCE: &str = "/*hostel*/ INSERT INTO hostel_meta (id, namespace, name) VALUES (1, ?1, ?2)";

/// SQLite's log, which is in memory, is copied into the file when it has this many bytes and all of it is durable.
const LONG: u64 = 60 << 10;
/// With this many, the turn waits until it is durable.
const TOO_LONG: u64 = 1 << 20;

/// Where the turn stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Idle,
    Open,
    /// SQLite has undone the transaction by itself (a full disk, an interrupt).
    Undone(ErrorKind),
}

/// What a rollback brings back, besides the rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) created: bool,
    pub(super) alarm: Option<i64>,
    /// It has, or had, sub-agents.
    pub(super) children: bool,
}

impl Open {
    /// Refuses turns on a database whose sync failed.
    pub(crate) fn check_usable(&self) -> Result<(), Error> {
        match &self.sync {
            Some(sync) if sync.has_failed() => Err(self.refuse(
                ErrorKind::Failed,
                "an earlier commit could not be made durable; the database must be rebuilt before it is written again",
            )),
            _ => Ok(()),
        }
    }

    /// Whether no transaction is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.turn == Turn::Idle
    }

    /// Starts the transaction of this turn if it has not started.
    pub(crate) fn ensure_transaction(&mut self) -> Result<(), Error> {
        match self.turn {
            Turn::Open => return Ok(()),
            Turn::Undone(kind) => return Err(self.undone(kind)),
            Turn::Idle => self.check_usable()?,
        }
        self.prepare_log()?;
        self.before = self.facts;
        self.conn()
            .prepare_cached("/*hostel*/ BEGIN")
            .and_then(|mut s| s.raw_execute())
            .map_err(|e| self.failed("beginning a turn", e))?;
        self.turn = Turn::Open;
        if !self.facts.created {
            let (namespace, name) = (self.key.namespace().to_owned(), self.key.name().to_owned());
            self.run("writing its identity", |conn| conn.execute(INTRODUCE, [namespace, name]))?;
            self.facts.created = true;
        }
        Ok(())
    }

    /// Before a transaction: gets hold of SQLite's log, and copies it into the file when it is due.
    fn prepare_log(&mut self) -> Result<(), Error> {
        let Some(path) = self.path.clone() else { return Ok(()) };
        if self.sync.is_some() {
            return self.relieve_log();
        }
        let log = self.open_log(&path)?;
        if log.length() != 0 {
            return Err(
                self.refuse(ErrorKind::Failed, "SQLite's log is not empty after opening; close it and try again")
            );
        }
        let following = Capture::of_empty(log, self.conn_mut());
        self.capture = Some(following.map_err(|e| self.failed("beginning a turn", e))?);
        self.tide = self.tide_now();
        self.sync = Some(SyncHandle::new(self.key.clone(), self.store.keeper.as_ref()));
        Ok(())
    }

    pub(super) fn tide_now(&self) -> u64 {
        self.store.keeper.as_ref().map_or(0, |keeper| keeper.tide.load(Ordering::Acquire))
    }

    /// Copies SQLite's log into the file if it is long, or the keeper has asked for it. Only between turns, and only when
    /// all of it is durable in the journal: rule 3. So not while turns are held.
    pub(crate) fn relieve_log(&mut self) -> Result<(), Error> {
        let (Some(capture), Some(sync)) = (&self.capture, &self.sync) else { return Ok(()) };
        if !self.held.is_empty() {
            return Ok(());
        }
        let (length, tide) = (capture.end(), self.tide_now());
        if length == 0 || (length < LONG && tide == self.tide) {
            return Ok(());
        }
        if length >= TOO_LONG {
            sync.sync()?;
        }
        if !sync.is_settled() {
            return Ok(());
        }
        match connect::checkpoint(self.conn()) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            // The log stays as it is, and with it all that was committed; but it must not grow for ever.
            Err(error) => {
                tracing::warn!(agent = %self.key, %error, "SQLite's log could not be copied into the file");
                let stuck = (length >= TOO_LONG).then(|| self.failed("copying its log into the file", error));
                self.stuck = stuck;
                return Ok(());
            }
        }
        self.stuck = None;
        sync.log_emptied();
        if let Some(keeper) = &self.store.keeper {
            keeper.dirt.lock().copied(self.agent);
        }
        self.tide = tide;
        if let Some(capture) = &mut self.capture {
            capture.emptied();
        }
        Ok(())
    }

    /// Waits until everything is durable, and copies SQLite's log into the file.
    pub(crate) fn empty_log(&mut self) -> Result<(), Error> {
        self.journal_held()?;
        let Some(sync) = &self.sync else { return Ok(()) };
        sync.sync()?;
        self.tide = self.tide_now().wrapping_sub(1);
        self.relieve_log()?;
        match &self.capture {
            Some(capture) if capture.end() > 0 => {
                Err(self.refuse(ErrorKind::Locked, "its log could not be copied into its file now; try again"))
            }
            _ => Ok(()),
        }
    }

    /// The log exists as soon as SQLite has read the file, unless some tool has switched its journal mode.
    fn open_log(&self, database: &Path) -> Result<Arc<Log>, Error> {
        if let Some(log) = hostel_vfs::log_of(self.conn()) {
            return Ok(log);
        }
        let switched = self.conn().execute_batch("PRAGMA journal_mode=WAL; SELECT 1 FROM sqlite_schema LIMIT 1;");
        switched.map_err(|e| self.failed("opening its log", e))?;
        // The switch is in the file itself, where the journal does not see it.
        let synced = File::open(database).and_then(|file| file.sync_all());
        synced.map_err(|e| Error::io(&subject(&self.key), "opening its log", e))?;
        hostel_vfs::log_of(self.conn())
            .ok_or_else(|| self.refuse(ErrorKind::Failed, "SQLite has opened no log for it; close it and try again"))
    }

    /// Ends the transaction; `true` if it wrote. On an error the caller rolls back.
    pub(super) fn commit_in_sqlite(&mut self) -> Result<bool, Error> {
        match self.turn {
            Turn::Idle => return Ok(false),
            Turn::Undone(kind) => return Err(self.undone(kind)),
            Turn::Open => {}
        }
        let wrote = self.conn().transaction_state(Some("main")).is_ok_and(|state| state == TransactionState::Write);
        if wrote {
            self.store.accepts()?;
            if let Some(why) = &self.stuck {
                return Err(why.again());
            }
        }
        let committed = self.conn().prepare_cached("/*hostel*/ COMMIT").and_then(|mut s| s.raw_execute());
        committed.map_err(|e| self.failed("committing a turn", e))?;
        self.turn = Turn::Idle;
        Ok(wrote)
    }

    /// Hands `commits` that were made and not handed over yet to the journal, as one record. If SQLite found that nothing
    /// had changed, the commit is the one before. If they cannot be read, they are as lost as if they could not be written.
    pub(super) fn journal(&mut self, cause: &[u8], commits: u32) -> Result<Commit, Error> {
        let Some(mut capture) = self.capture.take() else { return Ok(Commit::immediate()) };
        let commit = self.journal_from(&mut capture, cause, commits);
        self.capture = Some(capture);
        commit
    }

    fn journal_from(&self, capture: &mut Capture, cause: &[u8], commits: u32) -> Result<Commit, Error> {
        let (Some(keeper), Some(sync)) = (&self.store.keeper, &self.sync) else { return Ok(Commit::immediate()) };
        match points::pass("capture").and_then(|()| capture.read_commits(commits)) {
            Ok(None) => Ok(sync.latest()),
            Ok(Some(frames)) => {
                let (number, ticket) = sync.committed(self.agent, frames.end, &keeper.dirt);
                keeper.journal.append(self.entry(keeper, cause, &frames), ticket);
                if points::armed("sabotage-gate") {
                    return Ok(Commit::immediate());
                }
                Ok(Commit::pending(sync.clone(), number))
            }
            Err(error) => {
                sync.fail(Failure { kind: error.kind(), message: error.to_string().into() });
                Err(Error::io(&subject(&self.key), "reading what it committed", error))
            }
        }
    }

    /// The record of a commit. The first one has the whole database, so that the journal alone can bring it back: rule 8.
    fn entry(&self, keeper: &Keeper, cause: &[u8], frames: &Frames<'_>) -> Entry {
        let first = !self.before.created;
        let head = EntryHead {
            agent: self.agent,
            namespace: self.key.namespace(),
            name: self.key.name(),
            epoch: keeper.journal.epoch(),
            kind: if first { Kind::Create } else { Kind::Commit },
            time_ms: now_ms(),
            cause,
            page_size: frames.page_size,
            db_pages: frames.db_pages,
        };
        match self.store.blank() {
            Ok(blank) if first => {
                let changed: Vec<u32> = frames.pages().map(|(number, _)| number).collect();
                let unchanged = blank.pages().filter(|(number, _)| !changed.contains(number));
                Entry::new(&head, unchanged.chain(frames.pages()))
            }
            _ => Entry::new(&head, frames.pages()),
        }
    }

    /// Undoes the turn. `false` if SQLite could not, so that the connection must go.
    pub(crate) fn rollback(&mut self) -> bool {
        let turn = std::mem::replace(&mut self.turn, Turn::Idle);
        if turn == Turn::Idle {
            return true;
        }
        self.facts = self.before;
        self.preloaded = None;
        self.conn().is_autocommit() || self.conn().execute_batch("/*hostel*/ ROLLBACK").is_ok()
    }

    /// After a failed statement: did SQLite undo the whole transaction?
    pub(crate) fn notice_undone(&mut self, error: &Error) {
        if self.turn == Turn::Open && self.conn().is_autocommit() {
            self.turn = Turn::Undone(error.kind());
        }
    }

    /// Runs one of our writing statements in the turn's transaction.
    pub(crate) fn run(
        &mut self,
        doing: &str,
        write: impl FnOnce(&Connection) -> rusqlite::Result<usize>,
    ) -> Result<(), Error> {
        self.store.accepts()?;
        match write(self.conn()) {
            Ok(_) => Ok(()),
            Err(e) => {
                let error = self.failed(doing, e);
                self.notice_undone(&error);
                Err(error)
            }
        }
    }

    fn undone(&self, kind: ErrorKind) -> Error {
        self.refuse(kind, "the turn was already undone by an earlier failure; roll it back and begin another")
    }
}

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
