//! Frames of chat to a client, with keys in the order of the reference server.

use std::borrow::Borrow;

use super::message::UiMessage;
use crate::text::push_json_str;

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// As it should.
    Completed,
    /// Somebody stopped it.
    Aborted,
    /// It failed.
    Error,
    /// It was not run.
    Skipped,
    /// It was interrupted and will go on.
    Recovering,
}

impl Outcome {
    /// The outcome as it stands on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Aborted => "aborted",
            Self::Error => "error",
            Self::Skipped => "skipped",
            Self::Recovering => "recovering",
        }
    }
}

/// A frame `cf_agent_use_chat_response`: a chunk of a turn, or its end.
///
/// ```
/// use hostel_protocol::chat::ResponseFrame;
/// let frame = ResponseFrame::chunk("r1", r#"{"type":"start-step"}"#, 1);
/// assert_eq!(
///     frame.to_json(),
///     r#"{"body":"{\"type\":\"start-step\"}","done":false,"id":"r1","type":"cf_agent_use_chat_response","seq":1}"#,
/// );
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResponseFrame<'a> {
    /// The request.
    pub id: &'a str,
    /// A chunk, lines of the old stream, or the text of an error.
    pub body: &'a str,
    /// Whether the turn is over.
    pub done: bool,
    /// The number of the chunk in its turn.
    pub seq: Option<u64>,
    /// Whether the message of before grows.
    pub continuation: bool,
    /// Whether the chunk was sent before, to others or on another connection.
    pub replay: bool,
    /// Whether the replay is complete: what follows is live.
    pub replay_complete: bool,
    /// Whether the body is the text of an error.
    pub error: bool,
    /// The messages of the user that the turn answers.
    pub message_ids: &'a [String],
    /// How the turn ended.
    pub outcome: Option<Outcome>,
}

impl<'a> ResponseFrame<'a> {
    /// A chunk.
    #[must_use]
    pub fn chunk(id: &'a str, body: &'a str, seq: u64) -> Self {
        Self { id, body, seq: Some(seq), ..Self::default() }
    }

    /// The end of a turn.
    #[must_use]
    pub fn end(id: &'a str) -> Self {
        Self { id, done: true, ..Self::default() }
    }

    /// The end of a turn that failed, with the reason. Every client shows it.
    #[must_use]
    pub fn failed(id: &'a str, reason: &'a str) -> Self {
        Self { id, body: reason, done: true, error: true, outcome: Some(Outcome::Error), ..Self::default() }
    }

    /// The frame as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // A body of JSON grows by its quotes; more is rarely needed.
        let mut out = String::with_capacity(128 + self.id.len() + self.body.len() * 9 / 8);
        out.push_str(if self.error { r#"{"error":true,"body":"# } else { r#"{"body":"# });
        push_json_str(&mut out, self.body);
        out.push_str(if self.done { r#","done":true,"id":"# } else { r#","done":false,"id":"# });
        push_json_str(&mut out, self.id);
        out.push_str(r#","type":"cf_agent_use_chat_response""#);
        self.push_optional(&mut out);
        out.push('}');
        out
    }

    fn push_optional(&self, out: &mut String) {
        if self.replay {
            out.push_str(r#","replay":true"#);
        }
        if self.replay_complete {
            out.push_str(r#","replayComplete":true"#);
        }
        if let Some(seq) = self.seq {
            out.push_str(r#","seq":"#);
            out.push_str(&seq.to_string());
        }
        if self.continuation {
            out.push_str(r#","continuation":true"#);
        }
        if let Some(outcome) = self.outcome {
            text(out, r#","outcome":"#, outcome.as_str());
        }
        if !self.message_ids.is_empty() {
            out.push_str(r#","messageIds":["#);
            joined(out, self.message_ids, |out, id| push_json_str(out, id));
            out.push(']');
        }
    }
}

/// The transcript.
#[must_use]
pub fn messages_frame(messages: &[UiMessage]) -> String {
    messages_frame_of(messages.iter().map(UiMessage::to_json))
}

/// The transcript, from messages that are JSON already.
#[must_use]
pub fn messages_frame_of<T: Borrow<str>>(messages: impl IntoIterator<Item = T>) -> String {
    let mut out = String::from(r#"{"messages":["#);
    joined(&mut out, messages, |out, message| out.push_str(message.borrow()));
    out.push_str(r#"],"type":"cf_agent_chat_messages"}"#);
    out
}

/// The transcript for a client that has just connected: newer ones keep what they have sent meanwhile.
#[must_use]
pub fn messages_at_connect<T: Borrow<str>>(messages: impl IntoIterator<Item = T>) -> String {
    let frame = messages_frame_of(messages);
    [r#"{"connect":true,"#, frame.strip_prefix('{').unwrap_or_default()].concat()
}

/// One message changed.
#[must_use]
pub fn message_updated(message: &UiMessage) -> String {
    [r#"{"type":"cf_agent_message_updated","message":"#, &message.to_json(), "}"].concat()
}

/// A turn is under way: acknowledge, and its chunks come from the first one on.
#[must_use]
pub fn stream_resuming(id: &str, probe: Option<&str>) -> String {
    let mut out = String::from(r#"{"type":"cf_agent_stream_resuming""#);
    text(&mut out, r#","id":"#, id);
    probed(out, probe)
}

/// A turn was accepted and has not said anything yet.
#[must_use]
pub fn stream_pending(id: Option<&str>, probe: Option<&str>) -> String {
    let mut out = String::from(r#"{"type":"cf_agent_stream_pending""#);
    if let Some(id) = id {
        text(&mut out, r#","id":"#, id);
    }
    probed(out, probe)
}

/// There is nothing to resume.
#[must_use]
pub fn resume_none(reason: Option<&str>, probe: Option<&str>) -> String {
    let mut out = String::from(r#"{"type":"cf_agent_stream_resume_none""#);
    if let Some(reason) = reason {
        text(&mut out, r#","reason":"#, reason);
    }
    probed(out, probe)
}

/// The transcript was cleared.
#[must_use]
pub fn chat_clear() -> String {
    r#"{"type":"cf_agent_chat_clear"}"#.to_owned()
}

/// A turn that was interrupted is being taken up again, or is not any more.
#[must_use]
pub fn recovering(is_recovering: bool, id: Option<&str>) -> String {
    let mut out = format!(r#"{{"type":"cf_agent_chat_recovering","recovering":{is_recovering}"#);
    if let Some(id) = id {
        text(&mut out, r#","id":"#, id);
    }
    out.push('}');
    out
}

fn probed(mut out: String, probe: Option<&str>) -> String {
    if let Some(probe) = probe {
        text(&mut out, r#","probeId":"#, probe);
    }
    out.push('}');
    out
}

fn text(out: &mut String, key: &str, value: &str) {
    out.push_str(key);
    push_json_str(out, value);
}

fn joined<T>(out: &mut String, items: impl IntoIterator<Item = T>, mut push: impl FnMut(&mut String, T)) {
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push(out, item);
    }
}
