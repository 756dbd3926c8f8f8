//! The agent's own SQL.

use std::sync::Arc;
use std::time::Instant;

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::limits::Limit;
use rusqlite::{Batch, Connection, Statement};

use super::open::{OURS, Open};
use super::{AgentDb, Slot};
use crate::error::Blame;
use crate::guard::{Guard, bound_to_ours, may_bind};
use crate::value::{Bound, bytes_of, from_sqlite};
use crate::{AgentKey, Error, ErrorKind, Rows, SqlValue, connect};

/// What one query may return: it is all in memory before the agent sees it.
const MAX_RESULT_BYTES: usize = 64 << 20;

const DOING: &str = "its own SQL";

impl AgentDb {
    /// Runs the agent's own SQL in the turn. Several statements separated by `;` are allowed without
    /// parameters; the result is the last one's. A query on an agent that has no database yet does not
    /// create one unless it writes.
    ///
    /// # Errors
    ///
    /// `sql_error` if the SQL is wrong or not allowed (our tables are read-only here or hidden, the turn is
    /// the only transaction, no other file can be attached), `turn_timeout` past the deadline, and the
    /// storage errors. After any of them the turn may go on, unless SQLite had to undo it; then every
    /// further write says so.
    pub fn sql(&mut self, query: &str, params: &[SqlValue]) -> Result<Rows, Error> {
        self.load_slot()?;
        if matches!(self.slot.get_mut(), Slot::Absent)
            && let Some(answer) = self.ask_blank(query, params)
        {
            return answer;
        }
        let deadline = self.deadline;
        self.writable()?.query(query, params, deadline)
    }

    /// Runs SQL of the server on tables of its own in the turn: one statement, not under the agent's rules. Whoever writes it
    /// sees to it that nothing from outside is in its text. An agent without a database has no rows.
    ///
    /// # Errors
    ///
    /// `sql_error`, and the storage errors.
    pub fn own_sql(&mut self, query: &str, params: &[SqlValue]) -> Result<Rows, Error> {
        self.load_slot()?;
        if matches!(self.slot.get_mut(), Slot::Absent) && looks_like_reading(query) {
            return Ok(Rows::default());
        }
        self.writable()?.own_query(query, params)
    }

    fn load_slot(&self) -> Result<(), Error> {
        self.load(&mut self.slot.borrow_mut())
    }

    /// Asks an empty database in memory. `None` if the query would write.
    fn ask_blank(&self, query: &str, params: &[SqlValue]) -> Option<Result<Rows, Error>> {
        if !looks_like_reading(query) {
            return None;
        }
        let ask = || -> rusqlite::Result<Option<Rows>> {
            let mut conn = connect::open_memory()?;
            let mut guard = Guard::install(&mut conn)?;
            let _rules = guard.enter(&mut conn, self.deadline)?;
            if only_reads(&conn, query)? { execute(&conn, query, params).map(Some) } else { Ok(None) }
        };
        ask().map_err(|e| explain(&self.key, e)).transpose()
    }
}

impl Open {
    fn query(&mut self, query: &str, params: &[SqlValue], deadline: Option<Instant>) -> Result<Rows, Error> {
        match self.query_guarded(query, params, deadline) {
            Ok(rows) => Ok(rows),
            Err(e) => {
                let error = explain(self.key(), e);
                self.notice_undone(&error);
                Err(error)
            }
        }
    }

    fn own_query(&mut self, query: &str, params: &[SqlValue]) -> Result<Rows, Error> {
        let answer = self.guarded().and_then(|(conn, _)| {
            let before = conn.total_changes();
            // In our own form it never meets a statement that the agent has prepared; see `execute_one`.
            let mut rows = match query.starts_with(OURS) {
                true => collect(&mut *conn.prepare_cached(query)?, params)?,
                false => collect(&mut conn.prepare(query)?, params)?,
            };
            rows.changes = conn.total_changes() - before;
            Ok(rows)
        });
        answer.map_err(|e| {
            let error = explain(self.key(), e);
            self.notice_undone(&error);
            error
        })
    }

    fn query_guarded(&mut self, query: &str, params: &[SqlValue], deadline: Option<Instant>) -> rusqlite::Result<Rows> {
        let (conn, guard) = self.guarded()?;
        if may_bind(query) {
            return execute_unbound(conn, guard, query, params, deadline);
        }
        let _rules = guard.enter(conn, deadline)?;
        execute(conn, query, params)
    }
}

