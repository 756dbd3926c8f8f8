//! Durable runs of an agent: what each is, how far it has come, and what it waits for.
//!
//! The tables come into being with the first run, so that an agent without any pays nothing. What the texts of status, kind
//! and state mean is the runtime's.

mod events;
mod park;
mod steps;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::AgentDb;
use super::lazy::{FromRow, Tables, rows};
use super::open::Open;
use crate::Error;

pub(crate) use park::park_unfinished;
pub use steps::StepRow;

const TABLES: Tables = Tables {
    exists: "/*hostel*/ SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'hostel_runs')",
    create: CREATE,
    making: "making room for runs",
    reading: "reading its runs",
};
pub(crate) const CREATE: &str = "
CREATE TABLE hostel_runs (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    task TEXT NOT NULL,
    args TEXT NOT NULL,
    spec TEXT NOT NULL,
    key TEXT UNIQUE,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    wake_ms INTEGER,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    result TEXT,
    code TEXT,
    error TEXT,
    stash TEXT,
    progress TEXT
);
CREATE INDEX hostel_runs_ended ON hostel_runs (ended_ms) WHERE ended_ms IS NOT NULL;
CREATE TABLE hostel_steps (
    run TEXT NOT NULL,
    lane TEXT NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    occurrence INTEGER NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    value TEXT,
    detail TEXT,
    until_ms INTEGER,
    begun_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    UNIQUE (run, lane, position)
);
CREATE TABLE hostel_run_events (
    seq INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    at_ms INTEGER NOT NULL
);
CREATE INDEX hostel_run_events_run ON hostel_run_events (run, name, seq);";

const COLUMNS: &str = "seq, id, task, args, spec, key, status, attempts, wake_ms, created_ms, updated_ms, ended_ms,
    result, code, error, stash, progress";
const PUT: &str =
    "/*hostel*/ INSERT INTO hostel_runs (id, task, args, spec, key, status, attempts, wake_ms, created_ms,
    updated_ms, ended_ms, result, code, error, stash, progress)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
    ON CONFLICT (id) DO UPDATE SET spec = excluded.spec, status = excluded.status, attempts = excluded.attempts,
        wake_ms = excluded.wake_ms, updated_ms = excluded.updated_ms, ended_ms = excluded.ended_ms,
        result = excluded.result, code = excluded.code, error = excluded.error, stash = excluded.stash,
        progress = excluded.progress";
const STATUS: &str = "/*hostel*/ SELECT status FROM hostel_runs WHERE id = ?1";
const REMOVE: [&str; 3] = [
    "/*hostel*/ DELETE FROM hostel_run_events WHERE run = ?1",
    "/*hostel*/ DELETE FROM hostel_steps WHERE run = ?1",
    "/*hostel*/ DELETE FROM hostel_runs WHERE id = ?1",
];
const STALE: &str = "/*hostel*/ SELECT id FROM hostel_runs WHERE ended_ms IS NOT NULL AND (ended_ms < ?1 OR seq <=
    (SELECT seq FROM hostel_runs WHERE ended_ms IS NOT NULL ORDER BY seq DESC LIMIT 1 OFFSET ?2)) ORDER BY seq LIMIT ?3";

/// One durable run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunRow {
    /// Its number; rises. 0 before it is kept.
    pub seq: i64,
    /// Its name.
    pub id: String,
    /// The task.
    pub task: String,
    /// A JSON array.
    pub args: String,
    /// How it is to be done, as the runtime wrote it.
    pub spec: String,
    /// The key it was started under.
    pub key: Option<String>,
    /// How it stands.
    pub status: String,
    /// Failed attempts since it last came further.
    pub attempts: u32,
    /// When it goes on, in Unix milliseconds; `None` if nothing but an answer has it go on.
    pub wake_ms: Option<i64>,
    /// When it was started.
    pub created_ms: i64,
    /// When this was last written.
    pub updated_ms: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// What it returned, as JSON.
    pub result: Option<String>,
    /// Why it failed, or waits for somebody, as a stable code.
    pub code: Option<String>,
    /// The same in words.
    pub error: Option<String>,
    /// What its code put aside, as JSON.
    pub stash: Option<String>,
    /// How far its code says it is, as JSON.
    pub progress: Option<String>,
}

