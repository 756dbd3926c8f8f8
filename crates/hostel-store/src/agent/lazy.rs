//! Tables that come into being with the first row: an agent that needs none of them pays nothing.

use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::AgentDb;
use super::open::Open;
use crate::Error;

/// Tables that are made together.
pub(super) struct Tables {
    /// Asks whether they are there.
    pub(super) exists: &'static str,
    /// Makes them.
    pub(super) create: &'static str,
    /// What making them is for, for the error.
    pub(super) making: &'static str,
    /// What reading them is for, for the error.
    pub(super) reading: &'static str,
}

impl Tables {
    fn are_in(&self, open: &Open) -> Result<bool, Error> {
        let look = || open.conn().prepare_cached(self.exists)?.query_row([], |row| row.get(0)).optional();
        let found: Option<bool> = look().map_err(|e| open.failed(self.reading, e))?;
        Ok(found.unwrap_or(false))
    }
}

impl AgentDb {
    /// What `read` finds; nothing where there are no tables.
    pub(super) fn read_lazy<T: Default>(
        &self,
        tables: &Tables,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let found = self.read(|open| {
            if !tables.are_in(open)? {
                return Ok(None);
            }
            read(open.conn()).map(Some).map_err(|e| open.failed(tables.reading, e))
        });
        found.map(Option::unwrap_or_default)
    }

    /// The database, with the tables.
    pub(super) fn with_lazy(&mut self, tables: &Tables) -> Result<&mut Open, Error> {
        let open = self.writable()?;
        if !tables.are_in(open)? {
            open.run(tables.making, |conn| conn.execute_batch(tables.create).map(|()| 0))?;
        }
        Ok(open)
    }
}

/// What a row of a query is.
pub(super) trait FromRow: Sized {
    /// Reads it.
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self>;
}

/// All rows of a query.
pub(super) fn rows<T: FromRow>(conn: &Connection, query: &str, params: impl Params) -> rusqlite::Result<Vec<T>> {
    let mut statement = conn.prepare_cached(query)?;
    let rows = statement.query_map(params, T::from_row)?;
    rows.collect()
}
