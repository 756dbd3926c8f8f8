//! The agent goes on by itself once every call of a message was answered.

use std::time::Duration;

use hostel::{
    Result,
    host::Host,
    protocol::chat::{ToolState, UiMessage, resume_none},
};
use serde_json::Value;

use super::Answer;
use crate::{
    ids, live,
    memory::{Inner, Live, Talk},
    out::{self, Audience},
    store::{
        transcript,
        turns::{self, Ask, State, Turn},
    },
};

/// The task that has the agent go on.
pub(crate) const CONTINUE: &str = "chat:continue";
/// How long more answers are waited for.
const COALESCE: Duration = Duration::from_millis(50);

/// Has the agent go on with a message, a moment from now: more answers may come.
pub(super) fn go_on(host: &dyn Host, inner: &mut Inner, message: &UiMessage, answer: &Answer<'_>) -> Result<()> {
    let before = turns::of_message(host, &message.id)?;
    let waiting = turns::open(host)?.into_iter().find(|turn| is_for(turn, message));
    let n = match waiting {
        Some(mut turn) => {
            if let Some(tools) = &answer.client_tools {
                turn.ask.client_tools.clone_from(tools);
                turns::set_ask(host, turn.n, &turn.ask)?;
            }
            if turn.state != State::Waiting {
                return Ok(());
            }
            turn.n
        }
        None => add(host, message, before.as_ref(), answer)?,
    };
    inner.owner = answer.from;
    order(host, n)
}

/// Looks at the turn in a moment; each has a moment of its own.
fn order(host: &dyn Host, n: i64) -> Result<()> {
    live::order(host, CONTINUE, n, Some(COALESCE), Some(&format!("{CONTINUE} {n}")))
}

fn is_for(turn: &Turn, message: &UiMessage) -> bool {
    turn.ask.by_itself && turn.state != State::Running && turn.ask.continues.as_deref() == Some(message.id.as_str())
}

fn add(host: &dyn Host, message: &UiMessage, before: Option<&Turn>, answer: &Answer<'_>) -> Result<i64> {
    // Whoever asked is answered; that somebody else allowed something does not make it theirs. Of a message that no turn is
    // known of nobody knows who asked.
    let asked = match before {
        Some(turn) => turn.ask.clone(),
        None => Ask { who: None, ..turns::last_asked(host)?.map(|turn| turn.ask).unwrap_or_default() },
    };
    let ask = Ask {
        continues: Some(message.id.clone()),
        by_itself: true,
        root: before.map(Turn::root),
        client_tools: answer.client_tools.clone().unwrap_or(asked.client_tools),
        body: asked.body,
        dialect: asked.dialect,
        who: asked.who,
        ..Ask::default()
    };
    let stamp = transcript::get(host, &message.id)?.map(|(_, stamp)| stamp);
    let stamp = stamp.or_else(|| before.map(|turn| turn.stamp.clone())).unwrap_or_default();
    turns::add(host, &ids::make(host, ids::TURN), State::Waiting, &ask, &stamp)
}

/// The moment has passed: the agent goes on if every call was answered.
pub(crate) fn moment_passed(host: &dyn Host, n: i64) -> Result<()> {
    let talk = Talk::of(host);
    let mut inner = talk.lock();
    live::ensure(host, &mut inner)?;
    let Some(turn) = turns::get(host, n)?.filter(|turn| turn.state == State::Waiting) else { return Ok(()) };
    let is_growing = |live: &Live| turn.ask.continues.as_deref() == Some(&*live.fold.message().id);
    if inner.live.as_ref().is_some_and(is_growing) {
        // Looked at again when what is being said is over.
        return Ok(());
    }
    if is_wanted(host, &inner, &turn)? {
        turns::set_state(host, n, State::Queued)?;
        return live::begin_next(host, &mut inner);
    }
    drop_turn(host, &mut inner, &turn)
}

/// An answer is over: what waited for that is looked at.
pub(crate) fn look_again(host: &dyn Host, message: &str) -> Result<()> {
    let waits = |turn: &&Turn| turn.state == State::Waiting && turn.ask.by_itself;
    let open = turns::open(host)?;
    let waiting = open.iter().filter(waits).find(|turn| turn.ask.continues.as_deref() == Some(message));
    waiting.map_or(Ok(()), |turn| order(host, turn.n))
}

/// A turn by itself that there is nothing to do for.
pub(crate) fn drop_turn(host: &dyn Host, inner: &mut Inner, turn: &Turn) -> Result<()> {
    turns::remove(host, turn.n)?;
    if let Some(owner) = inner.owner.take()
        && inner.pending.remove(&owner)
    {
        Audience::of(host, |key| key == owner).send(host, &resume_none(None, None));
    }
    Ok(())
}

/// Whether every call of the message was answered, and nothing was said since.
pub(crate) fn is_wanted(host: &dyn Host, inner: &Inner, turn: &Turn) -> Result<bool> {
    let Some(id) = turn.ask.continues.as_deref() else { return Ok(true) };
    let Some(message) = now(host, inner, id)? else { return Ok(false) };
    let open = message.pending_tools().any(|(_, _, state)| state != ToolState::ApprovalResponded);
    Ok(!open && !is_answered(&message))
}

/// Whether a step was begun after the last tool call.
fn is_answered(message: &UiMessage) -> bool {
    let last = |of: &dyn Fn(&Value) -> bool| message.parts.iter().rposition(of);
    let tool = last(&|part| ToolState::of(part).is_some());
    tool.is_none() || last(&|part| part["type"] == "step-start") > tool
}

/// The tool call that a message ends with, if it does.
pub(crate) fn call_at_end(message: &UiMessage) -> Option<&str> {
    let last = message.parts.last().filter(|part| ToolState::of(part).is_some())?;
    last["toolCallId"].as_str()
}

/// Whether a step was begun in this message after this call, and a page that does not know that can be shown it. One that is not would
/// ask again, and again.
pub(crate) fn can_tell_gone_on(host: &dyn Host, inner: &Inner, id: &str, call: &str) -> Result<bool> {
    let Some(message) = now(host, inner, id)? else { return Ok(false) };
    let mut after = message.parts.iter().skip_while(|part| part["toolCallId"] != call);
    Ok(after.any(|part| part["type"] == "step-start") && !out::is_too_long(&transcript::texts(host)?))
}

/// A message as far as it is.
fn now(host: &dyn Host, inner: &Inner, id: &str) -> Result<Option<UiMessage>> {
    let live = inner.live.as_ref().map(|live| live.fold.message()).filter(|message| message.id == id);
    match live {
        Some(message) => Ok(Some(message.clone())),
        None => Ok(transcript::get(host, id)?.map(|(message, _)| message)),
    }
}
