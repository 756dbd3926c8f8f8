//! What an agent has ordered for later: schedules and its queue; [`letters`] has the runs that were given up.
//!
//! The tables come into being with the first order, so that an agent that never orders anything pays nothing.

pub(crate) mod letters;

use rusqlite::{Connection, Row, params};

use super::AgentDb;
use super::lazy::{FromRow, Tables, rows};
use super::open::Open;
use crate::Error;

const TABLES: Tables = Tables {
    exists: "/*hostel*/ SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'hostel_tasks')",
    create: CREATE,
    making: "making room for orders",
    reading: "reading what it ordered",
};
pub(crate) const CREATE: &str = "
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
CREATE INDEX hostel_tasks_due ON hostel_tasks (due_ms) WHERE queued <> 1;
CREATE INDEX hostel_tasks_queue ON hostel_tasks (seq) WHERE queued = 1;
CREATE UNIQUE INDEX hostel_tasks_key ON hostel_tasks (key) WHERE key IS NOT NULL;
CREATE TABLE hostel_dead_letters (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    task TEXT NOT NULL,
    args TEXT NOT NULL,
    due_ms INTEGER NOT NULL,
    queued INTEGER NOT NULL,
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
const KEYED: &str =
    "/*hostel*/ SELECT id, task, args, due_ms, queued, spec, key, declared, attempts FROM hostel_tasks WHERE key = ?1";
const ALIKE: &str = "/*hostel*/ SELECT id, task, args, due_ms, queued, spec, key, declared, attempts FROM hostel_tasks
    WHERE task = ?1 AND args = ?2 AND queued = ?3 ORDER BY seq";
const DECLARED: &str =
    "/*hostel*/ SELECT id, task, args, due_ms, queued, spec, key, declared, attempts FROM hostel_tasks WHERE declared";
const COUNT: &str = "/*hostel*/ SELECT count(*) FROM hostel_tasks";
/// What is due: schedules by their time; of the queue the first, and those that need not wait for it. However long the queue
/// is, one row of it is looked at.
const DUE: &str = "/*hostel*/
    SELECT id, task, args, due_ms, queued, spec, key, declared, attempts, seq FROM hostel_tasks
        WHERE queued <> 1 AND due_ms <= ?1
    UNION ALL
    SELECT * FROM (SELECT id, task, args, due_ms, queued, spec, key, declared, attempts, seq FROM hostel_tasks
        WHERE queued = 1 ORDER BY seq LIMIT 1) WHERE due_ms <= ?1
    ORDER BY due_ms, seq LIMIT ?2";
const NEXT: &str = "/*hostel*/
    SELECT id, due_ms, seq FROM hostel_tasks WHERE queued <> 1
    UNION ALL
    SELECT * FROM (SELECT id, due_ms, seq FROM hostel_tasks WHERE queued = 1 ORDER BY seq LIMIT 1)
    ORDER BY due_ms, seq LIMIT ?1";
const PUT: &str = "/*hostel*/ INSERT INTO hostel_tasks (id, task, args, due_ms, queued, spec, key, declared, attempts)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (id) DO UPDATE SET due_ms = excluded.due_ms, attempts = excluded.attempts, spec = excluded.spec,
        args = excluded.args";
const REMOVE: &str = "/*hostel*/ DELETE FROM hostel_tasks WHERE id = ?1";
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

impl Queued {
    fn read(stored: i64) -> Self {
        match stored {
            0 => Self::No,
            1 => Self::InOrder,
            _ => Self::AnyOrder,
        }
    }
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

    /// The run that was ordered under a key.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn task_with_key(&self, key: &str) -> Result<Option<TaskRow>, Error> {
        Ok(self.read_tasks(|conn| rows(conn, KEYED, params![key]))?.pop())
    }

    /// Runs of a task with these arguments that stand to the queue in the same way, oldest first.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn tasks_like(&self, task: &str, args: &str, queued: Queued) -> Result<Vec<TaskRow>, Error> {
        self.read_tasks(|conn| rows(conn, ALIKE, params![task, args, queued as i64]))
    }

    /// The schedules that are there because the class declares them.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn declared_tasks(&self) -> Result<Vec<TaskRow>, Error> {
        self.read_tasks(|conn| rows(conn, DECLARED, params![]))
    }

    /// How many runs wait. Counts the pages of an index, not the rows.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn count_tasks(&self) -> Result<u64, Error> {
        let count: i64 = self.read_tasks(|conn| conn.prepare_cached(COUNT)?.query_row([], |row| row.get(0)))?;
        Ok(count.unsigned_abs())
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

    fn read_tasks<T: Default>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        self.read_lazy(&TABLES, read)
    }

    fn with_tables(&mut self) -> Result<&mut Open, Error> {
        self.with_lazy(&TABLES)
    }
}

impl FromRow for TaskRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            task: row.get(1)?,
            args: row.get(2)?,
            due_ms: row.get(3)?,
            queued: Queued::read(row.get(4)?),
            spec: row.get(5)?,
            key: row.get(6)?,
            declared: row.get(7)?,
            attempts: row.get(8)?,
        })
    }
}
