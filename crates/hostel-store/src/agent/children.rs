//! The agents under an agent. What is here is the truth of which there are: a sub-agent whose row is gone, or that is
//! doomed, is deleted, if need be after a restart.
//!
//! The table comes into being with the first sub-agent, and whether there is one is read with the identity.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::AgentDb;
use super::open::Open;
use crate::Error;

pub(crate) const CREATE: &str = "
CREATE TABLE hostel_children (
    class TEXT NOT NULL,
    name TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    alive INTEGER NOT NULL,
    doomed INTEGER NOT NULL,
    PRIMARY KEY (class, name)
) WITHOUT ROWID;";
const ALL: &str = "/*hostel*/ SELECT class, name, since_ms, alive, doomed FROM hostel_children WHERE class <> ''
    ORDER BY class, name";
const ONE: &str = "/*hostel*/ SELECT class, name, since_ms, alive, doomed FROM hostel_children
    WHERE class = ?1 AND name = ?2 AND class <> ''";
const PUT: &str = "/*hostel*/ INSERT OR REPLACE INTO hostel_children (class, name, since_ms, alive, doomed)
    VALUES (?1, ?2, ?3, ?4, ?5)";
const REMOVE: &str = "/*hostel*/ DELETE FROM hostel_children WHERE class = ?1 AND name = ?2";
const DOOM_ALL: &str = "/*hostel*/ UPDATE hostel_children SET alive = 0, doomed = ?1";
/// The row of no class says that the agent itself is to go, after its sub-agents.
const END: &str = "/*hostel*/ INSERT OR REPLACE INTO hostel_children (class, name, since_ms, alive, doomed)
    VALUES ('', '', 0, 0, 0)";
const IS_ENDING: &str = "/*hostel*/ SELECT EXISTS (SELECT 1 FROM hostel_children WHERE class = '')";

/// One agent under another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildRow {
    /// Its class, in kebab-case.
    pub class: String,
    /// Its own name.
    pub name: String,
    /// When it was first there, in Unix milliseconds.
    pub since_ms: i64,
    /// Whether it may be reached. One that is only doomed may not.
    pub alive: bool,
    /// The number of the decision to delete what it was until then, or 0.
    pub doomed: i64,
}

impl AgentDb {
    /// Whether there is, or ever was, an agent under this one.
    pub fn has_children(&self) -> bool {
        self.read(|open| Ok(Some(open.facts.children))).ok().flatten().unwrap_or(false)
    }

    /// The agents under this one, doomed ones included, by class and name.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn children(&self) -> Result<Vec<ChildRow>, Error> {
        let rows = self.read_children(|open| {
            let mut statement = open.conn().prepare_cached(ALL)?;
            let rows = statement.query_map([], row)?;
            rows.collect::<rusqlite::Result<Vec<_>>>().map(Some)
        })?;
        Ok(rows.unwrap_or_default())
    }

    /// One of them.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn child(&self, class: &str, name: &str) -> Result<Option<ChildRow>, Error> {
        self.read_children(|open| open.conn().prepare_cached(ONE)?.query_row([class, name], row).optional())
    }

    /// Whether this agent is to be deleted when those under it are.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or read.
    pub fn is_ending(&self) -> Result<bool, Error> {
        let ending = self
            .read_children(|open| open.conn().prepare_cached(IS_ENDING)?.query_row([], |row| row.get(0)).optional())?;
        Ok(ending.unwrap_or(false))
    }

    /// Keeps one of them, in place of what was known of it.
    ///
    /// # Errors
    ///
    /// If the write fails; the turn is then to be rolled back.
    pub fn put_child(&mut self, row: &ChildRow) -> Result<(), Error> {
        self.with_children()?.run("keeping a sub-agent", |conn| {
            let row = params![row.class, row.name, row.since_ms, row.alive, row.doomed];
            conn.prepare_cached(PUT)?.execute(row)
        })
    }

    /// Forgets one of them.
    ///
    /// # Errors
    ///
    /// If the write fails; the turn is then to be rolled back.
    pub fn remove_child(&mut self, class: &str, name: &str) -> Result<(), Error> {
        self.with_children()?.run("forgetting a sub-agent", |conn| conn.prepare_cached(REMOVE)?.execute([class, name]))
    }

    /// Dooms all of them, and then this agent.
    ///
    /// # Errors
    ///
    /// If the write fails; the turn is then to be rolled back.
    pub fn end_with_children(&mut self, number: i64) -> Result<(), Error> {
        self.with_children()?.run("ending with its sub-agents", |conn| {
            conn.prepare_cached(DOOM_ALL)?.execute([number])?;
            conn.prepare_cached(END)?.execute([])
        })
    }

    fn read_children<T>(&self, read: impl FnOnce(&Open) -> rusqlite::Result<Option<T>>) -> Result<Option<T>, Error> {
        self.read(|open| {
            if !open.facts.children {
                return Ok(None);
            }
            read(open).map_err(|e| open.failed("reading its sub-agents", e))
        })
    }

    fn with_children(&mut self) -> Result<&mut Open, Error> {
        let open = self.writable()?;
        if !open.facts.children {
            open.run("making room for sub-agents", |conn| conn.execute_batch(CREATE).map(|()| 0))?;
            open.facts.children = true;
        }
        Ok(open)
    }
}

/// Whether a database has, or had, agents under it.
pub(crate) fn is_there(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'hostel_children')", [], |row| row.get(0))
}

/// Has a database say that these are under it, and no others.
pub(crate) fn keep(conn: &Connection, rows: &[ChildRow]) -> rusqlite::Result<()> {
    match is_there(conn)? {
        true => drop(conn.execute("DELETE FROM hostel_children", [])?),
        false if rows.is_empty() => return Ok(()),
        false => conn.execute_batch(CREATE)?,
    }
    rows.iter().try_for_each(|row| {
        conn.execute(PUT, params![row.class, row.name, row.since_ms, row.alive, row.doomed]).map(drop)
    })
}

fn row(row: &Row<'_>) -> rusqlite::Result<ChildRow> {
    Ok(ChildRow {
        class: row.get(0)?,
        name: row.get(1)?,
        since_ms: row.get(2)?,
        alive: row.get(3)?,
        doomed: row.get(4)?,
    })
}
