//! What woke a task that is at work already: held until that is over, the newest of it, so that no flood of webhooks and no short interval
//! piles up turns.

use hostel::{Cx, Result};
use hostel_chat::Room;

use super::{say_now, turns_of};
use crate::{
    CoderAgent,
    work::{has, rows},
};

const NAME: &str = "coder_held";
const TABLE: &str =
    "create table if not exists coder_held (task integer primary key, times integer not null, text text not null)";
const HOLD: &str = "insert into coder_held (task, times, text) values (?, 1, ?)
    on conflict (task) do update set times = times + 1, text = excluded.text";
const ALL: &str =
    "select task, times, text, (select ended is null from coder_tasks where id = task) is_open from coder_held";
const FORGET: &str = "delete from coder_held where task = ?";

/// Whether a turn of the task is under way, or waits for its turn or for somebody.
pub(super) fn is_at_work(cx: &Cx<CoderAgent>, id: i64) -> Result<bool> {
    let (room, prefix) = (Room::of(cx), turns_of(id));
    Ok(room.open_turns()?.iter().any(|turn| turn.id.starts_with(&prefix)) || !room.pending()?.is_empty())
}

pub(super) fn hold(cx: &Cx<CoderAgent>, id: i64, text: &str) -> Result<()> {
    tracing::info!(agent = %cx.id(), task = id, "a task that is due is held: it is at work already, or waits for somebody's yes");
    cx.sql(TABLE, ())?;
    cx.sql(HOLD, (id, text)).map(drop)
}

pub(super) fn forget(cx: &Cx<CoderAgent>, id: i64) -> Result<()> {
    if has(cx, NAME)? { cx.sql(FORGET, (id,)).map(drop) } else { Ok(()) }
}

/// Whether something is held.
pub(crate) fn has_some(cx: &Cx<CoderAgent>) -> Result<bool> {
    Ok(has(cx, NAME)? && !cx.sql("select 1 from coder_held limit 1", ())?.is_empty())
}

/// Says what is held and need not be any more.
pub(crate) fn release(cx: &Cx<CoderAgent>) -> Result<()> {
    for row in rows(cx, NAME, ALL, ())?.iter() {
        let (id, times, text): (i64, i64, String) = (row.get("task")?, row.get("times")?, row.get("text")?);
        if is_at_work(cx, id)? {
            continue;
        }
        cx.sql(FORGET, (id,))?;
        // One that is over by now, or cancelled, is not done again.
        if row.get::<Option<i64>>("is_open")? == Some(1) {
            say_now(cx, id, in_words(times, &text))?;
        }
    }
    Ok(())
}

fn in_words(times: i64, text: &str) -> String {
    match times {
        1 => text.to_owned(),
        times => format!(
            "{text}\n\n(It was due {times} times while this agent was at work or waited; this is for the newest of them.)"
        ),
    }
}
