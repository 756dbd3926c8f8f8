//! One agent's database: whether SQLite finds it whole, whether it is where it belongs, whether this build knows its form.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use crate::history::open_to_look;
use crate::layout::relative;
use crate::{AgentKey, schema};

/// What is known of a database that could be opened.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// `None` if nothing was ever committed.
    pub(super) key: Option<AgentKey>,
    pub(super) alarm: Option<i64>,
    /// What is wrong with it.
    pub(super) wrong: Vec<String>,
}

/// Checks the file `path`, which stands for the one at `place` below the data directory.
pub(super) fn check(path: &Path, place: &str) -> Looked {
    let mut looked = Looked::default();
    // What is here already may be as large as it is: this takes the time it takes.
    let open = || open_to_look(path).and_then(|mut conn| conn.progress_handler(0, None::<fn() -> bool>).map(|()| conn));
    if let Err(error) = open().and_then(|conn| look(&conn, place, &mut looked)) {
        looked.wrong.push(format!("SQLite says: {error}"));
    }
    looked
}

fn look(conn: &Connection, place: &str, looked: &mut Looked) -> rusqlite::Result<()> {
    conn.execute_batch("PRAGMA cell_size_check=ON")?;
    let mut statement = conn.prepare("PRAGMA integrity_check(3)")?;
    let verdicts = statement.query_map([], |row| row.get::<_, String>(0))?;
    for verdict in verdicts {
        let verdict = verdict?;
        if verdict != "ok" {
            looked.wrong.push(format!("SQLite finds it damaged: {verdict}"));
        }
    }
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
