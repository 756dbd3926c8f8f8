//! The transaction of a turn, from its first statement to its commit or its undoing.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, TransactionState};

use super::open::{Open, subject};
use crate::connect;
use crate::durability::{Commit, SyncHandle};
use crate::layout::wal_of;
use crate::{Error, ErrorKind};

const INTRODUCE: &str = "/*hostel*/ INSERT INTO hostel_meta (id, namespace, name) VALUES (1, ?1, ?2)";

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

    /// Before the first transaction since opening: gets hold of the log, for syncing it.
    fn prepare_log(&mut self) -> Result<(), Error> {
        let Some(path) = self.path.clone() else { return Ok(()) };
        if self.sync.is_some() {
            return Ok(());
        }
        let (wal, length) = self.open_log(&path)?;
        let phase = if length == 0 { connect::BEFORE_FIRST_COMMIT } else { connect::AFTER_FIRST_COMMIT };
        self.conn().execute_batch(phase).map_err(|e| self.failed("beginning a turn", e))?;
        self.first_commit = length == 0;
        let shard = path.parent().map(Path::to_owned).unwrap_or_default();
        self.sync = Some(SyncHandle::new(self.key.clone(), wal, Arc::clone(&self.store.ledger), shard));
        Ok(())
    }

    /// The log exists as soon as SQLite has read the file, unless some tool has switched its journal mode.
    fn open_log(&self, database: &Path) -> Result<(File, u64), Error> {
        let path = wal_of(database);
        let opened = File::open(&path).or_else(|e| {
            if e.kind() != io::ErrorKind::NotFound {
                return Err(e);
            }
            self.conn()
                .execute_batch("PRAGMA journal_mode=WAL; SELECT 1 FROM sqlite_schema LIMIT 1;")
                .map_err(io::Error::other)?;
            File::open(&path)
        });
        opened
            .and_then(|file| file.metadata().map(|meta| (file, meta.len())))
            .map_err(|e| Error::io(&subject(&self.key), "opening its log", e))
    }

    /// Commits; on an error the caller rolls back.
    pub(crate) fn commit(&mut self) -> Result<Option<Commit>, Error> {
        match self.turn {
            Turn::Idle => return Ok(None),
            Turn::Undone(kind) => return Err(self.undone(kind)),
            Turn::Open => {}
        }
        let wrote = self.conn().transaction_state(Some("main")).is_ok_and(|state| state == TransactionState::Write);
        let committed = self.conn().prepare_cached("/*hostel*/ COMMIT").and_then(|mut s| s.raw_execute());
        committed.map_err(|e| self.failed("committing a turn", e))?;
        self.turn = Turn::Idle;
        if !wrote {
            return Ok(None);
        }
        self.leave_first_commit()?;
        Ok(Some(match &self.sync {
            Some(sync) => Commit::pending(sync.clone(), sync.committed()),
            None => Commit::immediate(),
        }))
    }

    fn leave_first_commit(&mut self) -> Result<(), Error> {
        if !self.first_commit {
            return Ok(());
        }
        self.conn().execute_batch(connect::AFTER_FIRST_COMMIT).map_err(|e| self.failed("committing a turn", e))?;
        self.first_commit = false;
        Ok(())
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
