//! A Durable Object becomes an agent, and an agent a Durable Object again.
//!
//! Nothing of the object's database is changed or left out: the state, schedules, queues, MCP servers, chats and the user's own tables
//! stay as they are, and so do the tables `_cf_KV` and `_cf_METADATA` in which workerd keeps `ctx.storage` and the alarm. An agent's own
//! SQL cannot reach those, as in workerd. Added are Hostel's tables, with the alarm; on the way back they go, and the alarm is put
//! where workerd looks for it.

mod dump;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::admit::{self, Claim, said};
use super::{export, snapshot, unpack};
use crate::error::Blame;
use crate::history::{Image, Scratch};
use crate::layout::wal_of;
use crate::{AgentKey, Error, ErrorKind, Store, schema};

/// The alarm in workerd's own table, in nanoseconds.
const ALARM: &str =
    "SELECT value / 1000000 FROM _cf_METADATA WHERE key = 1 AND typeof(value) = 'integer' AND value > 0";
const HAS_METADATA: &str = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '_cf_METADATA'";
const METADATA: &str =
    "CREATE TABLE IF NOT EXISTS _cf_METADATA (\n        key INTEGER PRIMARY KEY,\n        value BLOB\n      )";
const PUT_ALARM: &str = "INSERT INTO _cf_METADATA (key, value) VALUES (1, ?1)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value";
const OF_HOSTEL: &str = "SELECT name FROM sqlite_schema WHERE lower(substr(name, 1, 7)) = 'hostel_' LIMIT 1";

impl Store {
    /// Makes the database of a Durable Object that was built with the Agents SDK that of the agent `key`. `from` is its SQLite file as
    /// workerd and miniflare keep it (with its `-wal` beside it, if there is one; nobody may have it open), or an SQL text as
    /// `sqlite3 FILE .dump` writes it. Both are somebody's word, and checked.
    ///
    /// # Errors
    ///
    /// `export_invalid` with the reason if it is neither, is damaged, or is an agent's already; `storage_full` if there is no room for
    /// it; if it cannot be read.
    pub fn import_durable_object(&self, from: &Path, key: &AgentKey) -> Result<Image, Error> {
        key.check(&self.inner.options)?;
        let failed = |e| Error::io("a Durable Object", "reading it", e);
        let (object, log) = lengths(from).map_err(failed)?;
        let is_database = is_database(from).map_err(failed)?;
        unpack::room(&self.inner, object.saturating_add(log), if is_database { object } else { 0 })?;
        let (scratch, mut file) = Scratch::create(&self.inner.layout).map_err(failed)?;
        if is_database {
            io::copy(&mut File::open(from).map_err(failed)?, &mut file).map_err(failed)?;
            copy_log(from, scratch.path()).map_err(failed)?;
        } else {
            dump::load(from, scratch.path(), self.inner.options.max_pages).map_err(refused)?;
        }
        drop(file);
        adopt(scratch.path(), key).map_err(refused)?;
        let claim = Claim { key, schema: schema::newest(schema::STEPS) };
        admit::check(&scratch, &claim).map_err(refused)?;
        Ok(Image::new(scratch, 0, crate::agent::now_ms()))
    }

    /// Writes the database of an agent to the new file `to` as that of a Durable Object: Hostel's own tables are gone, all else is as it was.
    ///
    /// # Errors
    ///
    /// `agent_not_found` if it has no database; if `to` exists or cannot be written.
    pub fn export_durable_object(&self, key: &AgentKey, to: &Path) -> Result<(), Error> {
        let image = snapshot::of(&self.inner, key)?;
        export::plain(key, image.path())?;
        release(image.path())
            .map_err(|e| Error::sqlite(&format!("agent {key}"), "taking Hostel's tables out", Blame::Store, e))?;
        let write = || -> io::Result<()> {
            let mut target = OpenOptions::new().write(true).create_new(true).open(to)?;
            io::copy(&mut File::open(image.path())?, &mut target)?;
            target.sync_all()
        };
        write().map_err(|e| Error::io(&format!("agent {key}"), &format!("writing {}", to.display()), e))
    }
}

