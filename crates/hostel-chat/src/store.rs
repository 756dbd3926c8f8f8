//! What a conversation is made of, in the agent's own database: the transcript, the turns and the log.
//!
//! The transcript is in the table of the Agents SDK, under its name and in its shape, so that a conversation can move.

pub(crate) mod log;
pub(crate) mod notes;
pub(crate) mod transcript;
pub(crate) mod turns;

use hostel::{Error, Result, SqlValue, host::Host};

const TABLES: [&str; 6] = [
    "/*hostel*/ CREATE TABLE IF NOT EXISTS cf_ai_chat_agent_messages
        (id text primary key, message text not null, created_at datetime default current_timestamp)",
    "/*hostel*/ CREATE TABLE IF NOT EXISTS hostel_chat_turns
        (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, ask TEXT NOT NULL, message TEXT,
         stamp TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, stuck INTEGER NOT NULL DEFAULT 0,
         reached INTEGER NOT NULL DEFAULT 0, ended INTEGER, error TEXT, seen INTEGER NOT NULL DEFAULT 1,
         bytes INTEGER NOT NULL DEFAULT 0)",
    "/*hostel*/ CREATE INDEX IF NOT EXISTS hostel_chat_open ON hostel_chat_turns (n) WHERE ended IS NULL",
    "/*hostel*/ CREATE TABLE IF NOT EXISTS hostel_chat_log
        (seq INTEGER PRIMARY KEY, turn INTEGER NOT NULL, kind TEXT NOT NULL, items INTEGER NOT NULL, body TEXT NOT NULL)",
    "/*hostel*/ CREATE INDEX IF NOT EXISTS hostel_chat_log_turn ON hostel_chat_log (turn, seq)",
    "/*hostel*/ CREATE TABLE IF NOT EXISTS hostel_chat_notes
        (id INTEGER PRIMARY KEY, root INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL)",
];
const HAS_TABLE: &str = "/*hostel*/ SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";

/// Makes the tables, within the turn that first writes to them.
pub(crate) fn make(host: &dyn Host) -> Result<()> {
    if exists(host, "hostel_chat_notes")? {
        return Ok(());
    }
    TABLES.iter().try_for_each(|table| host.own_sql(table, &[]).map(drop))
}

/// Whether there is a table. An agent without a database has none, and gets none by being asked.
pub(crate) fn exists(host: &dyn Host, name: &str) -> Result<bool> {
    Ok(!host.own_sql(HAS_TABLE, &[name.into()])?.is_empty())
}

/// Whether anything was ever said here with us.
pub(crate) fn is_begun(host: &dyn Host) -> Result<bool> {
    exists(host, "hostel_chat_notes")
}

/// A column that is text.
pub(crate) fn text(value: &mut SqlValue) -> Result<String> {
    match std::mem::replace(value, SqlValue::Null) {
        SqlValue::Text(text) => Ok(text),
        _ => Err(damaged()),
    }
}

/// A column that may be text.
pub(crate) fn optional_text(value: &mut SqlValue) -> Option<String> {
    text(value).ok()
}

/// A column that is a number.
pub(crate) fn integer(value: &SqlValue) -> Result<i64> {
    match value {
        SqlValue::Integer(number) => Ok(*number),
        _ => Err(damaged()),
    }
}

fn damaged() -> Error {
    Error::msg("A row of the chat is not as it was written.").with_fix("restore the agent to an earlier moment")
}
