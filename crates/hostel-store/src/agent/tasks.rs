//! What an agent has ordered for later: schedules, its queue, and the runs that were given up.
//!
//! The tables come into being with the first order, so that an agent that never orders anything pays nothing.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::AgentDb;
use super::open::Open;
use crate::Error;

const EXISTS: &str =
    "/*hostel*/ SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'hostel_tasks')";
const CREATE: &str = "
CREATE TABLE hostel_tasks (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    task TEXT NOT NULL,
    args TEXT NOT NULL,
    due_ms INTEGER NOT NULL,
    queued INTEGER NOT NULL,
    spec TEXT NOT NULL,
    key TEXT,
    declared INTEGER NOT NULL,
    attempts INTEGER NOT NULL
);
CREATE INDEX hostel_tasks_due ON hostel_tasks (due_ms);
CREATE TABLE hostel_dead_letters (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    task TEXT NOT NULL,
    args TEXT NOT NULL,
    spec TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    at_ms INTEGER NOT NULL
);";
const ALL: &str = "/*hostel*/ SELECT id, task, args, due_ms, queued, spec, key, declared, attempts FROM hostel_tasks
    ORDER BY queued, CASE WHEN queued THEN seq ELSE due_ms END, seq";
const ONE: &str =
    "/*hostel*/ SELECT id, task, args, due_ms, queued, spec, key, declared, attempts FROM hostel_tasks WHERE id = ?1";
/// What is due: schedules by their time; of the queue the first, and those that need not wait for it.
const DUE: &str = "/*hostel*/ SELECT id, task, args, due_ms, queued, spec, key, declared, attempts FROM hostel_tasks
    WHERE due_ms <= ?1 AND (queued = 0 OR queued = 2 OR seq = (SELECT min(seq) FROM hostel_tasks WHERE queued = 1))
    ORDER BY due_ms, seq LIMIT ?2";
const NEXT: &str = "/*hostel*/ SELECT id, due_ms FROM hostel_tasks
    WHERE queued = 0 OR queued = 2 OR seq = (SELECT min(seq) FROM hostel_tasks WHERE queued = 1)
    ORDER BY due_ms, seq LIMIT ?1";
const PUT: &str = "/*hostel*/ INSERT INTO hostel_tasks (id, task, args, due_ms, queued, spec, key, declared, attempts)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (id) DO UPDATE SET due_ms = excluded.due_ms, attempts = excluded.attempts, spec = excluded.spec,
        args = excluded.args";
const REMOVE: &str = "/*hostel*/ DELETE FROM hostel_tasks WHERE id = ?1";
const BURY: &str = "/*hostel*/ INSERT INTO hostel_dead_letters (id, task, args, spec, attempts, code, reason, at_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const DEAD: &str = "/*hostel*/ SELECT seq, id, task, args, spec, attempts, code, reason, at_ms FROM hostel_dead_letters
    ORDER BY seq DESC LIMIT ?1";
const REMOVE_DEAD: &str = "/*hostel*/ DELETE FROM hostel_dead_letters WHERE seq = ?1";
/// Letters beyond these go, oldest first.
const KEEP_DEAD: &str =
    "/*hostel*/ DELETE FROM hostel_dead_letters WHERE seq <= (SELECT max(seq) FROM hostel_dead_letters) - 1000";

/// How a run stands to the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queued {
    /// It is a schedule.
    No,
    /// It waits until everything queued before it is done.
    InOrder,
    /// It is queued, and waits for nobody.
    AnyOrder,
}

/// One run that waits for its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRow {
    /// Its name, unique within the agent.
    pub id: String,
    /// The task.
    pub task: String,
    /// A JSON array.
    pub args: String,
    /// When it is due, in Unix milliseconds.
    pub due_ms: i64,
    /// Whether it is queued.
    pub queued: Queued,
    /// When and how, as the runtime wrote it.
    pub spec: String,
    /// The key it was ordered under.
    pub key: Option<String>,
    /// Whether its class declares it.
    pub declared: bool,
    /// Failed attempts at the run that is due.
    pub attempts: u32,
}

/// A run that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its number; rises.
    pub seq: i64,
    /// The run's name.
    pub id: String,
    /// The task.
    pub task: String,
    /// A JSON array.
    pub args: String,
    /// When and how, as the runtime wrote it.
    pub spec: String,
    /// Attempts that failed.
    pub attempts: u32,
    /// Why, as a stable code.
    pub code: String,
    /// Why, in words.
    pub reason: String,
    /// When it was given up, in Unix milliseconds.
    pub at_ms: i64,
}

