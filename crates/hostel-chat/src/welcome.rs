//! What a new connection is told before anything else: it may be a client that was cut off, and has missed something.

use hostel::{
    Result,
    connection::ConnectionRecord,
    host::Host,
    protocol::chat::{Dialect, ResponseFrame, UiMessage, messages_at_connect, to_strict, to_v4},
};

use crate::{
    offer, out, resume,
    store::{
        self, transcript,
        turns::{self, State, Turn},
    },
};

/// The turn under way, how the turn of this client ended if it cannot ask for that, and the transcript.
///
/// A client fetches the transcript when its page is loaded, and never again: without this, what happened while it was cut
/// off would be missing until the next turn.
pub(crate) fn greet(host: &dyn Host, record: &ConnectionRecord) -> Result<Vec<String>> {
    if !store::is_begun(host)? {
        return Ok(Vec::new());
    }
    let last = turns::last_asked(host)?;
    if let Some(turn) = &last {
        out::presume(record, turn.ask.dialect());
    }
    let texts = transcript::texts(host)?;
    let is_pushed = !texts.is_empty() && !out::is_too_long(&texts);
    let mut frames = Vec::new();
    if is_pushed && out::dialect(record) == Dialect::Tolerant {
        // Before all else: the newest pages show what comes at once as one.
        frames.extend(offer::forget(host, record, &texts)?);
    }
    frames.extend(resume::announced(host, record)?);
    if let Some(turn) = last.filter(|turn| !turn.state.is_open() && turn.ask.page.as_deref() == Some(&record.id)) {
        if out::dialect(record) == Dialect::Tolerant {
            resume::note_back(host, record, &turn);
            // It may have watched what went on with its answer by itself, and asks only for its own.
            frames.extend(watched(host, Some(&turn))?);
        }
        frames.extend(ended(record, &turn));
    } else if out::dialect(record) == Dialect::Tolerant {
        frames.extend(watched(host, None)?);
    }
    if is_pushed {
        out::note_greeted(record);
        if out::dialect(record) == Dialect::Strict {
            frames.extend(offer::without_calls(host, &texts)?.map(|texts| transcript_for(record, &texts)));
        }
        frames.push(transcript_for(record, &texts));
    }
    Ok(frames)
}

/// The end of the last turn, for a page that watched it when it was cut off: some keep the beginning they have against every
/// transcript until they hear an end. Pages that did not watch it pass this over.
fn watched(host: &dyn Host, but: Option<&Turn>) -> Result<Option<String>> {
    let last = turns::last(host)?.filter(|turn| but.is_none_or(|but| but.n != turn.n));
    // Of one that failed, those who ask hear the reason.
    let over = last.filter(|turn| !turn.state.is_open() && (turn.state != State::Failed || turn.seen));
    Ok(over.map(|turn| resume::end_of(&turn).to_json()))
}

/// The end of a turn for a client that waits for it and does not ask.
fn ended(record: &ConnectionRecord, turn: &Turn) -> Vec<String> {
    let end = ResponseFrame { message_ids: &turn.ask.message_ids, replay: true, ..ResponseFrame::end(&turn.id) };
    let error = turn.error.as_deref().filter(|_| turn.state == State::Failed);
    match (out::dialect(record), error) {
        (Dialect::Tolerant, _) => Vec::new(),
        (Dialect::Strict, Some(error)) => vec![ResponseFrame { body: error, error: true, ..end }.to_json()],
        (Dialect::V4, Some(error)) => {
            let line = format!("3:{}\n", serde_json::Value::from(error));
            vec![ResponseFrame { body: &line, done: false, ..end }.to_json(), end.to_json()]
        }
        (Dialect::Strict | Dialect::V4, None) => vec![end.to_json()],
    }
}

fn transcript_for(record: &ConnectionRecord, texts: &[String]) -> String {
    let parsed = || texts.iter().filter_map(|text| UiMessage::parse(text).ok());
    match out::dialect(record) {
        Dialect::Tolerant => messages_at_connect(texts.iter().map(String::as_str)),
        Dialect::Strict => messages_at_connect(parsed().map(|message| to_strict(&message).to_json())),
        Dialect::V4 => messages_at_connect(parsed().map(|message| to_v4(&message).to_string())),
    }
}
