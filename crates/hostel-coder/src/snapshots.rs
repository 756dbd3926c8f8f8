//! The files at the moments of the conversation: before the first change that a message leads to, and after its answer.
//!
//! They are git trees under `refs/hostel/`, which no branch has: in the workspace's own repository, or, where there is none, in one
//! beside it. Which tree belongs to which message is a row. A turn that changes nothing takes none.

mod keep;
mod rows;

use hostel::{Cx, Result};
use hostel_chat::{Room, wire::Role};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) use self::{
    keep::{difference, forget, put_back, take},
    rows::{AFTER, BEFORE, find},
};
use crate::{CoderAgent, tools::Call, workspaces::Workspaces};

/// The files of a workspace at a moment, and where its repository was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Taken {
    /// Its name among git's references.
    pub(crate) name: String,
    /// Whether the workspace's own repository keeps it.
    pub(crate) is_own: bool,
    pub(crate) tree: String,
    pub(crate) branch: Option<String>,
    pub(crate) commit: Option<String>,
}

/// A message's snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) message: String,
    pub(crate) kind: String,
    pub(crate) turn: String,
    pub(crate) at: i64,
    pub(crate) taken: Taken,
}

/// Called before anything is changed: keeps the files as they were before the message that is being answered, once. That there is none
/// is said in the server's log, and keeps nobody from working.
pub(crate) async fn before(cx: &Call) {
    let Ok(workspaces) = cx.env::<Workspaces>() else { return };
    if !workspaces.begins_to_change(cx.id(), cx.turn_id()) {
        return;
    }
    if let Err(error) = keep_before(cx, &workspaces).await {
        tracing::warn!(agent = %cx.id(), %error, "the files are not kept as they were before an answer");
    }
}

async fn keep_before(cx: &Call, workspaces: &Workspaces) -> Result<()> {
    let Some(message) = asked(cx.cx(), cx.turn_id())? else { return Ok(()) };
    if rows::find(cx.cx(), &message, BEFORE)?.is_some() {
        return Ok(());
    }
    rows::keep(cx.cx(), workspaces, &message, BEFORE, cx.turn_id()).await
}

/// Called when a turn has said what it had to: keeps the files as they are, if it has changed something.
pub(crate) async fn after(cx: &Cx<CoderAgent>, turn: &str, is_again: bool) {
    let Ok(workspaces) = cx.env::<Workspaces>() else { return };
    // What was changed before a crash is known to the rows alone.
    if !workspaces.has_changed(cx.id(), turn) && !is_again {
        return;
    }
    if let Err(error) = keep_after(cx, &workspaces, turn).await {
        tracing::warn!(agent = %cx.id(), %error, "the files are not kept as they are after an answer");
    }
}

async fn keep_after(cx: &Cx<CoderAgent>, workspaces: &Workspaces, turn: &str) -> Result<()> {
    let Some(message) = asked(cx, turn)? else { return Ok(()) };
    if rows::find(cx, &message, BEFORE)?.is_none() {
        return Ok(());
    }
    rows::keep(cx, workspaces, &message, AFTER, turn).await
}

/// The files before the last message that changed any, and that message; that of `turn` does not count.
pub(crate) fn last_change(cx: &Cx<CoderAgent>, turn: &str) -> Result<Option<(String, Taken)>> {
    let (own, said) = (asked(cx, turn)?, Room::of(cx).transcript()?);
    for message in said.iter().rev().filter(|message| Some(&message.id) != own.as_ref()) {
        let Some(before) = find(cx, &message.id, BEFORE)? else { continue };
        if find(cx, &message.id, AFTER)?.is_none_or(|after| after.taken.tree != before.taken.tree) {
            return Ok(Some((message.id.clone(), before.taken)));
        }
    }
    Ok(None)
}

/// The message of a user that a turn answers.
pub(crate) fn asked(cx: &Cx<CoderAgent>, turn: &str) -> Result<Option<String>> {
    let room = Room::of(cx);
    let (answer, said) = (room.turn(turn)?.map(|turn| turn.message), room.transcript()?);
    let at = said.iter().position(|message| Some(&message.id) == answer.as_ref()).unwrap_or(said.len());
    Ok(said[..at].iter().rev().find(|message| message.role == Role::User).map(|message| message.id.clone()))
}

/// What `snapshots()` answers: the messages that led to changes, oldest first.
pub(crate) fn list(cx: &Cx<CoderAgent>) -> Result<Vec<Value>> {
    let all = rows::all(cx)?;
    let tree = |message: &str, kind: &str| {
        all.iter().find(|row| row.message == message && row.kind == kind).map(|row| row.taken.tree.as_str())
    };
    let shown = |row: &Snapshot| {
        let changed = tree(&row.message, AFTER) != Some(&row.taken.tree);
        let at = hostel::Timestamp::from_millisecond(row.at).map(|at| at.to_string()).unwrap_or_default();
        json!({"turnId": row.turn, "messageId": row.message, "at": at, "changed": changed})
    };
    Ok(all.iter().filter(|row| row.kind == BEFORE).map(shown).collect())
}
