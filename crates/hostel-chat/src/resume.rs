//! A client that comes in the middle of an answer: what it is told, and how it catches up.

use hostel::{
    Result,
    connection::ConnectionRecord,
    host::Host,
    protocol::chat::{Chunk, Outcome, ResponseFrame, recovering, resume_none, stream_pending, stream_resuming, strict},
};

use crate::{
    live,
    memory::{Inner, Talk},
    offer,
    out::{self, Audience},
    store::{
        self, log,
        turns::{self, State, Turn},
    },
};

/// What is replayed to one client at most: beyond that it could not read it fast enough.
const MOST_REPLAYED: usize = 4 << 20;
/// How long after an end that was sent to a page that page is not asked whether it has heard it any more.
const HEARD_AFTER_MS: i64 = 10 * 60 * 1_000;

/// What a new connection is told of a turn under way, if there is one.
pub(crate) fn announced(host: &dyn Host, record: &ConnectionRecord) -> Result<Vec<String>> {
    let talk = Talk::of(host);
    let mut inner = talk.lock();
    live::ensure(host, &mut inner)?;
    let Some(live) = inner.live.as_mut() else { return Ok(waiting(host, &mut inner, record)?.into_iter().collect()) };
    let mut frames = Vec::new();
    if live.recovering && live.streaming {
        frames.push(recovering(true, Some(&live.id)));
    }
    if live.streaming {
        live.excluded.insert(record.key);
        live.found.insert(record.key, offer::calls(live.fold.message()));
        frames.push(stream_resuming(&live.id, None));
    } else if !live.continuation {
        frames.push(stream_pending(Some(&live.id), None));
        inner.pending.insert(record.key);
    }
    Ok(frames)
}

/// Remembers that a page which can ask came back to an answer of its own whose end it may have missed.
///
/// One that was connected then may have missed it all the same: it was on its way when the socket broke or the process died. Long after
/// that it is taken to have heard it.
pub(crate) fn note_back(host: &dyn Host, record: &ConnectionRecord, turn: &Turn) {
    if turn.ask.ended_there.is_some_and(|ended| host.now().as_millisecond() - ended > HEARD_AFTER_MS) {
        return;
    }
    let talk = Talk::of(host);
    let back = &mut talk.lock().back;
    back.retain(|key| host.is_connected(*key));
    back.insert(record.key);
}

/// A turn that was accepted and waits.
fn waiting(host: &dyn Host, inner: &mut Inner, record: &ConnectionRecord) -> Result<Option<String>> {
    let turn = turns::open(host)?.into_iter().find(|turn| !turn.ask.by_itself);
    Ok(turn.map(|turn| {
        inner.pending.insert(record.key);
        stream_pending(Some(&turn.id), None)
    }))
}

/// Answers a client that asks whether there is a stream to resume.
pub(crate) fn probe(host: &dyn Host, record: &ConnectionRecord, probe: Option<&str>) -> Result<()> {
    out::note_asks(record);
    let idle = |reason| Audience::one(record).send(host, &resume_none(Some(reason), probe));
    if !store::is_begun(host)? {
        idle("idle");
        return Ok(());
    }
    let talk = Talk::of(host);
    let mut inner = talk.lock();
    live::ensure(host, &mut inner)?;
    let frame = match answer(host, &mut inner, record, probe)? {
        Answer::Frame(frame) => frame,
        Answer::None(reason) => {
            idle(reason);
            return Ok(());
        }
    };
    Audience::one(record).send(host, &frame);
    Ok(())
}

