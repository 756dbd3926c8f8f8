//! An open database: the connection, what was read on opening, and the transaction of the turn.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostel_journal::{AgentId, CommitLog};
use rusqlite::{Connection, OptionalExtension};

use super::group::Held;
use super::query::forbid_attaching;
use super::turn::{Facts, Turn};
use crate::capture::Capture;
use crate::connect::{self, refine};
use crate::durability::SyncHandle;
use crate::error::Blame;
use crate::guard::Guard;
use crate::kept::KeptLog;
use crate::layout::{identify, relative, wal_of};
use crate::registry::Claim;
use crate::store::Inner;
use crate::{AgentKey, Error, ErrorKind, schema};

/// Our statements begin with this comment, so that an equal text from the agent, which is prepared under
/// the agent's rules, never finds ours in the cache.
pub(crate) const OURS: &str = "/*hostel*/";

const LOAD: &str = "/*hostel*/ SELECT m.namespace, m.name, m.alarm_ms,
    (SELECT state FROM cf_agents_state WHERE id = 'cf_state_row_id'),
    EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'hostel_children') FROM hostel_meta m";
pub(crate) const EMPTY: &str = "/*hostel*/ SELECT NOT EXISTS (SELECT 1 FROM cf_agents_state) AND NOT EXISTS
    (SELECT 1 FROM sqlite_schema WHERE tbl_name NOT LIKE 'hostel\\_%' ESCAPE '\\' AND tbl_name <> 'cf_agents_state')";
const STATE: &str = "/*hostel*/ SELECT state FROM cf_agents_state WHERE id = 'cf_state_row_id'";
const SET_STATE: &str = "/*hostel*/ INSERT INTO cf_agents_state (id, state) VALUES ('cf_state_row_id', ?1)
    ON CONFLICT (id) DO UPDATE SET state = excluded.state";
const SET_ALARM: &str = "/*hostel*/ UPDATE hostel_meta SET alarm_ms = ?1";

#[derive(Debug)]
pub(crate) struct Open {
    /// `None` only while closing.
    conn: Option<Connection>,
    claim: Option<Claim>,
    pub(super) key: AgentKey,
    /// The agent as the journal knows it.
    pub(super) agent: AgentId,
    pub(super) store: Arc<Inner>,
    /// `None` for a database in memory.
    pub(super) path: Option<PathBuf>,
    /// The database was put there by this very opening.
    pub(super) fresh: bool,
    pub(super) turn: Turn,
    pub(super) facts: Facts,
    pub(super) before: Facts,
    /// The state as read on opening, until somebody asks for it or writes.
    pub(super) preloaded: Option<Arc<str>>,
    pub(super) sync: Option<SyncHandle>,
    /// Reads SQLite's log; there from the first transaction on.
    pub(super) capture: Option<Capture>,
    /// What is committed and not handed to the journal yet.
    pub(super) held: Held,
    /// Why SQLite's log, which is too long, cannot be copied into the file: until it can, nothing is written.
    pub(super) stuck: Option<Error>,
    /// The keeper's tide when SQLite's log was last empty.
    pub(super) tide: u64,
    guard: Option<Guard>,
}

impl Open {
    /// Opens a file. It is touched only if it is sound and this agent's.
    pub(crate) fn file(store: &Arc<Inner>, key: &AgentKey, path: &Path, claim: Claim) -> Result<Self, Error> {
        let kept = store.settle_log(key, path)?;
        let failed = |e| Error::io(&subject(key), "putting its log in order", e);
        let offer = kept.as_ref().map(KeptLog::offer).transpose().map_err(failed)?;
        let conn = connect::open_file(path).map_err(|e| opening(key, path, e))?;
        let mut open = Self::new(store, key, conn, claim, Some(path.to_owned()));
        if let Some(kept) = kept {
            open.take_over(path, &kept)?;
            store.cuts.lock().remove(&relative(key));
        }
        drop(offer);
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
        let mut open = Self::resume(store, key, conn, claim)?;
        open.fresh = true;
        Ok(open)
    }

    /// A database in memory that was put aside.
    pub(crate) fn resume(store: &Arc<Inner>, key: &AgentKey, conn: Connection, claim: Claim) -> Result<Self, Error> {
        let mut open = Self::new(store, key, conn, claim, None);
        open.load()?;
        Ok(open)
    }

