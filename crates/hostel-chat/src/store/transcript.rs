//! The transcript: whole messages, one row each, in the order they were said.
//!
//! Rows are ordered by when they were said, and those of one moment as they came. An answer has the moment of what it answers,
//! so that it stands behind it, even if more was said meanwhile.

use hostel::{
    Result, SqlValue, Timestamp,
    host::Host,
    protocol::chat::{Reconciled, UiMessage},
};

use super::{exists, text};

/// The table, under the name it has in the Agents SDK.
pub(crate) const TABLE: &str = "cf_ai_chat_agent_messages";

const ALL: &str = "/*hostel*/ SELECT message FROM cf_ai_chat_agent_messages ORDER BY created_at, rowid";
const UNTIL: &str =
    "/*hostel*/ SELECT message FROM cf_ai_chat_agent_messages WHERE created_at <= ?1 ORDER BY created_at, rowid";
const NEWEST_FIRST: &str =
    "/*hostel*/ SELECT message FROM cf_ai_chat_agent_messages ORDER BY created_at DESC, rowid DESC LIMIT ?1";
const ONE: &str = "/*hostel*/ SELECT message, created_at FROM cf_ai_chat_agent_messages WHERE id = ?1";
const PUT: &str = "/*hostel*/ INSERT INTO cf_ai_chat_agent_messages (id, message, created_at) VALUES (?1, ?2, ?3)
    ON CONFLICT (id) DO UPDATE SET message = excluded.message";
const REMOVE: &str = "/*hostel*/ DELETE FROM cf_ai_chat_agent_messages WHERE id = ?1";
const CLEAR: &str = "/*hostel*/ DELETE FROM cf_ai_chat_agent_messages";
const LAST_STAMP: &str = "/*hostel*/ SELECT max(created_at) FROM cf_ai_chat_agent_messages";

/// Messages as JSON, oldest first.
pub(crate) fn texts(host: &dyn Host) -> Result<Vec<String>> {
    if !exists(host, TABLE)? {
        return Ok(Vec::new());
    }
    column(host.own_sql(ALL, &[])?.rows)
}

/// All messages, oldest first. What cannot be read is left out: it may be another's.
pub(crate) fn all(host: &dyn Host) -> Result<Vec<UiMessage>> {
    Ok(read(&texts(host)?))
}

/// The messages up to a moment.
pub(crate) fn until(host: &dyn Host, stamp: &str) -> Result<Vec<UiMessage>> {
    Ok(read(&column(host.own_sql(UNTIL, &[stamp.into()])?.rows)?))
}

/// The newest messages, the newest first.
pub(crate) fn newest(host: &dyn Host, most: u32) -> Result<Vec<UiMessage>> {
    if !exists(host, TABLE)? {
        return Ok(Vec::new());
    }
    Ok(read(&column(host.own_sql(NEWEST_FIRST, &[most.into()])?.rows)?))
}

/// One message, and its moment.
pub(crate) fn get(host: &dyn Host, id: &str) -> Result<Option<(UiMessage, String)>> {
    let mut rows = host.own_sql(ONE, &[id.into()])?.rows;
    let Some([message, stamp]) = rows.first_mut().map(Vec::as_mut_slice) else { return Ok(None) };
    let (message, stamp) = (text(message)?, text(stamp).unwrap_or_default());
    Ok(UiMessage::parse(&message).ok().map(|message| (message, stamp)))
}

/// Writes a message; one that is there keeps its place.
pub(crate) fn put(host: &dyn Host, message: &UiMessage, stamp: &str) -> Result<()> {
    host.own_sql(PUT, &[(&message.id).into(), message.to_json().into(), stamp.into()]).map(drop)
}

/// Takes a message out.
pub(crate) fn remove(host: &dyn Host, id: &str) -> Result<()> {
    host.own_sql(REMOVE, &[id.into()]).map(drop)
}

/// Forgets everything.
pub(crate) fn clear(host: &dyn Host) -> Result<()> {
    host.own_sql(CLEAR, &[]).map(drop)
}

/// Does what merging another list with this one came to.
pub(crate) fn apply(host: &dyn Host, reconciled: &Reconciled, stamp: &str) -> Result<()> {
    reconciled.upserts.iter().try_for_each(|message| put(host, message, stamp))?;
    reconciled.deletions.iter().try_for_each(|id| remove(host, id))
}

/// The moment of something said now: later than everything before it, whatever the clock says.
pub(crate) fn stamp(host: &dyn Host) -> Result<String> {
    let now = host.now();
    let mut rows = host.own_sql(LAST_STAMP, &[])?.rows;
    let last = rows.first_mut().and_then(|row| row.first_mut()).and_then(|last| text(last).ok());
    let shown = shown(now);
    match last {
        Some(last) if last >= shown => Ok(after(&last).unwrap_or(shown)),
        _ => Ok(shown),
    }
}

fn shown(at: Timestamp) -> String {
    format!("{}.{:03}", at.strftime("%Y-%m-%d %H:%M:%S"), at.subsec_millisecond())
}

/// A millisecond later.
fn after(stamp: &str) -> Option<String> {
    let at: Timestamp = format!("{}Z", stamp.replace(' ', "T")).parse().ok()?;
    Timestamp::from_millisecond(at.as_millisecond() + 1).ok().map(shown)
}

fn read(texts: &[String]) -> Vec<UiMessage> {
    texts.iter().filter_map(|text| UiMessage::parse(text).ok()).collect()
}

fn column(rows: Vec<Vec<SqlValue>>) -> Result<Vec<String>> {
    rows.into_iter().filter_map(|row| row.into_iter().next()).map(|mut value| text(&mut value)).collect()
}