enum Answer {
    Frame(String),
    None(&'static str),
}

fn answer(host: &dyn Host, inner: &mut Inner, record: &ConnectionRecord, probe: Option<&str>) -> Result<Answer> {
    if let Some(live) = inner.live.as_mut().filter(|live| live.streaming) {
        let owner = live.owner.filter(|owner| *owner != record.key && host.is_connected(*owner));
        if owner.is_some() {
            return Ok(Answer::None("continuation-owned"));
        }
        live.excluded.insert(record.key);
        return Ok(Answer::Frame(stream_resuming(&live.id, probe)));
    }
    let open = turns::open(host)?;
    let mine = inner.owner == Some(record.key);
    if let Some(turn) = open.iter().find(|turn| turn.ask.by_itself).filter(|_| mine) {
        return Ok(pending(inner, record, turn, probe));
    }
    if let Some(turn) = turns::last_asked(host)?.filter(|turn| turn.state == State::Failed && !turn.seen) {
        return Ok(over(inner, record, &turn, probe));
    }
    if let Some(turn) = missed(host, inner, record)? {
        return Ok(over(inner, record, &turn, probe));
    }
    match open.iter().find(|turn| !turn.ask.by_itself) {
        Some(turn) => Ok(pending(inner, record, turn, probe)),
        None => Ok(Answer::None("idle")),
    }
}

/// The answer of a page that has missed its end: some keep the beginning they have against every transcript until they hear one.
fn missed(host: &dyn Host, inner: &mut Inner, record: &ConnectionRecord) -> Result<Option<Turn>> {
    if !inner.back.remove(&record.key) {
        return Ok(None);
    }
    Ok(turns::last_asked(host)?.filter(|turn| !turn.state.is_open()))
}

/// One that is over is told once more: what the page makes of a stream with nothing in it is taken away by the transcript behind.
fn over(inner: &mut Inner, record: &ConnectionRecord, turn: &Turn, probe: Option<&str>) -> Answer {
    inner.told.remove(&record.key);
    Answer::Frame(stream_resuming(&turn.id, probe))
}

fn pending(inner: &mut Inner, record: &ConnectionRecord, turn: &Turn, probe: Option<&str>) -> Answer {
    inner.pending.insert(record.key);
    Answer::Frame(stream_pending(Some(&turn.id), probe))
}

/// A client is ready for a stream it was told of. It always gets an answer.
pub(crate) fn acknowledged(host: &dyn Host, record: &ConnectionRecord, id: &str) -> Result<()> {
    let unknown =
        || Audience::one(record).send_end(host, ResponseFrame { replay: true, ..ResponseFrame::end(id) }, None);
    if !store::is_begun(host)? {
        unknown();
        return Ok(());
    }
    let talk = Talk::of(host);
    let mut inner = talk.lock();
    live::ensure(host, &mut inner)?;
    if inner.live.as_ref().is_some_and(|live| *live.id == *id && live.streaming) {
        return replay(host, &mut inner, record);
    }
    match turns::by_id(host, id)? {
        Some(turn) if !turn.state.is_open() => {
            tell_ended(host, record, &turn)?;
            if inner.told.get(&record.key) == Some(&turn.n) {
                return Ok(());
            }
            // Some clients keep their own beginning of an answer, whatever transcripts say, until they hear an end.
            let (to, shown) = (Audience::one(record), live::shown(host, &inner)?);
            offer::again(host, &to, &shown)?;
            to.send_transcript(host, || Ok(shown))
        }
        Some(turn) => {
            // It has not begun: the stream is announced when it does.
            inner.pending.insert(record.key);
            Audience::one(record).send(host, &stream_pending(Some(&turn.id), None));
            Ok(())
        }
        None => {
            unknown();
            Ok(())
        }
    }
}

/// Everything the turn under way has said so far; from here on the client hears the rest as it comes.
pub(crate) fn replay(host: &dyn Host, inner: &mut Inner, record: &ConnectionRecord) -> Result<()> {
    let Some(live) = inner.live.as_mut() else { return Ok(()) };
    inner.pending.remove(&record.key);
    let to = Audience::one(record);
    if !to.old.is_empty() {
        live.excluded.remove(&record.key);
        // There is no resuming in that time: it gets the transcript at the end.
        return Ok(());
    }
    let frame = ResponseFrame { id: &live.id, continuation: live.continuation, replay: true, ..Default::default() };
    let said = log::chunks(host, live.n)?;
    if said.iter().map(String::len).sum::<usize>() > MOST_REPLAYED {
        // It would be closed for being slow, come back, and be closed again: it gets the transcript at the end.
        live.excluded.insert(record.key);
        to.send(host, &ResponseFrame { replay_complete: true, ..frame }.to_json());
        return Ok(());
    }
    live.excluded.remove(&record.key);
    live.resumed.insert(record.key);
    for (seq, body) in said.iter().enumerate() {
        let seq = Some(seq as u64);
        if body.starts_with(r#"{"type":"error""#) {
            continue;
        }
        if to.strict.is_empty() {
            to.send(host, &ResponseFrame { body, seq, ..frame }.to_json());
        } else if let Some(chunk) = Chunk::parse(body).ok().as_ref().and_then(strict) {
            to.send(host, &ResponseFrame { body: &chunk.to_json(), seq, ..frame }.to_json());
        }
    }
    to.send(host, &ResponseFrame { replay_complete: true, ..frame }.to_json());
    Ok(())
}

/// How a turn ended that is over.
pub(crate) fn tell_ended(host: &dyn Host, record: &ConnectionRecord, turn: &Turn) -> Result<()> {
    let (end, to) = (end_of(turn), Audience::one(record));
    match (turn.state, &turn.error) {
        (State::Failed, Some(error)) => {
            turns::set_seen(host, turn.n)?;
            to.send_failed(host, end, error);
        }
        _ => to.send_end(host, end, None),
    }
    Ok(())
}

/// The end of a turn that is over, for those who were not there.
pub(crate) fn end_of(turn: &Turn) -> ResponseFrame<'_> {
    let message_ids: &[String] = if turn.ask.by_itself { &[] } else { &turn.ask.message_ids };
    let outcome = match turn.state {
        State::Cancelled => Some(Outcome::Aborted),
        State::Skipped => Some(Outcome::Skipped),
        State::Failed => Some(Outcome::Error),
        _ => None,
    };
    ResponseFrame { message_ids, outcome, replay: true, ..ResponseFrame::end(&turn.id) }
}
