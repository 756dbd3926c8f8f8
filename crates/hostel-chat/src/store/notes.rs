//! What a turn notes for itself, in an order, never sent: it survives crashes, and a turn that goes on later finds it.

use hostel::{Result, host::Host};
use serde_json::Value;

use super::text;

const ADD: &str = "/*hostel*/ INSERT INTO hostel_chat_notes (root, kind, body) VALUES (?1, ?2, ?3)";
const ALL: &str = "/*hostel*/ SELECT kind, body FROM hostel_chat_notes WHERE root = ?1 ORDER BY id";
const CLEAR: &str = "/*hostel*/ DELETE FROM hostel_chat_notes";
const PRUNE: &str = "/*hostel*/ DELETE FROM hostel_chat_notes
    WHERE root NOT IN (SELECT n FROM hostel_chat_turns)";

/// Adds a note to the turns that go on with this one.
pub(crate) fn add(host: &dyn Host, root: i64, kind: &str, body: &Value) -> Result<()> {
    host.own_sql(ADD, &[root.into(), kind.into(), body.to_string().into()]).map(drop)
}

/// All notes, in their order.
pub(crate) fn all(host: &dyn Host, root: i64) -> Result<Vec<(String, Value)>> {
    let rows = host.own_sql(ALL, &[root.into()])?.rows;
    let read = |mut row: Vec<hostel::SqlValue>| {
        let [kind, body] = row.as_mut_slice() else { return Err(super::damaged()) };
        Ok((text(kind)?, serde_json::from_str(&text(body)?)?))
    };
    rows.into_iter().map(read).collect()
}

/// Forgets everything.
pub(crate) fn clear(host: &dyn Host) -> Result<()> {
    host.own_sql(CLEAR, &[]).map(drop)
}

/// Forgets those of turns that are forgotten.
pub(crate) fn prune(host: &dyn Host) -> Result<()> {
    host.own_sql(PRUNE, &[]).map(drop)
}
