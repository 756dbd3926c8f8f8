//! The node's own database: when which agent wants to be woken, what its classes declared at the last start, and what time it
//! was when the node last looked.

mod changes;
mod clock;
mod declared;

use std::path::Path;

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension};

use self::changes::Change;
pub(crate) use self::changes::Ticket;

use crate::connect::refine;
use crate::error::Blame;
use crate::{AgentKey, Error, ErrorKind};

pub(crate) const VERSION: u32 = 1;
const SUBJECT: &str = "the node's register of wake-ups";
const SCHEMA: &str = "BEGIN;
CREATE TABLE hostel_alarms (
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (namespace, name)
) WITHOUT ROWID;
PRAGMA user_version = 1;
COMMIT;";

/// The register. Each change is durable when the call returns; changes made at the same time share a sync.
#[derive(Debug)]
pub(crate) struct NodeDb {
    conn: Mutex<Connection>,
    /// Changes on their way, in order.
    waiting: Mutex<Vec<Change>>,
}

impl NodeDb {
    /// Opens or creates the register. `synchronous=FULL`: SQLite itself syncs each commit.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let opened = Connection::open(path).and_then(|conn| {
            conn.execute_batch("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-256;")?;
            Ok(conn)
        });
        let conn = opened.map_err(|e| refine(failed("opening it", e), path))?;
        Self::with(conn)
    }

    pub(crate) fn in_memory() -> Result<Self, Error> {
        Self::with(Connection::open_in_memory().map_err(|e| failed("opening it", e))?)
    }

    fn with(conn: Connection) -> Result<Self, Error> {
        let version: u32 =
            conn.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(|e| failed("opening it", e))?;
        match version {
            0 => conn.execute_batch(SCHEMA).map_err(|e| failed("creating it", e))?,
            VERSION => {}
            newer => {
                let message = format!(
                    "{SUBJECT} (node.db) has schema version {newer}, this build knows up to {VERSION}; start a version at least as new as the one that wrote it"
                );
                return Err(Error::new(ErrorKind::Schema, message));
            }
        }
        Ok(Self { conn: Mutex::new(conn), waiting: Mutex::default() })
    }

    /// Writes a copy, and calls `meanwhile` while nothing changes in the register.
    pub(crate) fn copy_to(&self, path: &Path, meanwhile: impl FnOnce()) -> Result<(), Error> {
        let conn = self.conn.lock();
        meanwhile();
        let copied = conn.execute("VACUUM INTO ?1", [path.to_string_lossy()]);
        copied.map(drop).map_err(|e| failed("copying it", e))
    }

    /// Every wake-up, earliest first.
    pub(crate) fn alarms(&self) -> Result<Vec<(AgentKey, i64)>, Error> {
        let conn = self.conn.lock();
        let read = || {
            let mut statement =
                conn.prepare_cached("SELECT namespace, name, at_ms FROM hostel_alarms ORDER BY at_ms")?;
            let rows = statement.query_map([], |row| {
                let key = AgentKey::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?);
                Ok((key, row.get(2)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|e| failed("reading it", e))
    }

    /// The wake-up of one agent.
    pub(crate) fn alarm(&self, key: &AgentKey) -> Result<Option<i64>, Error> {
        Self::written(&self.conn.lock(), key)
    }

    /// The latest that the wake-up of one agent is or may become by what is queued; `None` is later than all.
    pub(crate) fn latest_alarm(&self, key: &AgentKey) -> Result<Option<i64>, Error> {
        let conn = self.conn.lock();
        let written = Self::written(&conn, key)?;
        // Whoever writes has the connection, so what is not in here has been written.
        let waiting = self.waiting.lock();
        let queued = waiting.iter().filter(|change| change.is_for(key)).map(Change::at_ms);
        Ok(queued.fold(written, |latest, at| Some(latest?.max(at?))))
    }

    fn written(conn: &Connection, key: &AgentKey) -> Result<Option<i64>, Error> {
        const GET: &str = "SELECT at_ms FROM hostel_alarms WHERE namespace = ?1 AND name = ?2";
        let get = || conn.prepare_cached(GET)?.query_row([key.namespace(), key.name()], |row| row.get(0)).optional();
        get().map_err(|e| failed("reading it", e))
    }

    /// Sets the wake-up of an agent, in place of an earlier one. Costs no sync if it is already so.
    pub(crate) fn register(&self, key: &AgentKey, at_ms: i64) -> Result<(), Error> {
        self.settle(&self.queue(key, Some(at_ms)))
    }

    /// Removes the wake-up of an agent; with `only_if` only if it is for that moment.
    pub(crate) fn clear(&self, key: &AgentKey, only_if: Option<i64>) -> Result<(), Error> {
        match only_if {
            Some(at_ms) if self.alarm(key)? != Some(at_ms) => Ok(()),
            _ => self.settle(&self.queue(key, None)),
        }
    }
}

fn failed(doing: &str, cause: rusqlite::Error) -> Error {
    Error::sqlite(SUBJECT, doing, Blame::Store, cause)
}
