//! The turns: who asked for what, and what became of it. A turn that was accepted is a row until it is over.

mod row;

use hostel::{Result, SqlValue, host::Host};

pub(crate) use self::row::{Ask, State, Turn};
use super::{integer, log, notes, optional_text, text};

const COLUMNS: &str = "n, id, state, ask, message, stamp, attempts, stuck, reached, error, seen";
const OPEN_BRIEFLY: &str =
    "/*hostel*/ SELECT n, id, state, json_remove(ask, '$.body', '$.client_tools'), message, stamp,
    attempts, stuck, reached, error, seen FROM hostel_chat_turns WHERE ended IS NULL ORDER BY n";
const ADD: &str = "/*hostel*/ INSERT INTO hostel_chat_turns (n, id, state, ask, stamp, message)
    VALUES ((SELECT coalesce(max(n), 0) + 1 FROM hostel_chat_turns), ?1, ?2, ?3, ?4, ?5) RETURNING n";
const STATE: &str = "/*hostel*/ UPDATE hostel_chat_turns SET state = ?2 WHERE n = ?1";
const ATTEMPT: &str = "/*hostel*/ UPDATE hostel_chat_turns SET attempts = ?2, stuck = ?3, reached = ?4 WHERE n = ?1";
const ASK: &str = "/*hostel*/ UPDATE hostel_chat_turns SET ask = ?2 WHERE n = ?1";
const END: &str =
    "/*hostel*/ UPDATE hostel_chat_turns SET state = ?2, ended = ?3, error = ?4, seen = ?5, bytes = ?6 WHERE n = ?1";
const ENDED_THERE: &str =
    "/*hostel*/ UPDATE hostel_chat_turns SET ask = json_set(ask, '$.ended_there', ended) WHERE n = ?1";
const SEEN: &str = "/*hostel*/ UPDATE hostel_chat_turns SET seen = 1 WHERE n = ?1";
const MESSAGE: &str = "/*hostel*/ UPDATE hostel_chat_turns SET message = ?2 WHERE n = ?1";
const REMOVE: &str = "/*hostel*/ DELETE FROM hostel_chat_turns WHERE n = ?1";
const CLEAR_BYTES: &str = "/*hostel*/ UPDATE hostel_chat_turns SET bytes = 0 WHERE n <= ?1";
const SPENT: &str = "/*hostel*/ SELECT n, bytes, ended FROM hostel_chat_turns
    WHERE ended IS NOT NULL AND bytes > 0 ORDER BY n DESC";
const PRUNE: &str = "/*hostel*/ DELETE FROM hostel_chat_turns
    WHERE ended IS NOT NULL AND n <= (SELECT max(n) FROM hostel_chat_turns) - ?1";

/// Turns that are remembered: a request that comes again is not run again.
const REMEMBERED: i64 = 1_000;
/// How long what an ended turn said can be had from the log.
const KEPT_MS: i64 = 24 * 60 * 60 * 1_000;
/// How many ended turns of a conversation keep what they said.
const KEPT_TURNS: usize = 50;
/// How many bytes of what ended turns said are kept.
const KEPT_BYTES: i64 = 4 << 20;

/// Accepts a turn; returns its number.
pub(crate) fn add(host: &dyn Host, id: &str, state: State, ask: &Ask, stamp: &str) -> Result<i64> {
    let message = ask.continues.clone().unwrap_or_else(|| crate::ids::make(host, crate::ids::MESSAGE));
    let ask = serde_json::to_string(ask)?;
    let rows = host.own_sql(ADD, &[id.into(), state.as_str().into(), ask.into(), stamp.into(), message.into()])?.rows;
    rows.first().and_then(|row| row.first()).map_or(Ok(0), integer)
}

/// The turn of this request.
pub(crate) fn by_id(host: &dyn Host, id: &str) -> Result<Option<Turn>> {
    Ok(select(host, "WHERE id = ?1", &[id.into()])?.pop())
}

/// The turn with this number.
pub(crate) fn get(host: &dyn Host, n: i64) -> Result<Option<Turn>> {
    Ok(select(host, "WHERE n = ?1", &[n.into()])?.pop())
}

/// Those that are not over, in their order.
pub(crate) fn open(host: &dyn Host) -> Result<Vec<Turn>> {
    select(host, "WHERE ended IS NULL ORDER BY n", &[])
}

/// Those that are not over, in their order, without what may be large in them: not to be written back.
pub(crate) fn open_briefly(host: &dyn Host) -> Result<Vec<Turn>> {
    host.own_sql(OPEN_BRIEFLY, &[])?.rows.into_iter().map(read).collect()
}

/// The one that is under way.
pub(crate) fn running(host: &dyn Host) -> Result<Option<Turn>> {
    Ok(select(host, "WHERE ended IS NULL AND state = 'running' ORDER BY n LIMIT 1", &[])?.pop())
}

/// The last that was accepted.
pub(crate) fn last(host: &dyn Host) -> Result<Option<Turn>> {
    Ok(select(host, "ORDER BY n DESC LIMIT 1", &[])?.pop())
}