/// [`execute`], undone if a table refers to one of ours afterwards.
fn execute_unbound(
    conn: &mut Connection,
    guard: &mut Guard,
    query: &str,
    params: &[SqlValue],
    deadline: Option<Instant>,
) -> rusqlite::Result<Rows> {
    conn.execute_batch("/*hostel*/ SAVEPOINT hostel_unbound")?;
    let rules = guard.enter(conn, deadline)?;
    let done = execute(conn, query, params);
    drop(rules);
    // A failed statement may have taken the transaction with it.
    if conn.is_autocommit() {
        return done;
    }
    let bound = bound_to_ours(conn)?;
    if bound.is_some() {
        conn.execute_batch("/*hostel*/ ROLLBACK TO hostel_unbound")?;
    }
    conn.execute_batch("/*hostel*/ RELEASE hostel_unbound")?;
    bound.map_or(done, |table| Err(refers_to_ours(&table)))
}

/// No other file for the agent's SQL.
pub(crate) fn forbid_attaching(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0).map(drop)
}

fn looks_like_reading(query: &str) -> bool {
    let query = query.strip_prefix(OURS).unwrap_or(query);
    let word: String = query.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
    ["select", "with", "values", "pragma", "explain"].iter().any(|verb| word.eq_ignore_ascii_case(verb))
}

fn only_reads(conn: &Connection, query: &str) -> rusqlite::Result<bool> {
    let mut batch = Batch::new(conn, query);
    while let Some(statement) = batch.next()? {
        if !statement.readonly() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn execute(conn: &Connection, query: &str, params: &[SqlValue]) -> rusqlite::Result<Rows> {
    let before = conn.total_changes();
    let mut rows = if !params.is_empty() || is_single(query) {
        execute_one(conn, query, params)?
    } else {
        execute_all(conn, query)?
    };
    rows.changes = conn.total_changes() - before;
    Ok(rows)
}

/// Surely one statement; the others are looked at one by one.
fn is_single(query: &str) -> bool {
    !query.trim_end().trim_end_matches(';').contains(';')
}

fn execute_one(conn: &Connection, query: &str, params: &[SqlValue]) -> rusqlite::Result<Rows> {
    // A text in our own form must not meet our own prepared statement, which is not under the agent's rules.
    if query.trim_start().starts_with(OURS) {
        return collect(&mut conn.prepare(query)?, params);
    }
    collect(&mut *conn.prepare_cached(query)?, params)
}

fn execute_all(conn: &Connection, query: &str) -> rusqlite::Result<Rows> {
    let mut batch = Batch::new(conn, query);
    let mut last = Rows::default();
    while let Some(mut statement) = batch.next()? {
        last = collect(&mut statement, &[])?;
    }
    Ok(last)
}

fn collect(statement: &mut Statement<'_>, params: &[SqlValue]) -> rusqlite::Result<Rows> {
    if statement.parameter_count() != params.len() {
        return Err(rusqlite::Error::InvalidParameterCount(params.len(), statement.parameter_count()));
    }
    for (index, value) in params.iter().enumerate() {
        statement.raw_bind_parameter(index + 1, Bound(value))?;
    }
    let columns: Arc<[String]> = statement.column_names().map(str::to_owned).collect();
    let width = columns.len();
    let mut found = statement.raw_query();
    let mut rows = Vec::new();
    let mut bytes = 0;
    while let Some(row) = found.next()? {
        let values = (0..width).map(|i| row.get_ref(i).map(from_sqlite));
        let values = values.collect::<rusqlite::Result<Vec<_>>>()?;
        bytes += values.iter().map(bytes_of).sum::<usize>();
        if bytes > MAX_RESULT_BYTES {
            return Err(too_large());
        }
        rows.push(values);
    }
    Ok(Rows { columns, rows, changes: 0 })
}

fn refers_to_ours(table: &str) -> rusqlite::Error {
    let message = format!("table {table} must not refer to a table of the server (hostel_*, cf_agents_*)");
    rusqlite::Error::ToSqlConversionFailure(message.into())
}

fn too_large() -> rusqlite::Error {
    let message = format!("the result is larger than {MAX_RESULT_BYTES} bytes; select less or add a LIMIT");
    rusqlite::Error::ToSqlConversionFailure(message.into())
}

/// The agent's author reads this.
fn explain(key: &AgentKey, cause: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode;
    if cause.sqlite_error_code() == Some(ErrorCode::AuthorizationForStatementDenied) {
        let message = format!(
            "agent {key}: {DOING} is not allowed: {cause}; tables named hostel_* and cf_agents_* belong to the server, \
             the turn is the transaction (no BEGIN, COMMIT, ROLLBACK or SAVEPOINT), no ATTACH, no extensions, and only pragmas that look"
        );
        return Error::new(ErrorKind::Sql, message);
    }
    Error::sqlite(&format!("agent {key}"), DOING, Blame::Author, cause)
}
