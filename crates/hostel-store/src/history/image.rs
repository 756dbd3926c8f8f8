//! A whole database at a moment, as a file to look into, to change the name in, or to put in a database's place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::scratch::Scratch;
use crate::agent::children::{self, ChildRow};
use crate::agent::runs::park_unfinished;
use crate::error::Blame;
use crate::portable::admit;
use crate::{AgentKey, Error, ErrorKind, connect, schema};

const IDENTITY: &str = "SELECT namespace, name FROM hostel_meta";
const ALARM: &str = "SELECT alarm_ms FROM hostel_meta";
const HAS_TASKS: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'hostel_tasks')";
const HAS_RUNS: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'hostel_runs')";
const FIRST_TASK: &str = "SELECT min(due_ms) FROM hostel_tasks";
pub(super) const STATE: &str = "SELECT state FROM cf_agents_state WHERE id = 'cf_state_row_id'";
const RENAME: &str = "INSERT INTO hostel_meta (id, namespace, name) VALUES (1, ?1, ?2)
    ON CONFLICT (id) DO UPDATE SET namespace = excluded.namespace, name = excluded.name, alarm_ms = NULL";
pub(super) const SUBJECT: &str = "an image of a database";

/// The database of an agent as it was at a moment: a file of its own, which is removed when this is dropped.
#[derive(Debug)]
pub struct Image {
    scratch: Scratch,
    turn: i64,
    time_ms: i64,
}

impl Image {
    /// Takes a finished file for the image right after `turn`.
    pub(crate) fn new(scratch: Scratch, turn: i64, time_ms: i64) -> Self {
        Self { scratch, turn, time_ms }
    }

    /// Makes the file the one at `path`, in place of whatever was there.
    pub(crate) fn put_at(self, path: &Path) -> io::Result<()> {
        fs::rename(self.path(), path)
    }

    /// The file itself, to go on with.
    pub(super) fn into_scratch(self) -> io::Result<(Scratch, File)> {
        let file = OpenOptions::new().read(true).write(true).open(self.path())?;
        Ok((self.scratch, file))
    }

    /// The last turn that is in it; 0 if that is not known.
    pub fn turn(&self) -> i64 {
        self.turn
    }

    /// When that turn was, in Unix milliseconds.
    pub fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// The size in bytes.
    pub fn bytes(&self) -> u64 {
        fs::metadata(self.path()).map_or(0, |meta| meta.len())
    }