/// Which runs are meant.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Only those of this status.
    pub status: Option<String>,
    /// Only those of this task.
    pub task: Option<String>,
    /// Only those older than the one with this number.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: usize,
}

impl AgentDb {
    /// The runs there are, newest first.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, Error> {
        let query = format!(
            "/*hostel*/ SELECT {COLUMNS} FROM hostel_runs WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR task = ?2)
            AND (?3 IS NULL OR seq < ?3) ORDER BY seq DESC LIMIT ?4"
        );
        let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
        self.read_runs(|conn| rows(conn, &query, params![filter.status, filter.task, filter.before, limit]))
    }

    /// One run.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn run(&self, id: &str) -> Result<Option<RunRow>, Error> {
        let query = format!("/*hostel*/ SELECT {COLUMNS} FROM hostel_runs WHERE id = ?1");
        Ok(self.read_runs(|conn| rows(conn, &query, params![id]))?.pop())
    }

    /// How a run stands, without the rest of it.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn run_status(&self, id: &str) -> Result<Option<String>, Error> {
        self.read_runs(|conn| conn.prepare_cached(STATUS)?.query_row([id], |row| row.get(0)).optional())
    }

    /// The run that was started under a key.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn run_by_key(&self, key: &str) -> Result<Option<RunRow>, Error> {
        let query = format!("/*hostel*/ SELECT {COLUMNS} FROM hostel_runs WHERE key = ?1");
        Ok(self.read_runs(|conn| rows(conn, &query, params![key]))?.pop())
    }

    /// Keeps a run, in place of the one with the same name.
    ///
    /// # Errors
    ///
    /// If the write fails; the turn is then to be rolled back.
    pub fn put_run(&mut self, row: &RunRow) -> Result<(), Error> {
        self.with_runs()?.run("writing a run", |conn| {
            conn.prepare_cached(PUT)?.execute(params![
                row.id,
                row.task,
                row.args,
                row.spec,
                row.key,
                row.status,
                row.attempts,
                row.wake_ms,
                row.created_ms,
                row.updated_ms,
                row.ended_ms,
                row.result,
                row.code,
                row.error,
                row.stash,
                row.progress
            ])
        })
    }

    /// Takes a run out, with its steps and what was sent to it.
    ///
    /// # Errors
    ///
    /// If the write fails; the turn is then to be rolled back.
    pub fn remove_run(&mut self, id: &str) -> Result<(), Error> {
        let open = self.with_runs()?;
        REMOVE
            .iter()
            .try_for_each(|query| open.run("forgetting a run", |conn| conn.prepare_cached(query)?.execute([id])))
    }

    /// The names of runs that ended before `before_ms`, or that more than `newest` ended runs came after: `limit` at most.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn stale_runs(&self, before_ms: i64, newest: usize, limit: usize) -> Result<Vec<String>, Error> {
        self.read_runs(|conn| {
            let mut statement = conn.prepare_cached(STALE)?;
            let ids = statement.query_map(params![before_ms, newest as i64, limit as i64], |row| row.get(0))?;
            ids.collect()
        })
    }

    fn read_runs<T: Default>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        self.read_lazy(&TABLES, read)
    }

    fn with_runs(&mut self) -> Result<&mut Open, Error> {
        self.with_lazy(&TABLES)
    }
}

impl FromRow for RunRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            id: row.get(1)?,
            task: row.get(2)?,
            args: row.get(3)?,
            spec: row.get(4)?,
            key: row.get(5)?,
            status: row.get(6)?,
            attempts: row.get(7)?,
            wake_ms: row.get(8)?,
            created_ms: row.get(9)?,
            updated_ms: row.get(10)?,
            ended_ms: row.get(11)?,
            result: row.get(12)?,
            code: row.get(13)?,
            error: row.get(14)?,
            stash: row.get(15)?,
            progress: row.get(16)?,
        })
    }
}