impl AgentDb {
    /// Everything that waits: schedules by their time, then the queue in its order.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn tasks(&self) -> Result<Vec<TaskRow>, Error> {
        self.read_tasks(|conn| rows(conn, ALL, params![]))
    }

    /// One run.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn task(&self, id: &str) -> Result<Option<TaskRow>, Error> {
        Ok(self.read_tasks(|conn| rows(conn, ONE, params![id]))?.pop())
    }

    /// What is due at `now_ms`, earliest first, `limit` at most.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn due_tasks(&self, now_ms: i64, limit: usize) -> Result<Vec<TaskRow>, Error> {
        self.read_tasks(|conn| rows(conn, DUE, params![now_ms, limit as i64]))
    }

    /// The ids and moments of the next runs, earliest first, `limit` at most.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn next_tasks(&self, limit: usize) -> Result<Vec<(String, i64)>, Error> {
        self.read_tasks(|conn| {
            let mut statement = conn.prepare_cached(NEXT)?;
            let next = statement.query_map([limit as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
            next.collect()
        })
    }

    /// Keeps a run, in place of the one with the same id.
    ///
    /// # Errors
    ///
    /// If the write fails; the turn is then to be rolled back.
    pub fn put_task(&mut self, row: &TaskRow) -> Result<(), Error> {
        self.with_tables()?.run("keeping an order", |conn| {
            let queued = row.queued as i64;
            conn.prepare_cached(PUT)?.execute(params![
                row.id,
                row.task,
                row.args,
                row.due_ms,
                queued,
                row.spec,
                row.key,
                row.declared,
                row.attempts
            ])
        })
    }

    /// Takes a run out; `false` if there was none.
    ///
    /// # Errors
    ///
    /// If the write fails; the turn is then to be rolled back.
    pub fn remove_task(&mut self, id: &str) -> Result<bool, Error> {
        if self.task(id)?.is_none() {
            return Ok(false);
        }
        self.with_tables()?.run("taking an order back", |conn| conn.prepare_cached(REMOVE)?.execute([id]))?;
        Ok(true)
    }

    /// Remembers a run that is given up. The newest thousand are kept.
    ///
    /// # Errors
    ///
    /// If the write fails; the turn is then to be rolled back.
    pub fn bury_task(&mut self, row: &TaskRow, code: &str, reason: &str, at_ms: i64) -> Result<(), Error> {
        self.with_tables()?.run("giving a run up", |conn| {
            let letter = params![row.id, row.task, row.args, row.spec, row.attempts, code, reason, at_ms];
            conn.prepare_cached(BURY)?.execute(letter)?;
            conn.prepare_cached(KEEP_DEAD)?.execute([])
        })
    }

    /// The runs that were given up, newest first, `limit` at most.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.read_tasks(|conn| {
            let mut statement = conn.prepare_cached(DEAD)?;
            let letters = statement.query_map([limit as i64], letter)?;
            letters.collect()
        })
    }

    /// Forgets a run that was given up.
    ///
    /// # Errors
    ///
    /// If the write fails; the turn is then to be rolled back.
    pub fn remove_dead_letter(&mut self, seq: i64) -> Result<(), Error> {
        self.with_tables()?
            .run("forgetting a run that was given up", |conn| conn.prepare_cached(REMOVE_DEAD)?.execute([seq]))
    }

    fn read_tasks<T: Default>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        let found = self.read(|open| {
            if !open.has_task_tables()? {
                return Ok(None);
            }
            read(open.conn()).map(Some).map_err(|e| open.failed("reading what it ordered", e))
        });
        found.map(Option::unwrap_or_default)
    }

    fn with_tables(&mut self) -> Result<&mut Open, Error> {
        let open = self.writable()?;
        if !open.has_task_tables()? {
            open.run("making room for orders", |conn| conn.execute_batch(CREATE).map(|()| 0))?;
        }
        Ok(open)
    }
}

impl Open {
    fn has_task_tables(&self) -> Result<bool, Error> {
        let look = || self.conn().prepare_cached(EXISTS)?.query_row([], |row| row.get(0)).optional();
        let found: Option<bool> = look().map_err(|e| self.failed("reading what it ordered", e))?;
        Ok(found.unwrap_or(false))
    }
}

fn rows(conn: &Connection, query: &str, params: impl rusqlite::Params) -> rusqlite::Result<Vec<TaskRow>> {
    let mut statement = conn.prepare_cached(query)?;
    let rows = statement.query_map(params, row)?;
    rows.collect()
}

fn row(row: &Row<'_>) -> rusqlite::Result<TaskRow> {
    Ok(TaskRow {
        id: row.get(0)?,
        task: row.get(1)?,
        args: row.get(2)?,
        due_ms: row.get(3)?,
        queued: match row.get(4)? {
            0 => Queued::No,
            1 => Queued::InOrder,
            _ => Queued::AnyOrder,
        },
        spec: row.get(5)?,
        key: row.get(6)?,
        declared: row.get(7)?,
        attempts: row.get(8)?,
    })
}

fn letter(row: &Row<'_>) -> rusqlite::Result<DeadLetter> {
    Ok(DeadLetter {
        seq: row.get(0)?,
        id: row.get(1)?,
        task: row.get(2)?,
        args: row.get(3)?,
        spec: row.get(4)?,
        attempts: row.get(5)?,
        code: row.get(6)?,
        reason: row.get(7)?,
        at_ms: row.get(8)?,
    })
}
