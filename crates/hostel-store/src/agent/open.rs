//! An open database: the connection, what was read on opening, and the transaction of the turn.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, TransactionState};

use super::query::forbid_attaching;
use crate::connect::{self, refine};
use crate::durability::{Commit, SyncHandle};
use crate::error::Blame;
use crate::guard::Guard;
use crate::layout::wal_of;
use crate::registry::Claim;
use crate::store::Inner;
use crate::{AgentKey, Error, ErrorKind, schema};

/// Our statements begin with this comment, so that an equal text from the agent, which is prepared under
/// the agent's rules, never finds ours in the cache.
pub(crate) const OURS: &str = "/*hostel*/";

const LOAD: &str = "/*hostel*/ SELECT m.namespace, m.name, m.alarm_ms,
    (SELECT state FROM cf_agents_state WHERE id = 'cf_state_row_id') FROM hostel_meta m";
const STATE: &str = "/*hostel*/ SELECT state FROM cf_agents_state WHERE id = 'cf_state_row_id'";
const SET_STATE: &str = "/*hostel*/ INSERT INTO cf_agents_state (id, state) VALUES ('cf_state_row_id', ?1)
    ON CONFLICT (id) DO UPDATE SET state = excluded.state";
const SET_ALARM: &str = "/*hostel*/ UPDATE hostel_meta SET alarm_ms = ?1";
const INTRODUCE: &str = "/*hostel*/ INSERT INTO hostel_meta (id, namespace, name) VALUES (1, ?1, ?2)";

/// Where the turn stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Idle,
    Open,
    /// SQLite has undone the transaction by itself (a full disk, an interrupt).
    Undone(ErrorKind),
}

/// What a rollback brings back, besides the rows.
#[derive(Clone, Copy, Debug)]
struct Facts {
    created: bool,
    alarm: Option<i64>,
}

#[derive(Debug)]
pub(crate) struct Open {
    /// `None` only while closing.
    conn: Option<Connection>,
    claim: Option<Claim>,
    key: AgentKey,
    store: Arc<Inner>,
    /// `None` for a database in memory.
    path: Option<PathBuf>,
    turn: Turn,
    facts: Facts,
    before: Facts,
    /// The state as read on opening, until somebody asks for it or writes.
    preloaded: Option<Arc<str>>,
    sync: Option<SyncHandle>,
    /// The log was empty at the first transaction and nothing was committed since.
    first_commit: bool,
    guard: Option<Guard>,
}

impl Open {
    /// Opens a file. It is touched only if it is sound and this agent's.
    pub(crate) fn file(store: &Arc<Inner>, key: &AgentKey, path: &Path, claim: Claim) -> Result<Self, Error> {
        let conn = connect::open_file(path).map_err(|e| opening(key, path, e))?;
        let mut open = Self::new(store, key, conn, claim, Some(path.to_owned()));
        if let Err(error) = open.load() {
            connect::keep_files_on_close(open.conn());
            return Err(refine(error, path));
        }
        Ok(open)
    }

    /// A fresh database in memory.
    pub(crate) fn memory(store: &Arc<Inner>, key: &AgentKey, claim: Claim) -> Result<Self, Error> {
        let conn = connect::open_memory()
            .map_err(|e| Error::sqlite(&subject(key), "opening its database", Blame::Store, e))?;
        Self::resume(store, key, conn, claim)
    }

    /// A database in memory that was put aside.
    pub(crate) fn resume(store: &Arc<Inner>, key: &AgentKey, conn: Connection, claim: Claim) -> Result<Self, Error> {
        let mut open = Self::new(store, key, conn, claim, None);
        open.load()?;
        Ok(open)
    }

    fn new(store: &Arc<Inner>, key: &AgentKey, conn: Connection, claim: Claim, path: Option<PathBuf>) -> Self {
        let facts = Facts { created: false, alarm: None };
        Self {
            conn: Some(conn),
            claim: Some(claim),
            key: key.clone(),
            store: Arc::clone(store),
            path,
            turn: Turn::Idle,
            facts,
            before: facts,
            preloaded: None,
            sync: None,
            first_commit: false,
            guard: None,
        }
    }

    /// Schema version, identity, state and alarm in two statements.
    fn load(&mut self) -> Result<(), Error> {
        self.check_schema()?;
        let row = self.conn().query_row(LOAD, [], |row| {
            let identity: (String, String) = (row.get(0)?, row.get(1)?);
            Ok((identity, row.get::<_, Option<i64>>(2)?, row.get::<_, Option<Arc<str>>>(3)?))
        });
        let loaded = row.optional().map_err(|e| self.failed("reading its identity and state", e))?;
        if let Some((identity, alarm, state)) = loaded {
            self.check_identity(&identity.0, &identity.1)?;
            self.facts = Facts { created: true, alarm };
            self.preloaded = state;
        }
        self.limit()
    }

    fn check_schema(&mut self) -> Result<(), Error> {
        let newest = schema::newest(schema::STEPS);
        let version = schema::version_of(self.conn()).map_err(|e| self.failed("opening its database", e))?;
        match version {
            v if v == newest => Ok(()),
            0 => Err(self.refuse(ErrorKind::Corrupt, "the file is not an agent's database; it was left as it is, move it away")),
            v if v > newest => Err(self.refuse(
                ErrorKind::Schema,
                &format!("its database has schema version {v}, this build knows up to {newest}; start a version at least as new as the one that wrote it"),
            )),
            v => schema::migrate(self.conn(), v, schema::STEPS).map_err(|e| self.failed("bringing its database up to date", e)),
        }
    }