    fn new(store: &Arc<Inner>, key: &AgentKey, conn: Connection, claim: Claim, path: Option<PathBuf>) -> Self {
        let facts = Facts { created: false, alarm: None, children: false };
        Self {
            conn: Some(conn),
            claim: Some(claim),
            key: key.clone(),
            agent: identify(key),
            store: Arc::clone(store),
            path,
            fresh: false,
            turn: Turn::Idle,
            facts,
            before: facts,
            preloaded: None,
            sync: None,
            capture: None,
            held: Held::default(),
            stuck: None,
            tide: 0,
            guard: None,
        }
    }

    /// Schema version, identity, state and alarm in two statements.
    fn load(&mut self) -> Result<(), Error> {
        self.check_schema()?;
        let row = self.conn().query_row(LOAD, [], |row| {
            let identity: (String, String) = (row.get(0)?, row.get(1)?);
            Ok((identity, row.get::<_, Option<i64>>(2)?, row.get::<_, Option<Arc<str>>>(3)?, row.get::<_, bool>(4)?))
        });
        let loaded = row.optional().map_err(|e| self.failed("reading its identity and state", e))?;
        match loaded {
            Some((identity, alarm, state, children)) => {
                self.check_identity(&identity.0, &identity.1)?;
                self.facts = Facts { created: true, alarm, children };
                self.preloaded = state;
            }
            None => self.check_empty()?,
        }
        self.limit()
    }

