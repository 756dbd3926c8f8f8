//! Stopping: one turn, those that others take the place of, or everything there is.

use hostel::{
    Result,
    connection::ConnectionKey,
    host::Host,
    protocol::chat::{ChatRequest, Outcome, ResponseFrame, chat_clear},
};

use super::messages::Merged;
use crate::{
    agents, approval, live,
    memory::{Inner, Talk},
    out::Audience,
    store::{
        self,
        log::{self, Kind},
        transcript,
        turns::{self, State, Turn},
    },
};

/// A turn that waited is not run. What was said stays.
pub(super) fn skip(host: &dyn Host, talk: &Talk, inner: &mut Inner, turn: &Turn) -> Result<()> {
    end_unbegun(host, talk, turn, State::Skipped)?;
    let requester = inner.requesters.remove(&turn.n);
    let message_ids = &turn.ask.message_ids;
    let end = ResponseFrame { outcome: Some(Outcome::Skipped), message_ids, ..ResponseFrame::end(&turn.id) };
    let to = Audience::of(host, |key| Some(key) == requester);
    to.send_end(host, end, None);
    Ok(())
}

/// [`skip`] of a turn whose time has come. Whoever asked is shown first what there is instead.
pub(crate) fn skip_queued(host: &dyn Host, inner: &mut Inner, turn: &Turn) -> Result<()> {
    let requester = inner.requesters.get(&turn.n).copied();
    Audience::of(host, |key| Some(key) == requester).send_transcript(host, || live::shown(host, inner))?;
    skip(host, &Talk::of(host), inner, turn)
}

/// Whoever wants an answer anew does not want the one that is under way as well, nor one that waits, nor answers to what is taken
/// away with it. What would go on with a message that is taken back is dropped when its time comes, which is once it is gone: the
/// next turn does not begin here.
pub(super) fn take_back(
    host: &dyn Host,
    talk: &Talk,
    inner: &mut Inner,
    request: &ChatRequest,
    merged: &Merged,
    open: &[Turn],
) -> Result<()> {
    let ids = request.message_ids();
    let is_unwanted = |question: &String| ids.last() == Some(question) || merged.removes(question);
    let mut is_under_way = false;
    for turn in open {
        let asked = turns::get(host, turn.root())?.map(|root| root.ask.message_ids).unwrap_or_default();
        match turn.state {
            _ if !asked.last().is_some_and(is_unwanted) => {}
            State::Running => is_under_way = true,
            _ if turn.ask.by_itself => {}
            _ => skip(host, talk, inner, turn)?,
        }
    }
    if is_under_way {
        live::close(host, talk, inner, &live::End::Forgotten)?;
    }
    Ok(())
}

/// Ends a turn that has not begun. Whoever reads the log sees it there like any other end. It is written behind the turn's
/// own row, so that it does not count as something that was said: turns that were not run push out none that were.
fn end_unbegun(host: &dyn Host, talk: &Talk, turn: &Turn, state: State) -> Result<()> {
    turns::end(host, turn.n, state, None, true)?;
    let body = serde_json::json!({"state": state.as_str(), "error": null}).to_string();
    talk.grew(log::add(host, turn.n, Kind::End, 1, body)?);
    Ok(())
}

/// Stops a turn, wherever it stands.
pub(crate) fn cancel(host: &dyn Host, id: &str) -> Result<bool> {
    if !store::is_begun(host)? {
        return Ok(false);
    }
    let talk = Talk::of(host);
    let mut inner = talk.lock();
    live::ensure(host, &mut inner)?;
    let Some(turn) = turns::by_id(host, id)?.filter(|turn| turn.state.is_open()) else { return Ok(false) };
    if turn.state == State::Running {
        return live::finish(host, &talk, &mut inner, &live::End::Cancelled).map(|()| true);
    }
    end_unbegun(host, &talk, &turn, State::Cancelled)?;
    inner.requesters.remove(&turn.n);
    let message_ids = &turn.ask.message_ids;
    let end = ResponseFrame { outcome: Some(Outcome::Aborted), message_ids, ..ResponseFrame::end(&turn.id) };
    Audience::others(host, None).send_end(host, end, None);
    Ok(true)
}

/// Forgets the conversation, and stops whatever goes on in it.
pub(crate) fn clear(host: &dyn Host, from: Option<ConnectionKey>) -> Result<()> {
    store::make(host)?;
    let talk = Talk::of(host);
    let mut inner = talk.lock();
    live::ensure(host, &mut inner)?;
    for turn in turns::open_briefly(host)?.iter().filter(|turn| turn.state != State::Running) {
        skip(host, &talk, &mut inner, turn)?;
    }
    live::finish(host, &talk, &mut inner, &live::End::Forgotten)?;
    agents::forget(host)?;
    transcript::clear(host)?;
    store::notes::clear(host)?;
    approval::Rows::of(host).withdraw_all("The conversation was deleted.")?;
    talk.grew(log::clear(host)?);
    inner.owner = None;
    let knows = from.filter(|key| !inner.stopped.contains(key));
    Audience::others(host, knows).send(host, &chat_clear());
    Ok(())
}
