//! Notes that outlive a conversation: what is worth knowing the next time.

use hostel::{Cx, Error, JsonSchema, Result, Row, Timestamp};
use serde::{Deserialize, Serialize};

use super::{cut, rows};
use crate::{CoderAgent, tools::refused};

/// How many notes are kept, and how long each may be.
const MOST: i64 = 200;
const LONGEST: usize = 4_000;

/// A note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// Its number.
    pub id: i64,
    /// When it was made, in milliseconds since 1970.
    pub at: i64,
    /// What it says.
    pub text: String,
}

/// All notes, the oldest first.
pub(crate) fn list(cx: &Cx<CoderAgent>) -> Result<Vec<Note>> {
    let found = rows(cx, "coder_notes", "select id, at, text from coder_notes order by id", ())?;
    let note = |row: Row<'_>| Ok(Note { id: row.get("id")?, at: row.get("at")?, text: row.get("text")? });
    found.iter().map(note).collect()
}

/// Keeps a note; its number.
pub(crate) fn add(cx: &Cx<CoderAgent>, text: &str) -> Result<i64> {
    if text.trim().is_empty() {
        return Err(refused("A note needs words.", "say what is to be kept"));
    }
    let table = "create table if not exists coder_notes
        (id integer primary key autoincrement, at integer not null, text text not null)";
    cx.sql(table, ())?;
    let count: i64 = cx.sql("select count(*) from coder_notes", ())?.value()?.unwrap_or(0);
    if count >= MOST {
        return Err(refused(format!("{MOST} notes are kept at most."), "forget some with forget_note first"));
    }
    let at = Timestamp::as_millisecond(cx.now());
    let id = cx.sql("insert into coder_notes (at, text) values (?, ?) returning id", (at, cut(text, LONGEST)))?;
    id.value()?.ok_or_else(|| Error::msg("the note was not kept"))
}

/// Forgets a note; `false` if there is none of this number.
pub(crate) fn forget(cx: &Cx<CoderAgent>, id: i64) -> Result<bool> {
    Ok(rows(cx, "coder_notes", "delete from coder_notes where id = ?", (id,))?.changes > 0)
}
