//! One agent's database: whether SQLite finds it whole, whether it is where it belongs, whether this build knows its form.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OptionalExtension};

use crate::history::open_to_look;
use crate::layout::relative;
use crate::{AgentKey, schema};

/// So many of SQLite's steps are done between two looks at the clock.
const STEPS: i32 = 100;

/// What is known of a database that could be opened.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// `None` if nothing was ever committed.
    pub(super) key: Option<AgentKey>,
    pub(super) alarm: Option<i64>,
    /// Class and name of those under it.
    pub(super) children: Vec<(String, String)>,
    /// What is wrong with it.
    pub(super) wrong: Vec<String>,
    /// SQLite's check was broken off: it took too long.
    pub(super) unfinished: bool,
}

/// Checks the file `path`, which stands for the one at `place` below the data directory.
pub(super) fn check(path: &Path, place: &str, longest: Option<Duration>) -> Looked {
    let mut looked = Looked::default();
    if let Err(error) = open_to_look(path).and_then(|mut conn| look(&mut conn, place, longest, &mut looked)) {
        looked.wrong.push(format!("SQLite says: {error}"));
    }
    looked
}

fn look(conn: &mut Connection, place: &str, longest: Option<Duration>, looked: &mut Looked) -> rusqlite::Result<()> {
    conn.execute_batch("PRAGMA cell_size_check=ON")?;
    // What is here already may be as large as it is: this takes the time it takes, or that it may take.
    let deadline = longest.map(|longest| Instant::now() + longest);
    conn.progress_handler(STEPS, deadline.map(|deadline| move || Instant::now() >= deadline))?;
    match check_integrity(conn, looked) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => looked.unfinished = true,
        other => other?,
    }
    conn.progress_handler(0, None::<fn() -> bool>)?;
    check_identity(conn, place, looked)
}

fn check_integrity(conn: &Connection, looked: &mut Looked) -> rusqlite::Result<()> {
    let mut statement = conn.prepare("PRAGMA integrity_check(3)")?;
    let verdicts = statement.query_map([], |row| row.get::<_, String>(0))?;
    for verdict in verdicts {
        let verdict = verdict?;
        if verdict != "ok" {
            looked.wrong.push(format!("SQLite finds it damaged: {verdict}"));
        }
    }
    Ok(())
}

fn check_identity(conn: &Connection, place: &str, looked: &mut Looked) -> rusqlite::Result<()> {
    check_schema(conn, looked)?;
    let identity = conn
        .query_row("SELECT namespace, name, alarm_ms FROM hostel_meta", [], |row| {
            Ok((AgentKey::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?), row.get(2)?))
        })
        .optional()?;
    let Some((key, alarm)) = identity else { return check_empty(conn, looked) };
    if relative(&key) != place {
        looked.wrong.push(format!("it holds the database of agent {key}, which belongs elsewhere"));
    }
    looked.children = super::family::listed(conn)?;
    (looked.key, looked.alarm) = (Some(key), alarm);
    Ok(())
}

fn check_schema(conn: &Connection, looked: &mut Looked) -> rusqlite::Result<()> {
    let (version, newest) = (schema::version_of(conn)?, schema::newest(schema::STEPS));
    if version == 0 {
        looked.wrong.push("it is not an agent's database".to_owned());
    } else if version > newest {
        looked.wrong.push(format!("it has schema version {version}, this build knows up to {newest}"));
    }
    Ok(())
}

/// A file without an identity is one whose first turn was never committed.
fn check_empty(conn: &Connection, looked: &mut Looked) -> rusqlite::Result<()> {
    if !conn.query_row(crate::agent::EMPTY, [], |row| row.get::<_, bool>(0))? {
        looked.wrong.push("it holds data but does not say whose".to_owned());
    }
    Ok(())
}