    fn check_identity(&self, namespace: &str, name: &str) -> Result<(), Error> {
        if namespace == self.key.namespace() && name == self.key.name() {
            return Ok(());
        }
        let found = AgentKey::new(namespace, name);
        Err(self.refuse(
            ErrorKind::Corrupt,
            &format!("its file holds the database of agent {found}; files were moved, put each back in its place"),
        ))
    }

    fn limit(&self) -> Result<(), Error> {
        let Some(pages) = self.store.options.max_pages else { return Ok(()) };
        self.conn().pragma_update(None, "max_page_count", pages).map_err(|e| self.failed("limiting its size", e))
    }

    pub(crate) fn is_created(&self) -> bool {
        self.facts.created
    }

    pub(crate) fn alarm(&self) -> Option<i64> {
        self.facts.alarm
    }

    pub(crate) fn sync_handle(&self) -> Option<SyncHandle> {
        self.sync.clone()
    }

    pub(crate) fn state(&mut self) -> Result<Option<Arc<str>>, Error> {
        if let Some(state) = self.preloaded.take() {
            return Ok(Some(state));
        }
        let read = || self.conn().prepare_cached(STATE)?.query_row([], |row| row.get(0)).optional();
        let state = read().map_err(|e| self.failed("reading its state", e))?;
        Ok(state.flatten())
    }

    pub(crate) fn set_state(&mut self, json: &str) -> Result<(), Error> {
        self.preloaded = None;
        self.run("writing its state", |conn| conn.prepare_cached(SET_STATE)?.execute([json]))
    }

    pub(crate) fn set_alarm(&mut self, at_ms: Option<i64>) -> Result<(), Error> {
        self.run("writing its alarm", |conn| conn.prepare_cached(SET_ALARM)?.execute([at_ms]))?;
        self.facts.alarm = at_ms;
        Ok(())
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

    /// Closes; a database in memory is put aside for the next opener.
    pub(crate) fn close(mut self: Box<Self>) -> Result<(), Error> {
        self.close_now();
        Ok(())
    }

    fn close_now(&mut self) {
        let (Some(conn), Some(claim)) = (self.conn.take(), self.claim.take()) else { return };
        self.guard = None;
        if self.path.is_none() && self.facts.created {
            return claim.park(self.key.clone(), conn);
        }
        // Closing copies the log into the file and removes it. If that fails the log stays, and with it
        // everything that was committed.
        if let Err((conn, error)) = conn.close() {
            tracing::warn!(agent = %self.key, %error, "closing a database");
            drop(conn);
        }
        drop(claim);
    }

    /// Closes without tidying up and gives the claim back, for the replacement of the files.
    pub(crate) fn abandon(mut self) -> Option<Claim> {
        if let Some(conn) = self.conn.take() {
            connect::keep_files_on_close(&conn);
            drop(conn);
        }
        self.claim.take()
    }

    /// Closes and removes the files of a database that never had a committed turn.
    pub(crate) fn remove_files(self) -> io::Result<()> {
        let path = self.path.clone();
        let claim = self.abandon();
        if let Some(path) = path {
            std::fs::remove_file(wal_of(&path)).or_else(absent_is_fine)?;
            std::fs::remove_file(&path)?;
        }
        drop(claim);
        Ok(())
    }

    pub(crate) fn key(&self) -> &AgentKey {
        &self.key
    }

    pub(crate) fn conn(&self) -> &Connection {
        self.conn.as_ref().expect("the connection is there until closing")
    }

    /// The connection and the guard, with the agent's rules installed.
    pub(crate) fn guarded(&mut self) -> rusqlite::Result<(&mut Connection, &mut Guard)> {
        let conn = self.conn.as_mut().expect("the connection is there until closing");
        if self.guard.is_none() {
            forbid_attaching(conn)?;
            self.guard = Some(Guard::install(conn)?);
        }
        let guard = self.guard.as_mut().expect("installed above");
        Ok((conn, guard))
    }

    pub(crate) fn retention_ms(&self) -> i64 {
        i64::try_from(self.store.options.idempotency_retention.as_millis()).unwrap_or(i64::MAX)
    }

    pub(crate) fn failed(&self, doing: &str, cause: rusqlite::Error) -> Error {
        let error = Error::sqlite(&subject(&self.key), doing, Blame::Store, cause);
        match &self.path {
            Some(path) => refine(error, path),
            None => error,
        }
    }

    fn refuse(&self, kind: ErrorKind, why: &str) -> Error {
        Error::new(kind, format!("{}: {why}", subject(&self.key)))
    }

    fn undone(&self, kind: ErrorKind) -> Error {
        self.refuse(kind, "the turn was already undone by an earlier failure; roll it back and begin another")
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.close_now();
    }
}

pub(crate) fn absent_is_fine(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn subject(key: &AgentKey) -> String {
    format!("agent {key}")
}

fn opening(key: &AgentKey, path: &Path, cause: rusqlite::Error) -> Error {
    refine(Error::sqlite(&subject(key), "opening its database", Blame::Store, cause), path)
}