    /// Where the file is. To be read only.
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// The state as JSON text, `None` if it was never set.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn state(&self) -> Result<Option<String>, Error> {
        let read = |conn: &Connection| conn.query_row(STATE, [], |row| row.get(0)).optional();
        self.look(read).map(Option::flatten)
    }

    /// When the agent wanted to be woken, in Unix milliseconds.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn alarm(&self) -> Result<Option<i64>, Error> {
        let read = |conn: &Connection| conn.query_row(ALARM, [], |row| row.get(0)).optional();
        self.look(read).map(Option::flatten)
    }

    /// When there is something to do for the agent: its wake-up, or the first of what it has on order.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn wake(&self) -> Result<Option<i64>, Error> {
        let first = self.look(|conn| {
            let exists: bool = conn.query_row(HAS_TASKS, [], |row| row.get(0))?;
            if exists { conn.query_row(FIRST_TASK, [], |row| row.get(0)) } else { Ok(None) }
        })?;
        Ok(self.alarm()?.into_iter().chain(first).min())
    }

    /// Whose database it is, `None` if it does not say.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn identity(&self) -> Result<Option<AgentKey>, Error> {
        let key = |row: &rusqlite::Row<'_>| Ok(AgentKey::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?));
        self.look(|conn| conn.query_row(IDENTITY, [], key).optional())
    }

    /// Makes it the database of another agent. What belongs to the one it was taken from alone goes: its wake-up, and the
    /// results of calls with an idempotency key. Runs that have not ended are paused. Nobody is under the new one.
    ///
    /// # Errors
    ///
    /// `storage_schema` or `storage_corrupt` if Hostel's own tables in it are not as this build makes them: an imported
    /// history may hold anything. If the file cannot be written.
    pub fn rename_to(&mut self, key: &AgentKey) -> Result<(), Error> {
        self.check_ours()?;
        self.change(|conn| {
            conn.execute(RENAME, [key.namespace(), key.name()])?;
            park_unfinished(conn, "it belongs to the agent that this one was made from")?;
            conn.execute("DELETE FROM hostel_idempotency", [])?;
            children::keep(conn, &[])
        })
    }

    /// Says which agents are under its agent: those of now, not of the image's moment.
    ///
    /// # Errors
    ///
    /// As [`rename_to`](Self::rename_to).
    pub fn set_children(&mut self, rows: &[ChildRow]) -> Result<(), Error> {
        if rows.is_empty() && !self.look(children::is_there)? {
            return Ok(());
        }
        self.check_ours()?;
        self.change(|conn| children::keep(conn, rows))
    }

    /// Pauses every run in it that has not ended, since what its code did after this moment is not known here.
    ///
    /// # Errors
    ///
    /// As [`rename_to`](Self::rename_to).
    pub fn pause_runs(&mut self) -> Result<(), Error> {
        if !self.look(|conn| conn.query_row(HAS_RUNS, [], |row| row.get(0)))? {
            return Ok(());
        }
        self.check_ours()?;
        self.change(|conn| park_unfinished(conn, "the agent was put back to an earlier moment"))
    }

    /// Whether what is ours in it is as we make it, so that our own statements do in it what they say, and nothing else.
    pub(crate) fn check_ours(&self) -> Result<(), Error> {
        let (version, newest) = (self.look(schema::version_of)?, schema::newest(schema::STEPS));
        if version == 0 || version > newest {
            let message = format!(
                "{SUBJECT}: it has schema version {version}, this build knows 1 to {newest}; use a version at least as new as the one that made it"
            );
            return Err(Error::new(ErrorKind::Schema, message));
        }
        self.look(|conn| Ok(admit::as_made(conn)))?.map_err(not_ours)
    }

    /// An image of a moment from before the agent came here is somebody's word like the file it came with, and nobody here has said yes
    /// to what was allowed there: MCP servers and standing permissions stay behind.
    ///
    /// # Errors
    ///
    /// `storage_corrupt` if something is declared on the tables that the server writes; if the file cannot be written.
    pub(crate) fn take_in(&self) -> Result<(), Error> {
        if self.turn >= 0 {
            return Ok(());
        }
        self.look(|conn| Ok(admit::nothing_hangs(conn)))?.map_err(not_ours)?;
        self.change(admit::forget_consent)
    }

    /// Changes the file; afterwards everything is in it, and it is still one with a log.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        let write = || {
            let conn = connect::open_file(self.path())?;
            let transaction = conn.unchecked_transaction()?;
            let done = change(&transaction)?;
            transaction.commit()?;
            connect::checkpoint(&conn)?;
            conn.close().map_err(|(_, e)| e)?;
            Ok(done)
        };
        write().map_err(|e| failed("changing it", e))
    }

    /// Reads from the file, which stays as it is.
    pub(crate) fn look<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        open_to_look(self.path()).and_then(|conn| read(&conn)).map_err(|e| failed("reading it", e))
    }

    /// Bytes of a page, from the file's header. Refuses a file that is no database in the mode that ours have.
    pub(crate) fn page_size(&self) -> Result<u32, Error> {
        let header = || -> io::Result<[u8; 100]> {
            let mut header = [0; 100];
            File::open(self.path())?.read_exact(&mut header).map(|()| header)
        };
        let header = header().map_err(|e| Error::io(SUBJECT, "reading it", e))?;
        let page_size = match u32::from(u16::from_be_bytes([header[16], header[17]])) {
            1 => 65536,
            size => size,
        };
        let fits = page_size.is_power_of_two() && self.bytes().is_multiple_of(u64::from(page_size));
        if header.starts_with(b"SQLite format 3\0") && header[18..20] == [2, 2] && page_size >= 512 && fits {
            return Ok(page_size);
        }
        Err(Error::new(ErrorKind::Corrupt, format!("{SUBJECT}: it is not a whole database in WAL mode; make it again")))
    }
}

/// Opens a file that nobody changes: no lock, no log, nothing beside it.
pub(crate) fn open_to_look(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(look_uri(path), flags)?;
    connect::distrust(&conn)?;
    admit::bound(&mut conn)?;
    Ok(conn)
}

/// The address under which SQLite opens a file without touching anything.
pub(crate) fn look_uri(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    uri
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn not_ours(why: String) -> Error {
    let message = format!("{SUBJECT}: {why}; it cannot become an agent's, take that of another moment");
    Error::new(ErrorKind::Corrupt, message)
}

fn failed(doing: &str, cause: rusqlite::Error) -> Error {
    Error::sqlite(SUBJECT, doing, Blame::Store, cause)
}
