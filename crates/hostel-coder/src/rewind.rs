//! Going back: the conversation and the files together, to before a message; and back again.
//!
//! The conversation is cut and what is to be done with the files is written down in one transaction. The files are put back then; after
//! a crash a task does it.

use hostel::{Code, Cx, Error, JsonSchema, Result, Row};
use hostel_chat::{
    Room,
    wire::{Role, UiMessage},
};
use serde::{Deserialize, Serialize};

use crate::{
    CoderAgent,
    beside::beside,
    snapshots::{self, Taken},
    workspaces::Workspaces,
};

/// To where.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rewind {
    /// The message of a user: it goes, and all that was said after it.
    pub message_id: String,
    /// Whether the files go back, too; they do if nobody says.
    #[serde(default = "yes")]
    pub files: bool,
}

fn yes() -> bool {
    true
}

/// What became different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rewound {
    /// How many messages went, or came back.
    pub messages: usize,
    /// Whether files were put back: not if nothing had been changed since.
    pub files: bool,
}

const TABLE: &str =
    "create table if not exists coder_rewinds (n integer primary key, at integer not null, state text not null,
    kept integer not null, removed text not null, target text, undo text)";
const THERE: &str = "select 1 from sqlite_master where type = 'table' and name = 'coder_rewinds'";
const NEXT: &str = "select coalesce(max(n), 0) + 1 from coder_rewinds";
const ADD: &str =
    "insert into coder_rewinds (n, at, state, kept, removed, target, undo) values (?, ?, 'going', ?, ?, ?, ?)";
const ONE: &str = "select * from coder_rewinds where n = ?";
const UNDER_WAY: &str = "select * from coder_rewinds where state in ('going', 'coming') order by n desc limit 1";
const LAST: &str = "select * from coder_rewinds order by n desc limit 1";
const STATE: &str = "update coder_rewinds set state = ? where n = ?";
const OLD: &str = "select * from coder_rewinds where n <= (select max(n) from coder_rewinds) - 10";
const FORGET: &str = "delete from coder_rewinds where n = ?";

/// A rewind as it is written down.
struct Entry {
    n: i64,
    /// `going`, `gone`, `coming` back, or `back`.
    state: String,
    /// How many messages stayed.
    kept: i64,
    removed: Vec<UiMessage>,
    target: Option<Taken>,
    undo: Option<Taken>,
}

/// Puts conversation and files back to before a message.
pub(crate) async fn rewind(cx: &Cx<CoderAgent>, Rewind { message_id, files }: Rewind) -> Result<Rewound> {
    at_rest(cx)?;
    let said = Room::of(cx).transcript()?;
    let at = position(&said, &message_id)?;
    let target = if files { files_before(cx, &said[at..])? } else { None };
    cx.sql(TABLE, ())?;
    let n: i64 = cx.sql(NEXT, ())?.value()?.unwrap_or(1);
    let undo = match (&target, workspace(cx).await?) {
        (Some(_), Some((workspaces, workspace))) => {
            Some(snapshots::take(&workspaces, &workspace, &format!("rewind-{n}")).await?)
        }
        _ => None,
    };
    let target = target.filter(|_| undo.is_some());
    let json = |taken: &Option<Taken>| taken.as_ref().map(serde_json::to_string).transpose();
    let (go, back) = (json(&target)?, json(&undo)?);
    let removed = cx.try_update(|_| {
        let removed = Room::of(cx).cut(&message_id)?;
        let texts = serde_json::to_string(&removed.iter().map(UiMessage::to_json).collect::<Vec<_>>())?;
        let kept = i64::try_from(at).unwrap_or(i64::MAX);
        cx.sql(ADD, (n, cx.now().as_millisecond(), kept, texts, go.as_deref(), back.as_deref()))?;
        cx.tasks().finish_rewind(n).in_any_order().now()?;
        Ok(removed.len())
    })?;
    finish(cx, n).await?;
    if let Err(error) = forget_old(cx).await {
        tracing::warn!(agent = %cx.id(), %error, "what old rewinds kept of the files stays");
    }
    Ok(Rewound { messages: removed, files: target.is_some() })
}

/// Forgets rewinds of long ago: what they kept of the files first, so that a crash between both leaves nothing for ever.
async fn forget_old(cx: &Cx<CoderAgent>) -> Result<()> {
    let old: Vec<Entry> = cx.sql(OLD, ())?.iter().map(read).collect::<Result<_>>()?;
    for entry in old {
        if let (Some(taken), Some((workspaces, workspace))) = (&entry.undo, workspace(cx).await?) {
            snapshots::forget(&workspaces, &workspace, taken).await?;
        }
        cx.sql(FORGET, (entry.n,))?;
    }
    Ok(())
}

