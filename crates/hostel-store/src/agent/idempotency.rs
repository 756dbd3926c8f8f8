//! Results of calls that carried an idempotency key, stored in the turn that made them.

use rusqlite::{OptionalExtension, params};

use super::AgentDb;
use super::open::Open;
use crate::Error;

/// How many expired results one stored result may clear away: bounded work, and twice as fast as they come.
const SWEPT: i64 = 16;

const GET: &str = "/*hostel*/ SELECT fingerprint, result, at_ms FROM hostel_idempotency WHERE key = ?1";
const PUT: &str =
    "/*hostel*/ INSERT OR REPLACE INTO hostel_idempotency (key, fingerprint, result, at_ms) VALUES (?1, ?2, ?3, ?4)";
const SWEEP: &str = "/*hostel*/ DELETE FROM hostel_idempotency WHERE key IN
    (SELECT key FROM hostel_idempotency WHERE at_ms < ?1 ORDER BY at_ms LIMIT ?2)";

/// A stored result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What the call was, so that a key used for another call is noticed.
    pub fingerprint: String,
    /// The result as the caller got it.
    pub result: String,
    /// When it was stored, in Unix milliseconds.
    pub at_ms: i64,
}

impl AgentDb {
    /// The result stored under `key`, if it is still kept.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn idempotent_result(&self, key: &str) -> Result<Option<Stored>, Error> {
        self.read(|open| open.stored(key))
    }

    /// Stores a result under `key` in the current turn, and clears away some that are older than
    /// [`Options::idempotency_retention`](crate::Options::idempotency_retention) before `at_ms`.
    ///
    /// # Errors
    ///
    /// If the write fails; the turn is then to be rolled back.
    pub fn store_result(&mut self, key: &str, fingerprint: &str, result: &str, at_ms: i64) -> Result<(), Error> {
        let open = self.writable()?;
        let expired = at_ms.saturating_sub(open.retention_ms());
        open.run("storing a result", |conn| {
            conn.prepare_cached(PUT)?.execute(params![key, fingerprint, result, at_ms])?;
            conn.prepare_cached(SWEEP)?.execute(params![expired, SWEPT])
        })
    }
}

impl Open {
    fn stored(&mut self, key: &str) -> Result<Option<Stored>, Error> {
        let get = || {
            let mut statement = self.conn().prepare_cached(GET)?;
            statement
                .query_row([key], |row| {
                    Ok(Stored { fingerprint: row.get(0)?, result: row.get(1)?, at_ms: row.get(2)? })
                })
                .optional()
        };
        get().map_err(|e| self.failed("looking up a stored result", e))
    }
}