fn refused(why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::ExportInvalid, format!("the Durable Object cannot be imported: {why}"))
}

fn is_database(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    File::open(path)?.take(16).read_to_end(&mut head)?;
    Ok(head == b"SQLite format 3\0")
}

/// Bytes of the file, and of the log beside it.
fn lengths(path: &Path) -> io::Result<(u64, u64)> {
    let log = match fs::metadata(wal_of(path)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
        log => log?.len(),
    };
    Ok((fs::metadata(path)?.len(), log))
}

/// The log beside a file that workerd did not close is part of the database.
fn copy_log(from: &Path, to: &Path) -> io::Result<()> {
    match fs::copy(wal_of(from), wal_of(to)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map(drop),
    }
}

/// Adds what is Hostel's.
fn adopt(path: &Path, key: &AgentKey) -> Result<(), String> {
    let conn = admit::open(path).map_err(said)?;
    let log: String = conn.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0)).map_err(said)?;
    if log != "delete" {
        return Err("its log could not be copied into it".to_owned());
    }
    admit::whole(&conn)?;
    let ours = conn.query_row(OF_HOSTEL, [], |row| row.get::<_, String>(0)).optional().map_err(said)?;
    if let Some(name) = ours {
        let name = name.escape_debug();
        return Err(format!(
            "it has a table {name}: it is an agent of Hostel's already; import the export of that agent"
        ));
    }
    let transaction = conn.unchecked_transaction().map_err(said)?;
    add_tables(&transaction, key).map_err(said)?;
    transaction.commit().map_err(said)?;
    conn.close().map_err(|(_, e)| said(e))
}

fn add_tables(conn: &Connection, key: &AgentKey) -> rusqlite::Result<()> {
    let reference = Connection::open_in_memory()?;
    schema::migrate(&reference, 0, schema::STEPS)?;
    let mut statement =
        reference.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rootpage")?;
    let made = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    for made in made {
        let (name, sql) = made?;
        if !conn.table_exists(None, &*name)? {
            conn.execute_batch(&sql)?;
        }
    }
    let alarm: Option<i64> = match conn.query_row(HAS_METADATA, [], |row| row.get::<_, i64>(0))? {
        0 => None,
        _ => conn.query_row(ALARM, [], |row| row.get(0)).optional()?,
    };
    let put = "INSERT INTO hostel_meta (id, namespace, name, alarm_ms) VALUES (1, ?1, ?2, ?3)";
    conn.execute(put, params![key.namespace(), key.name(), alarm])?;
    conn.pragma_update(None, "user_version", schema::newest(schema::STEPS))
}

/// Takes out what is Hostel's, bytes included, and puts the alarm where workerd looks for it.
fn release(path: &Path) -> rusqlite::Result<()> {
    let conn = admit::open(path)?;
    conn.execute_batch("PRAGMA secure_delete=ON; BEGIN")?;
    let alarm: Option<i64> =
        conn.query_row("SELECT alarm_ms FROM hostel_meta", [], |row| row.get(0)).optional()?.flatten();
    let has_metadata = conn.query_row(HAS_METADATA, [], |row| row.get::<_, i64>(0))? > 0;
    if has_metadata || alarm.is_some() {
        conn.execute_batch(METADATA)?;
        conn.execute(PUT_ALARM, [alarm.map(|ms| ms.saturating_mul(1_000_000))])?;
    }
    let mut statement =
        conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 7) = 'hostel_'")?;
    let tables = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    drop(statement);
    for table in tables {
        conn.execute_batch(&format!("DROP TABLE \"{table}\""))?;
    }
    conn.execute_batch("PRAGMA user_version=0; COMMIT")?;
    conn.close().map_err(|(_, e)| e)
}
