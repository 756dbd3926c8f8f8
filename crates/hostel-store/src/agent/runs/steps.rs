//! The steps of a run: what was begun, what came of it, and what is waited for.

use rusqlite::{Row, params};

use super::super::AgentDb;
use super::super::lazy::{FromRow, rows};
use crate::Error;

const COLUMNS: &str = "run, lane, position, name, occurrence, kind, state, value, detail, until_ms, begun_ms, ended_ms";
const PUT: &str =
    "/*hostel*/ INSERT INTO hostel_steps (run, lane, position, name, occurrence, kind, state, value, detail,
    until_ms, begun_ms, ended_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    ON CONFLICT (run, lane, position) DO UPDATE SET state = excluded.state, value = excluded.value,
        detail = excluded.detail, until_ms = excluded.until_ms, begun_ms = min(begun_ms, excluded.begun_ms),
        ended_ms = excluded.ended_ms";
const COUNT: &str = "/*hostel*/ SELECT count(*) FROM hostel_steps WHERE run = ?1";
const REMOVE: &str = "/*hostel*/ DELETE FROM hostel_steps WHERE run = ?1 AND lane = ?2 AND position = ?3";
const REMOVE_ALL: &str = "/*hostel*/ DELETE FROM hostel_steps WHERE run = ?1";

/// One step of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepRow {
    /// Whose.
    pub run: String,
    /// Of which strand of the run; empty for the main one.
    pub lane: String,
    /// The how-manieth of its strand, from 0.
    pub position: u32,
    /// What its code calls it.
    pub name: String,
    /// The how-manieth of that name, from 0.
    pub occurrence: u32,
    /// What it is.
    pub kind: String,
    /// How it stands.
    pub state: String,
    /// Its result, as JSON.
    pub value: Option<String>,
    /// What else is known of it, as JSON.
    pub detail: Option<String>,
    /// Until when it waits, in Unix milliseconds.
    pub until_ms: Option<i64>,
    /// When it began.
    pub begun_ms: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
}

impl AgentDb {
    /// One step.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn step(&self, run: &str, lane: &str, position: u32) -> Result<Option<StepRow>, Error> {
        let query =
            format!("/*hostel*/ SELECT {COLUMNS} FROM hostel_steps WHERE run = ?1 AND lane = ?2 AND position = ?3");
        Ok(self.read_runs(|conn| rows(conn, &query, params![run, lane, position]))?.pop())
    }

    /// The steps of a run, in the order in which they began.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn steps(&self, run: &str) -> Result<Vec<StepRow>, Error> {
        let query = format!("/*hostel*/ SELECT {COLUMNS} FROM hostel_steps WHERE run = ?1 ORDER BY rowid");
        self.read_runs(|conn| rows(conn, &query, params![run]))
    }

    /// How many steps a run has.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn step_count(&self, run: &str) -> Result<u32, Error> {
        self.read_runs(|conn| conn.prepare_cached(COUNT)?.query_row([run], |row| row.get(0)))
    }

    /// The steps of a run that are in `state`, in the order in which they began.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn steps_in(&self, run: &str, state: &str) -> Result<Vec<StepRow>, Error> {
        let query =
            format!("/*hostel*/ SELECT {COLUMNS} FROM hostel_steps WHERE run = ?1 AND state = ?2 ORDER BY rowid");
        self.read_runs(|conn| rows(conn, &query, params![run, state]))
    }

    /// The steps of all runs that are in `state`, have a moment, and began after `ms`.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn steps_begun_after(&self, ms: i64, state: &str) -> Result<Vec<StepRow>, Error> {
        let query = format!(
            "/*hostel*/ SELECT {COLUMNS} FROM hostel_steps
            WHERE state = ?1 AND until_ms IS NOT NULL AND begun_ms > ?2 ORDER BY rowid"
        );
        self.read_runs(|conn| rows(conn, &query, params![state, ms]))
    }

    /// Keeps a step, in place of the one at the same position, which began no later.
    ///
    /// # Errors
    ///
    /// If the write fails; the turn is then to be rolled back.
    pub fn put_step(&mut self, row: &StepRow) -> Result<(), Error> {
        self.with_runs()?.run("writing a step", |conn| {
            conn.prepare_cached(PUT)?.execute(params![
                row.run,
                row.lane,
                row.position,
                row.name,
                row.occurrence,
                row.kind,
                row.state,
                row.value,
                row.detail,
                row.until_ms,
                row.begun_ms,
                row.ended_ms
            ])
        })
    }

    /// Forgets a step.
    ///
    /// # Errors
    ///
    /// If the write fails; the turn is then to be rolled back.
    pub fn remove_step(&mut self, run: &str, lane: &str, position: u32) -> Result<(), Error> {
        let open = self.with_runs()?;
        open.run("forgetting a step", |conn| conn.prepare_cached(REMOVE)?.execute(params![run, lane, position]))
    }

    /// Forgets all steps of a run.
    ///
    /// # Errors
    ///
    /// If the write fails; the turn is then to be rolled back.
    pub fn remove_steps(&mut self, run: &str) -> Result<(), Error> {
        self.with_runs()?.run("forgetting steps", |conn| conn.prepare_cached(REMOVE_ALL)?.execute([run]))
    }
}

impl FromRow for StepRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            run: row.get(0)?,
            lane: row.get(1)?,
            position: row.get(2)?,
            name: row.get(3)?,
            occurrence: row.get(4)?,
            kind: row.get(5)?,
            state: row.get(6)?,
            value: row.get(7)?,
            detail: row.get(8)?,
            until_ms: row.get(9)?,
            begun_ms: row.get(10)?,
            ended_ms: row.get(11)?,
        })
    }
}
