//! The runs that were given up, with all it takes to have them run again.

use rusqlite::{Row, params};

use super::super::AgentDb;
use super::super::lazy::{FromRow, rows};
use super::{Queued, TaskRow};
use crate::Error;

const BURY: &str = "/*hostel*/ INSERT OR REPLACE INTO hostel_dead_letters
    (id, task, args, due_ms, queued, spec, attempts, code, reason, at_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const NEWEST: &str = "/*hostel*/ SELECT id, task, args, due_ms, queued, spec, attempts, code, reason, at_ms
    FROM hostel_dead_letters ORDER BY seq DESC LIMIT ?1";
const ONE: &str = "/*hostel*/ SELECT id, task, args, due_ms, queued, spec, attempts, code, reason, at_ms
    FROM hostel_dead_letters WHERE id = ?1";
const REMOVE: &str = "/*hostel*/ DELETE FROM hostel_dead_letters WHERE id = ?1";
const TRIM: &str = "/*hostel*/ DELETE FROM hostel_dead_letters WHERE seq <=
    (SELECT seq FROM hostel_dead_letters ORDER BY seq DESC LIMIT 1 OFFSET ?1)";

/// A run that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The run's name.
    pub id: String,
    /// The task.
    pub task: String,
    /// A JSON array.
    pub args: String,
    /// When it was due, in Unix milliseconds.
    pub due_ms: i64,
    /// Whether it was queued.
    pub queued: Queued,
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
    /// Remembers a run that is given up, in place of a letter of the same name. The newest `kept` are kept; returns how many
    /// went for that.
    ///
    /// # Errors
    ///
    /// If the write fails; the turn is then to be rolled back.
    pub fn bury_task(
        &mut self,
        row: &TaskRow,
        code: &str,
        reason: &str,
        at_ms: i64,
        kept: usize,
    ) -> Result<usize, Error> {
        let (queued, kept) = (row.queued as i64, i64::try_from(kept).unwrap_or(i64::MAX));
        let open = self.with_tables()?;
        open.run("giving a run up", |conn| {
            let letter =
                params![row.id, row.task, row.args, row.due_ms, queued, row.spec, row.attempts, code, reason, at_ms];
            conn.prepare_cached(BURY)?.execute(letter)?;
            conn.prepare_cached(TRIM)?.execute([kept])
        })?;
        Ok(usize::try_from(open.conn().changes()).unwrap_or(usize::MAX))
    }

    /// The runs that were given up, newest first, `limit` at most.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read_tasks(|conn| rows(conn, NEWEST, params![limit]))
    }

    /// One of them.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn dead_letter(&self, id: &str) -> Result<Option<DeadLetter>, Error> {
        Ok(self.read_tasks(|conn| rows(conn, ONE, params![id]))?.pop())
    }

    /// Forgets a run that was given up; `false` if there was none of that name.
    ///
    /// # Errors
    ///
    /// If the write fails; the turn is then to be rolled back.
    pub fn remove_dead_letter(&mut self, id: &str) -> Result<bool, Error> {
        if self.dead_letter(id)?.is_none() {
            return Ok(false);
        }
        self.with_tables()?
            .run("forgetting a run that was given up", |conn| conn.prepare_cached(REMOVE)?.execute([id]))?;
        Ok(true)
    }
}

impl FromRow for DeadLetter {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            task: row.get(1)?,
            args: row.get(2)?,
            due_ms: row.get(3)?,
            queued: Queued::read(row.get(4)?),
            spec: row.get(5)?,
            attempts: row.get(6)?,
            code: row.get(7)?,
            reason: row.get(8)?,
            at_ms: row.get(9)?,
        })
    }
}