/// The last that a client asked for.
pub(crate) fn last_asked(host: &dyn Host) -> Result<Option<Turn>> {
    let turns = select(host, "ORDER BY n DESC LIMIT 20", &[])?;
    Ok(turns.into_iter().find(|turn| !turn.ask.by_itself))
}

/// The last that answered with this message.
pub(crate) fn of_message(host: &dyn Host, message: &str) -> Result<Option<Turn>> {
    Ok(select(host, "WHERE message = ?1 ORDER BY n DESC LIMIT 1", &[message.into()])?.pop())
}

fn select(host: &dyn Host, which: &str, params: &[SqlValue]) -> Result<Vec<Turn>> {
    let query = format!("/*hostel*/ SELECT {COLUMNS} FROM hostel_chat_turns {which}");
    host.own_sql(&query, params)?.rows.into_iter().map(read).collect()
}

fn read(mut row: Vec<SqlValue>) -> Result<Turn> {
    let [n, id, state, ask, message, stamp, attempts, stuck, reached, error, seen] = row.as_mut_slice() else {
        return Err(super::damaged());
    };
    Ok(Turn {
        n: integer(n)?,
        id: text(id)?,
        state: State::read(&text(state)?),
        ask: serde_json::from_str(&text(ask)?)?,
        message: optional_text(message).unwrap_or_default(),
        stamp: text(stamp)?,
        attempts: integer(attempts)?,
        stuck: integer(stuck)?,
        reached: integer(reached)?,
        error: optional_text(error),
        seen: integer(seen)? != 0,
    })
}

/// Moves a turn on.
pub(crate) fn set_state(host: &dyn Host, n: i64, state: State) -> Result<()> {
    host.own_sql(STATE, &[n.into(), state.as_str().into()]).map(drop)
}

/// Changes what a turn was asked for with.
pub(crate) fn set_ask(host: &dyn Host, n: i64, ask: &Ask) -> Result<()> {
    host.own_sql(ASK, &[n.into(), serde_json::to_string(ask)?.into()]).map(drop)
}

/// A run of a turn begins; so much was said by those before it.
pub(crate) fn set_attempt(host: &dyn Host, turn: &mut Turn, said: u64) -> Result<()> {
    let said = i64::try_from(said).unwrap_or(i64::MAX);
    turn.stuck = if said > turn.reached { 1 } else { turn.stuck + 1 };
    turn.attempts += 1;
    turn.reached = said;
    host.own_sql(ATTEMPT, &[turn.n.into(), turn.attempts.into(), turn.stuck.into(), said.into()]).map(drop)
}

/// A turn is over; `seen` says whether somebody has heard of it.
pub(crate) fn end(host: &dyn Host, n: i64, state: State, error: Option<&str>, seen: bool) -> Result<()> {
    let bytes = log::size(host, n)?;
    let params = [
        n.into(),
        state.as_str().into(),
        host.now().as_millisecond().into(),
        error.map(str::to_owned).into(),
        seen.into(),
        bytes.into(),
    ];
    host.own_sql(END, &params)?;
    note_there(host, n)?;
    tidy(host)
}

/// Notes that the page that asked is there at the end of its turn, if it is.
fn note_there(host: &dyn Host, n: i64) -> Result<()> {
    let page = get(host, n)?.and_then(|turn| turn.ask.page);
    let is_there = page.is_some_and(|page| host.connections().iter().any(|record| *record.id == *page));
    if is_there { host.own_sql(ENDED_THERE, &[n.into()]).map(drop) } else { Ok(()) }
}

/// The answer has named its message otherwise.
pub(crate) fn set_message(host: &dyn Host, n: i64, message: &str) -> Result<()> {
    host.own_sql(MESSAGE, &[n.into(), message.into()]).map(drop)
}

/// Forgets a turn that never began.
pub(crate) fn remove(host: &dyn Host, n: i64) -> Result<()> {
    host.own_sql(REMOVE, &[n.into()]).map(drop)
}

/// Somebody has heard that a turn failed.
pub(crate) fn set_seen(host: &dyn Host, n: i64) -> Result<()> {
    host.own_sql(SEEN, &[n.into()]).map(drop)
}

/// Forgets what is kept for long enough.
fn tidy(host: &dyn Host) -> Result<()> {
    let since = host.now().as_millisecond() - KEPT_MS;
    let mut bytes = 0;
    let mut last = None;
    for (at, row) in host.own_sql(SPENT, &[])?.rows.iter().enumerate() {
        let [n, size, ended] = row.as_slice() else { continue };
        bytes += integer(size)?;
        let is_kept = at == 0 || at < KEPT_TURNS && bytes <= KEPT_BYTES && integer(ended)? >= since;
        if !is_kept {
            last = Some(integer(n)?);
            break;
        }
    }
    if let Some(last) = last {
        log::forget(host, last)?;
        host.own_sql(CLEAR_BYTES, &[last.into()])?;
    }
    let forgotten = host.own_sql(PRUNE, &[REMEMBERED.into()])?.changes;
    if forgotten > 0 { notes::prune(host) } else { Ok(()) }
}
