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

/// Groups of tables that come into being when they are first needed: all of a group, or none.
pub(crate) const LAZY: &[&str] =
    &[crate::agent::tasks::CREATE, crate::agent::runs::CREATE, crate::agent::children::CREATE];

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

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: &[Step] = &[
        Step { version: 1, sql: "CREATE TABLE a (n)" },
        Step { version: 2, sql: "INSERT INTO a VALUES (2)" },
        Step { version: 3, sql: "INSERT INTO a VALUES (3)" },
    ];

    fn rows(conn: &Connection) -> Vec<i64> {
        let mut statement = conn.prepare("SELECT n FROM a").unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn only_the_steps_after_the_files_version_run() {
        let conn = Connection::open_in_memory().unwrap();
        migrate(&conn, 0, &LATER[..2]).unwrap();
        assert_eq!((version_of(&conn).unwrap(), rows(&conn)), (2, vec![2]));
        migrate(&conn, 2, LATER).unwrap();
        assert_eq!((version_of(&conn).unwrap(), rows(&conn)), (3, vec![2, 3]));
    }

    #[test]
    fn a_step_that_fails_undoes_the_ones_before_it() {
        let conn = Connection::open_in_memory().unwrap();
        let broken = [LATER[0], Step { version: 2, sql: "INSERT INTO nothing VALUES (1)" }];
        migrate(&conn, 0, &broken).unwrap_err();
        assert_eq!(version_of(&conn).unwrap(), 0);
        migrate(&conn, 0, LATER).unwrap();
    }

    #[test]
    fn versions_rise_by_one_from_one() {
        let versions: Vec<_> = STEPS.iter().map(|step| step.version).collect();
        let expected: Vec<_> = (1..=newest(STEPS)).collect();
        assert_eq!(versions, expected);
    }
}
