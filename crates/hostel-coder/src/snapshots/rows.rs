//! Which snapshot belongs to which message.

use hostel::{Cx, Result, Row};
use sha2::{Digest as _, Sha256};

use super::{Snapshot, keep};
use crate::{CoderAgent, workspaces::Workspaces};

/// Before the first change that the message led to.
pub(crate) const BEFORE: &str = "before";
/// After its answer.
pub(crate) const AFTER: &str = "after";

/// How many are kept: two for each message.
const KEPT: i64 = 400;
/// After how many git packs what it keeps.
const PACKED: u64 = 50;

const TABLE: &str = "create table if not exists coder_snapshots (message text not null, kind text not null,
    turn text not null, at integer not null, taken text not null, primary key (message, kind))";
const THERE: &str = "select 1 from sqlite_master where type = 'table' and name = 'coder_snapshots'";
const PUT: &str = "insert or replace into coder_snapshots (message, kind, turn, at, taken) values (?, ?, ?, ?, ?)";
const ALL: &str = "select * from coder_snapshots order by at, rowid";
const ONE: &str = "select * from coder_snapshots where message = ? and kind = ?";
const OLD: &str = "select * from coder_snapshots order by at desc, rowid desc limit -1 offset ?";
const FORGET: &str = "delete from coder_snapshots where message = ? and kind = ?";

fn is_there(cx: &Cx<CoderAgent>) -> Result<bool> {
    Ok(!cx.sql(THERE, ())?.is_empty())
}

/// All of them, oldest first.
pub(crate) fn all(cx: &Cx<CoderAgent>) -> Result<Vec<Snapshot>> {
    if !is_there(cx)? {
        return Ok(Vec::new());
    }
    cx.sql(ALL, ())?.iter().map(read).collect()
}

/// That of a message.
pub(crate) fn find(cx: &Cx<CoderAgent>, message: &str, kind: &str) -> Result<Option<Snapshot>> {
    if !is_there(cx)? {
        return Ok(None);
    }
    cx.sql(ONE, (message, kind))?.iter().next().map(read).transpose()
}

fn read(row: Row<'_>) -> Result<Snapshot> {
    let taken: String = row.get("taken")?;
    Ok(Snapshot {
        message: row.get("message")?,
        kind: row.get("kind")?,
        turn: row.get("turn")?,
        at: row.get("at")?,
        taken: serde_json::from_str(&taken)?,
    })
}

/// Takes one and writes it down; the oldest go.
pub(super) async fn keep(
    cx: &Cx<CoderAgent>,
    workspaces: &Workspaces,
    message: &str,
    kind: &str,
    turn: &str,
) -> Result<()> {
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(message)[..12]);
    let workspace = keep::sized(cx).await?;
    let taken = keep::take(workspaces, &workspace, &format!("{kind}-{hash}")).await?;
    put(cx, &[Snapshot { message: message.into(), kind: kind.into(), turn: turn.into(), at: now(cx), taken }])?;
    let old: Vec<Snapshot> = cx.sql(OLD, (KEPT,))?.iter().map(read).collect::<Result<_>>()?;
    for row in old {
        cx.sql(FORGET, (&row.message, &row.kind))?;
        keep::forget(workspaces, &workspace, &row.taken).await?;
    }
    if workspaces.count_snapshot().is_multiple_of(PACKED) {
        keep::pack(cx, &workspace);
    }
    Ok(())
}

fn now(cx: &Cx<CoderAgent>) -> i64 {
    cx.now().as_millisecond()
}

/// Writes rows.
pub(crate) fn put(cx: &Cx<CoderAgent>, rows: &[Snapshot]) -> Result<()> {
    cx.try_update(|_| {
        cx.sql(TABLE, ())?;
        rows.iter().try_for_each(|row| {
            let taken = serde_json::to_string(&row.taken)?;
            cx.sql(PUT, (&row.message, &row.kind, &row.turn, row.at, taken)).map(drop)
        })
    })
}