/// Takes the last rewind back, if nothing was said since.
pub(crate) async fn undo(cx: &Cx<CoderAgent>) -> Result<Rewound> {
    at_rest(cx)?;
    let nothing = || Error::msg("There is nothing to undo.").with_fix("what was put back last can be undone, once");
    let last = match cx.sql(THERE, ())?.is_empty() {
        true => None,
        false => cx.sql(LAST, ())?.iter().next().map(read).transpose()?,
    };
    let entry = last.filter(|entry| entry.state == "gone").ok_or_else(nothing)?;
    if i64::try_from(Room::of(cx).transcript()?.len()).ok() != Some(entry.kept) {
        return Err(Error::msg("Something was said since the conversation was put back.")
            .with_fix("put it back to before that first"));
    }
    cx.try_update(|_| {
        Room::of(cx).put(&entry.removed)?;
        cx.sql(STATE, ("coming", entry.n))?;
        cx.tasks().finish_rewind(entry.n).in_any_order().now()
    })?;
    finish(cx, entry.n).await?;
    Ok(Rewound { messages: entry.removed.len(), files: entry.undo.is_some() })
}

/// Puts the files to where a rewind, or its undoing, wants them. Whoever comes second finds it done.
pub(crate) async fn finish(cx: &Cx<CoderAgent>, n: i64) -> Result<()> {
    let Ok(workspaces) = cx.env::<Workspaces>() else { return state(cx, n, "gone") };
    let _alone = workspaces.alone().await;
    let Some(entry) = cx.sql(ONE, (n,))?.iter().next().map(read).transpose()? else { return Ok(()) };
    let (wanted, then) = match entry.state.as_str() {
        "going" => (entry.target, "gone"),
        "coming" => (entry.undo, "back"),
        _ => return Ok(()),
    };
    if let (Some(taken), Some((workspaces, workspace))) = (wanted, workspace(cx).await?) {
        snapshots::put_back(&workspaces, &workspace, &taken).await?;
    }
    state(cx, n, then)
}

/// Called before anything is answered: files that a rewind has not put back yet are put back first, so that nobody works on those of
/// another moment. If they cannot be, that is said once, and they stay as they are.
pub(crate) async fn settled(cx: &Cx<CoderAgent>) -> Result<()> {
    if cx.sql(THERE, ())?.is_empty() {
        return Ok(());
    }
    let Some(entry) = cx.sql(UNDER_WAY, ())?.iter().next().map(read).transpose()? else { return Ok(()) };
    let Err(error) = finish(cx, entry.n).await else { return Ok(()) };
    state(cx, entry.n, if entry.state == "going" { "gone" } else { "back" })?;
    let words = format!("The files could not be put back to the moment of this conversation: {}", error.message());
    Err(Error::msg(words).with_fix("they are as they were; say it again to go on with them so"))
}

fn state(cx: &Cx<CoderAgent>, n: i64, state: &str) -> Result<()> {
    cx.sql(STATE, (state, n)).map(drop)
}

fn read(row: Row<'_>) -> Result<Entry> {
    let taken = |name: &str| -> Result<Option<Taken>> {
        row.get::<Option<String>>(name)?.map(|text| Ok(serde_json::from_str(&text)?)).transpose()
    };
    let removed: Vec<String> = serde_json::from_str(&row.get::<String>("removed")?)?;
    Ok(Entry {
        n: row.get("n")?,
        state: row.get("state")?,
        kept: row.get("kept")?,
        removed: removed.iter().filter_map(|text| UiMessage::parse(text).ok()).collect(),
        target: taken("target")?,
        undo: taken("undo")?,
    })
}

/// Where a user's message stands.
pub(crate) fn position(said: &[UiMessage], id: &str) -> Result<usize> {
    let is_it = |message: &UiMessage| message.id == id && message.role == Role::User;
    said.iter().position(is_it).ok_or_else(|| {
        Error::coded(Code::InvalidArguments, "The conversation has no message of a user with this id.")
            .with_fix("take the `messageId` of one of `snapshots()`, or the id of a message of yours")
    })
}

/// The files before these messages: those of the first of them that led to a change. Without one they are as they were.
pub(crate) fn files_before(cx: &Cx<CoderAgent>, said: &[UiMessage]) -> Result<Option<Taken>> {
    for message in said {
        if let Some(found) = snapshots::find(cx, &message.id, snapshots::BEFORE)? {
            return Ok(Some(found.taken));
        }
    }
    Ok(None)
}

/// The workspace, if there is one.
pub(crate) async fn workspace(
    cx: &Cx<CoderAgent>,
) -> Result<Option<(std::sync::Arc<Workspaces>, hostel_workspace::Workspace)>> {
    let Ok(workspaces) = cx.env::<Workspaces>() else { return Ok(None) };
    let (of, id) = (std::sync::Arc::clone(&workspaces), cx.id().clone());
    let workspace = beside(move || Ok(of.existing(&id))).await?;
    Ok(workspace.map(|workspace| (workspaces, workspace)))
}

/// Refuses while something is answered.
pub(crate) fn at_rest(cx: &Cx<CoderAgent>) -> Result<()> {
    if Room::of(cx).open_turns()?.iter().all(|turn| turn.state == "waiting") {
        return Ok(());
    }
    Err(Error::coded(Code::ConversationBusy, "The agent is answering in this conversation.")
        .with_fix("stop the answer first, or wait until it has ended"))
}

#[cfg(test)]
mod tests;
