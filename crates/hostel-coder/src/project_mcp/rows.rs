//! Which entries somebody has said yes to.

use hostel::{Cx, Result};

use crate::{CoderAgent, work};

const TABLE: &str = "create table if not exists coder_mcp
    (server text primary key, entry text not null, at integer not null, by text) without rowid";
const PUT: &str = "insert or replace into coder_mcp (server, entry, at, by) values (?, ?, ?, ?)";

/// A yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allowed {
    /// The server.
    pub(super) server: String,
    /// The hash of its entry.
    pub(super) entry: String,
}

/// Whether anybody ever has.
pub(super) fn is_there(cx: &Cx<CoderAgent>) -> Result<bool> {
    work::has(cx, "coder_mcp")
}

pub(super) fn all(cx: &Cx<CoderAgent>) -> Result<Vec<Allowed>> {
    let found = work::rows(cx, "coder_mcp", "select server, entry from coder_mcp order by server", ())?;
    found.iter().map(|row| Ok(Allowed { server: row.get("server")?, entry: row.get("entry")? })).collect()
}

pub(super) fn put(cx: &Cx<CoderAgent>, allowed: &Allowed, by: Option<&str>) -> Result<()> {
    cx.sql(TABLE, ())?;
    cx.sql(PUT, (&allowed.server, &allowed.entry, cx.now().as_millisecond(), by)).map(drop)
}

/// Takes it back; `false` if there was none.
pub(super) fn remove(cx: &Cx<CoderAgent>, server: &str) -> Result<bool> {
    Ok(work::rows(cx, "coder_mcp", "delete from coder_mcp where server = ?", (server,))?.changes > 0)
}
