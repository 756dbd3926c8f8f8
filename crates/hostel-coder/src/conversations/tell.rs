//! How a coding agent keeps the lists it is in up to date: by a task, which survives crashes and holds nobody up.

use std::time::Duration;

use hostel::{Code, Cx, Error, Identity, Result};
use hostel_chat::{Room, Settings};

use super::{Conversations, News};
use crate::CoderAgent;

/// The list of what is everybody's.
const DEFAULT: &str = "default";

/// The greatest title, in characters.
const TITLE: usize = 80;

/// While an answer is under way, the lists are told again now and then: whatever was lost with a crash is put right.
const AGAIN: Duration = Duration::from_secs(60);

/// The newest order takes the place of the one before. Looking again has a key of its own: it is ordered by who may have looked too
/// early, and is not to take the place of who looks now.
const KEY: &str = "coder:conversations";
const AGAIN_KEY: &str = "coder:conversations-again";

/// A turn has begun, of whoever asked.
pub(crate) fn begun(cx: &Cx<CoderAgent>, who: Option<&Identity>) -> Result<()> {
    if let Some(who) = who {
        remember(cx, who.subject())?;
    }
    order(cx)
}

/// Has the lists told how things are. It is kept with the turn under way, or as one of its own.
pub(crate) fn order(cx: &Cx<CoderAgent>) -> Result<()> {
    if cx.id().is_sub_agent() {
        return Ok(());
    }
    // Two with the same argument would be one, and the one that runs already may have looked too early.
    let mark = u64::from_le_bytes(cx.random());
    cx.tasks().tell_conversations(mark).key(KEY).in_any_order().now().map(drop)
}

/// Tells every list how things are.
pub(crate) async fn tell(cx: &Cx<CoderAgent>) -> Result<()> {
    let (lists, news) = (lists(cx)?, news(cx).await?);
    for list in lists {
        match cx.agent::<Conversations>(&list).note(news.clone()).await {
            // The application keeps no lists, or not everybody can have one.
            Err(error) if matches!(error.code(), Some(Code::UnknownAgent | Code::NameInvalid | Code::NameTooLong)) => {}
            told => told?,
        }
    }
    if news.working {
        cx.tasks().tell_conversations(0).key(AGAIN_KEY).after(AGAIN)?;
    }
    Ok(())
}

/// Gives the conversation another title.
pub(crate) fn name(cx: &Cx<CoderAgent>, title: impl AsRef<str>) -> Result<()> {
    let title = short(title.as_ref());
    if title.is_empty() {
        return Err(Error::coded(Code::InvalidArguments, "A title needs a letter at least."));
    }
    let room = Room::of(cx);
    room.set_settings(&Settings { title: Some(title), ..room.settings()? })?;
    order(cx)
}

/// A title of one line.
pub(super) fn short(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(TITLE).collect::<String>().trim().to_owned()
}

async fn news(cx: &Cx<CoderAgent>) -> Result<News> {
    let (at, room) = (cx.now().as_millisecond(), Room::of(cx));
    let title = match room.settings()?.title {
        Some(title) => Some(title),
        None => first_words(cx)?,
    };
    // What those ask that work for this one is for the same people to answer; one that cannot be reached tells again.
    let waiting = !room.approvals()?.is_empty() || !room.approvals_below().await.unwrap_or_default().is_empty();
    Ok(News { title, at, working: !room.open_turns()?.is_empty(), waiting })
}

/// What was said first, where no model has found a title.
fn first_words(cx: &Cx<CoderAgent>) -> Result<Option<String>> {
    let Some(first) = crate::agent::stored_messages(cx, Some(1))?.into_iter().next() else { return Ok(None) };
    let parts = first["parts"].as_array().cloned().unwrap_or_default();
    let text = parts.iter().find_map(|part| part["text"].as_str()).map(short);
    Ok(text.filter(|text| !text.is_empty()))
}

/// The lists this conversation is in. Without anybody who is known, that is the one of everybody, and nothing is kept.
fn lists(cx: &Cx<CoderAgent>) -> Result<Vec<String>> {
    let there = cx.sql("select 1 from sqlite_master where type = 'table' and name = 'coder_lists'", ())?;
    let mut lists = Vec::new();
    if !there.is_empty() {
        for row in cx.sql("select list from coder_lists order by list", ())?.iter() {
            lists.push(row.get::<String>("list")?);
        }
    }
    // An agent that is named by its owner is nobody else's business.
    if !lists.iter().any(|list| list == cx.name() || list == DEFAULT) {
        lists.push(DEFAULT.to_owned());
    }
    Ok(lists)
}

fn remember(cx: &Cx<CoderAgent>, subject: &str) -> Result<()> {
    cx.sql("create table if not exists coder_lists (list text primary key) without rowid", ())?;
    cx.sql("insert or ignore into coder_lists values (?)", (subject,)).map(drop)
}
