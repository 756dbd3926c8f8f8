//! The register of wake-ups. It may be early, and never late: an agent that wants to be woken is in it, at that time or before.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use rusqlite::Connection;

use super::Work;
use crate::AgentKey;
use crate::layout::wal_of;

const PATH: &str = "node.db";
const REMEDY: &str = "restore it from a backup; or remove it and wake every agent once, each registers what it wants";

/// The wake-ups that are registered; `None` if they cannot be read.
pub(super) fn check(work: &mut Work<'_>) -> Option<HashMap<AgentKey, i64>> {
    let path = work.layout.node();
    if !path.exists() {
        work.note("there is no register of wake-ups; the next start makes one");
        return Some(HashMap::new());
    }
    match copy_and_read(&path) {
        Ok(alarms) => Some(alarms),
        Err(why) => {
            work.problem(PATH, None, why, REMEDY);
            None
        }
    }
}

/// Its log is part of it, and reading a database with a log changes files: a copy is read.
fn copy_and_read(path: &Path) -> Result<HashMap<AgentKey, i64>, String> {
    let scratch = tempfile::tempdir().map_err(|e| e.to_string())?;
    let copy = scratch.path().join(PATH);
    fs::copy(path, &copy).map_err(|e| e.to_string())?;
    match fs::copy(wal_of(path), wal_of(&copy)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        other => drop(other.map_err(|e| e.to_string())?),
    }
    let said = |e: rusqlite::Error| format!("SQLite says: {e}");
    let conn = Connection::open(&copy).map_err(said)?;
    let verdict: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(said)?;
    if verdict != "ok" {
        return Err(format!("SQLite finds it damaged: {verdict}"));
    }
    let version: u32 = conn.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(said)?;
    if version != crate::node::VERSION {
        return Err(format!("it has schema version {version}, this build knows {}", crate::node::VERSION));
    }
    read(&conn).map_err(said)
}

fn read(conn: &Connection) -> rusqlite::Result<HashMap<AgentKey, i64>> {
    let mut statement = conn.prepare("SELECT namespace, name, at_ms FROM hostel_alarms")?;
    let rows = statement
        .query_map([], |row| Ok((AgentKey::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?), row.get(2)?)))?;
    rows.collect()
}