    /// A file without an identity is one whose first turn was never committed, if there is nothing else in it.
    fn check_empty(&self) -> Result<(), Error> {
        let empty = self.conn().query_row(EMPTY, [], |row| row.get(0));
        if empty.map_err(|e| self.failed("opening its database", e))? {
            return Ok(());
        }
        Err(self.refuse(
            ErrorKind::Corrupt,
            "its file holds data but no longer says whose; it was left as it is, restore it from a backup",
        ))
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

    /// Whether the database exists only for a turn that was never committed.
    pub(crate) fn is_unused(&self) -> bool {
        self.fresh && !self.facts.created
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

    /// Closes; a database in memory is put aside for the next opener.
    pub(crate) fn close(mut self: Box<Self>) -> Result<(), Error> {
        self.close_now();
        Ok(())
    }

    fn close_now(&mut self) {
        if let Err(error) = self.journal_held() {
            tracing::warn!(agent = %self.key, %error, "turns that were held are lost");
        }
        let (Some(conn), Some(claim)) = (self.conn.take(), self.claim.take()) else { return };
        self.guard = None;
        if self.path.is_none() && self.facts.created {
            return claim.park(self.key.clone(), conn);
        }
        match self.sync.take() {
            // Nobody wrote: SQLite removes its empty log.
            None => close(&self.key, conn, claim),
            Some(sync) if self.must_not_wait() && !sync.is_settled() => {
                let (store, key) = (Arc::clone(&self.store), self.key.clone());
                drop(std::thread::spawn(move || close_written(&store, &key, &sync, conn, claim)));
            }
            Some(sync) => close_written(&self.store, &self.key, &sync, conn, claim),
        }
    }

    /// Whether this is the thread that a wait would wait for.
    fn must_not_wait(&self) -> bool {
        self.store.keeper.as_ref().is_some_and(|keeper| keeper.journal.is_writer())
    }

    /// The log was kept by the last close because it could not be copied or has a lost end, which is cut off by now. All
    /// that is left of it is durable in the journal, so it may go into the file. If the file cannot take it now either (a
    /// full disk), the database goes on with it.
    fn take_over(&mut self, path: &Path, kept: &KeptLog) -> Result<(), Error> {
        let read = self.conn().execute_batch("SELECT count(*) FROM sqlite_schema");
        let page_size = read.and_then(|()| self.conn().query_row("PRAGMA page_size", [], |row| row.get(0)));
        let page_size: u32 = page_size.map_err(|e| {
            connect::keep_files_on_close(self.conn());
            opening(&self.key, path, e)
        })?;
        let counted = connect::copy_counting(self.conn());
        if counted.as_ref().is_ok_and(|found| *found != kept.frames(page_size)) {
            return Err(self.unreadable());
        }
        match counted.and_then(|_| connect::checkpoint(self.conn())) {
            Ok(true) => {
                if let Some(keeper) = &self.store.keeper {
                    keeper.dirt.lock().copied(self.agent);
                }
                return Ok(());
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(agent = %self.key, %error, "SQLite's log could not be copied into the file; it stays in memory");
            }
        }
        self.go_on_with(kept)
    }

    /// As if it had never been closed.
    fn go_on_with(&mut self, kept: &KeptLog) -> Result<(), Error> {
        let Ok(capture) = kept.follow(self.conn_mut()) else { return Err(self.unreadable()) };
        self.capture = Some(capture);
        self.sync = Some(SyncHandle::going_on(self.key.clone(), self.store.keeper.as_ref(), kept.end()));
        // The next turn tries again.
        self.tide = self.tide_now().wrapping_sub(1);
        Ok(())
    }

    /// What the log should hold is in the journal alone, and perhaps half in the file.
    fn unreadable(&self) -> Error {
        connect::keep_files_on_close(self.conn());
        if let Some(keeper) = &self.store.keeper {
            keeper.doubt();
        }
        self.refuse(
            ErrorKind::Failed,
            "what SQLite's log held of it is not readable any more; restart the server to have it restored from the journal",
        )
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

    pub(super) fn conn_mut(&mut self) -> &mut Connection {
        self.conn.as_mut().expect("the connection is there until closing")
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
            Some(path) => located(refine(error, path), path),
            None => error,
        }
    }

    pub(super) fn refuse(&self, kind: ErrorKind, why: &str) -> Error {
        let error = Error::new(kind, format!("{}: {why}", subject(&self.key)));
        match &self.path {
            Some(path) => located(error, path),
            None => error,
        }
    }
}

/// Closes a database that was written. Its log is copied into the file only if all of it is durable: rule 3.
fn close_written(store: &Arc<Inner>, key: &AgentKey, sync: &SyncHandle, conn: Connection, claim: Claim) {
    let durable = sync.sync();
    if durable.is_err()
        && let Some(keeper) = &store.keeper
    {
        // A commit before the one that was lost may be on its way into the journal at this moment.
        keeper.journal.flush();
    }
    let copied = match &durable {
        Ok(()) => connect::checkpoint(&conn),
        Err(_) => Ok(false),
    };
    if matches!(copied, Ok(true)) {
        if let Some(keeper) = &store.keeper {
            keeper.dirt.lock().copied(identify(key));
        }
        return close(key, conn, claim);
    }
    if let Err(error) = copied {
        tracing::warn!(agent = %key, %error, "SQLite's log could not be copied into the file; it stays for the next opening");
    }
    // What is durable stays in the log; the next opening cuts off the rest.
    if let Some(kept) = KeptLog::of(&conn, sync.durable_end()) {
        store.cuts.lock().insert(relative(key), kept);
    }
    connect::keep_files_on_close(&conn);
    close(key, conn, claim);
}

fn close(key: &AgentKey, conn: Connection, claim: Claim) {
    if let Err((conn, error)) = conn.close() {
        tracing::warn!(agent = %key, %error, "closing a database");
        drop(conn);
    }
    drop(claim);
}

impl Inner {
    /// Before a database is opened: a log beside it is from an earlier version and a stop that was not clean, and is thrown
    /// away: rule 1. Returns the log that this process has kept, if it has.
    pub(crate) fn settle_log(&self, key: &AgentKey, path: &Path) -> Result<Option<KeptLog>, Error> {
        let failed = |e| Error::io(&subject(key), "putting its log in order", e);
        std::fs::remove_file(wal_of(path)).or_else(absent_is_fine).map_err(failed)?;
        Ok(self.cuts.lock().get(&relative(key)).cloned())
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

pub(super) fn subject(key: &AgentKey) -> String {
    format!("agent {key}")
}

fn opening(key: &AgentKey, path: &Path, cause: rusqlite::Error) -> Error {
    located(refine(Error::sqlite(&subject(key), "opening its database", Blame::Store, cause), path), path)
}

/// A damaged file is named: somebody has to find it.
fn located(error: Error, path: &Path) -> Error {
    if error.kind() == ErrorKind::Corrupt { error.in_file(path) } else { error }
}
