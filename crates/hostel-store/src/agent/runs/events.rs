//! What was sent to a run before it asked for it.

use rusqlite::{OptionalExtension, params};

use super::super::AgentDb;
use crate::Error;

const PUSH: &str = "/*hostel*/ INSERT INTO hostel_run_events (run, name, value, at_ms) VALUES (?1, ?2, ?3, ?4)";
const FIRST: &str =
    "/*hostel*/ SELECT seq, value FROM hostel_run_events WHERE run = ?1 AND name = ?2 ORDER BY seq LIMIT 1";
const COUNT: &str = "/*hostel*/ SELECT count(*) FROM hostel_run_events WHERE run = ?1";
const REMOVE: &str = "/*hostel*/ DELETE FROM hostel_run_events WHERE seq = ?1";
const REMOVE_ALL: &str = "/*hostel*/ DELETE FROM hostel_run_events WHERE run = ?1";

impl AgentDb {
    /// Keeps what was sent to a run.
    ///
    /// # Errors
    ///
    /// If the write fails; the turn is then to be rolled back.
    pub fn push_run_event(&mut self, run: &str, name: &str, value: &str, at_ms: i64) -> Result<(), Error> {
        let open = self.with_runs()?;
        open.run("keeping an event", |conn| conn.prepare_cached(PUSH)?.execute(params![run, name, value, at_ms]))
    }

    /// Hands out the oldest of that name, which is forgotten.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or the write fails; the turn is then to be rolled back.
    pub fn take_run_event(&mut self, run: &str, name: &str) -> Result<Option<String>, Error> {
        let found = self.read_runs(|conn| {
            let mut first = conn.prepare_cached(FIRST)?;
            first.query_row(params![run, name], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?))).optional()
        })?;
        let Some((seq, value)) = found else { return Ok(None) };
        self.with_runs()?.run("handing an event out", |conn| conn.prepare_cached(REMOVE)?.execute([seq]))?;
        Ok(Some(value))
    }

    /// How many wait for a run.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn run_event_count(&self, run: &str) -> Result<u32, Error> {
        self.read_runs(|conn| conn.prepare_cached(COUNT)?.query_row([run], |row| row.get(0)))
    }

    /// Forgets all that were sent to a run.
    ///
    /// # Errors
    ///
    /// If the write fails; the turn is then to be rolled back.
    pub fn remove_run_events(&mut self, run: &str) -> Result<(), Error> {
        self.with_runs()?.run("forgetting events", |conn| conn.prepare_cached(REMOVE_ALL)?.execute([run]))
    }
}
