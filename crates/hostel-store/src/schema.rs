//! The versions of an agent's schema, kept in `user_version`. Steps only go forward.

mod step1;

use rusqlite::Connection;

/// One step: the SQL that leads from the version before to this one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) version: u32,
    pub(crate) sql: &'static str,
}

/// Every step so far, oldest first. New ones are appended, old ones never change.
pub(crate) const STEPS: &[Step] = &[Step { version: 1, sql: step1::SQL }];

/// The version that this build writes.
pub(crate) fn newest(steps: &[Step]) -> u32 {
    steps.last().map_or(0, |step| step.version)
}

/// The version that a file has.
pub(crate) fn version_of(conn: &Connection) -> rusqlite::Result<u32> {
    conn.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings a file forward from `from`, all steps or none.
pub(crate) fn migrate(conn: &Connection, from: u32, steps: &[Step]) -> rusqlite::Result<()> {
    let transaction = conn.unchecked_transaction()?;
    for step in steps.iter().filter(|step| step.version > from) {
        transaction.execute_batch(step.sql)?;
        transaction.pragma_update(None, "user_version", step.version)?;
    }
    transaction.commit()
}
