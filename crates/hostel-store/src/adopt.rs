//! A data directory from before the journal: its logs of SQLite are the truth, once. They are copied into the files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::durability::sync_dir;
use crate::error::Blame;
use crate::layout::{Layout, wal_of};
use crate::{Error, connect};

/// Copies every log beside an agent's database into it, durably, if there was never a journal here.
pub(crate) fn adopt(layout: &Layout) -> Result<(), Error> {
    if layout.root().join("journal/lease").exists() {
        return Ok(());
    }
    let failed = |e| Error::io("the data directory", "looking for agents of an earlier version", e);
    for database in databases(&layout.agents()).map_err(failed)? {
        match copy_log(&database) {
            Ok(()) => {
                tracing::info!(file = %database.display(), "copied the log of an earlier version into its database")
            }
            // Left as it is; opening the agent will say what is wrong.
            Err(error) => {
                tracing::error!(file = %database.display(), %error, "an agent of an earlier version cannot be opened")
            }
        }
    }
    Ok(())
}

fn copy_log(database: &Path) -> Result<(), Error> {
    let subject = database.display().to_string();
    let failed = |e| Error::sqlite(&subject, "copying its log", Blame::Store, e);
    let conn = connect::open_with_log_file(database).map_err(failed)?;
    if let Err(e) = settle(&conn) {
        connect::keep_files_on_close(&conn);
        return Err(failed(e));
    }
    conn.close().map_err(|(_, e)| failed(e))?;
    let shard = database.parent().unwrap_or(database);
    sync_dir(shard).map_err(|e| Error::io(&subject, "copying its log", e))
}

fn settle(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch("PRAGMA synchronous=FULL; SELECT count(*) FROM sqlite_schema;")?;
    connect::checkpoint(conn).map(drop)
}

/// The databases that have a log beside them.
fn databases(agents: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for namespace in subdirectories(agents)? {
        for shard in subdirectories(&namespace)? {
            for entry in fs::read_dir(shard)? {
                let path = entry?.path();
                let is_database = path.extension().is_some_and(|end| end == "db");
                if is_database && fs::metadata(wal_of(&path)).is_ok_and(|meta| meta.len() > 0) {
                    found.push(path);
                }
            }
        }
    }
    Ok(found)
}

fn subdirectories(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}
