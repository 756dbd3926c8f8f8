//! What was said, written down: a client's list merged with ours.

use hostel::{
    Result,
    connection::ConnectionRecord,
    host::Host,
    protocol::chat::{ChatRequest, Dialect, Reconciled, Role, UiMessage, reconcile},
};

use crate::{
    approval,
    memory::Talk,
    out::{self, Audience},
    store::{
        self,
        log::{self, Kind},
        transcript,
        turns::Turn,
    },
};

/// What a request makes of the conversation.
#[derive(Debug)]
pub(super) struct Merged {
    changes: Reconciled,
    /// The messages of the user that come with it.
    new: Vec<String>,
}

impl Merged {
    /// Merges the client's list with ours.
    pub(super) fn of(host: &dyn Host, request: &ChatRequest) -> Result<Self> {
        let stored = transcript::all(host)?;
        let changes = reconcile(&stored, request.messages.clone(), true);
        let is_new = |message: &&UiMessage| !stored.iter().any(|known| known.id == message.id);
        let new = changes.upserts.iter().filter(|message| message.role == Role::User).filter(is_new);
        let new = new.map(|message| message.id.clone()).collect();
        Ok(Self { changes, new })
    }

    /// Whether this message is taken away.
    pub(super) fn removes(&self, id: &str) -> bool {
        self.changes.deletions.iter().any(|gone| gone == id)
    }

    /// Writes down what came of it. Returns the messages that are new.
    pub(super) fn keep(self, host: &dyn Host, talk: &Talk, request: &str, stamp: &str) -> Result<Vec<String>> {
        let Self { changes, new } = self;
        transcript::apply(host, &changes, stamp)?;
        let rows = approval::Rows::of(host);
        changes.deletions.iter().try_for_each(|id| rows.withdraw_in(id, "The answer was deleted."))?;
        note_ask(host, talk, request, &changes.upserts, &changes.deletions)?;
        Ok(new)
    }
}

/// Writes into the log what somebody said.
pub(crate) fn note_ask(
    host: &dyn Host,
    talk: &Talk,
    id: &str,
    said: &[UiMessage],
    taken_back: &[String],
) -> Result<()> {
    let body = serde_json::json!({"id": id, "messages": said, "removed": taken_back}).to_string();
    talk.grew(log::add(host, 0, Kind::Ask, 1, body)?);
    Ok(())
}

/// What was said by those who waited becomes part of the newest message.
pub(super) fn merge(host: &dyn Host, request: &mut ChatRequest, superseded: &[&Turn]) -> Result<()> {
    let Some(mut newest) = request.messages.pop() else { return Ok(()) };
    let mut parts = Vec::new();
    for id in superseded.iter().flat_map(|turn| &turn.ask.said) {
        if let Some((message, _)) = transcript::get(host, id)?.filter(|(message, _)| message.id != newest.id) {
            parts.extend(message.parts);
            transcript::remove(host, id)?;
            approval::Rows::of(host).withdraw_in(id, "The answer was deleted.")?;
            request.messages.retain(|message| message.id != *id);
        }
    }
    parts.append(&mut newest.parts);
    newest.parts = parts;
    request.messages.push(newest);
    Ok(())
}

/// The transcript as a client has it.
pub(crate) fn messages(host: &dyn Host, messages: Vec<UiMessage>, from: &ConnectionRecord, is_old: bool) -> Result<()> {
    store::make(host)?;
    if is_old {
        out::note_dialect(from, Dialect::V4);
    }
    let talk = Talk::of(host);
    let texts: Vec<String> = messages.iter().map(UiMessage::to_json).collect();
    let merged = reconcile(&transcript::all(host)?, messages, false);
    transcript::apply(host, &merged, &transcript::stamp(host)?)?;
    note_ask(host, &talk, "", &merged.upserts, &merged.deletions)?;
    let knows = Some(from.key).filter(|key| !talk.lock().stopped.contains(key));
    Audience::others(host, knows).send_transcript(host, || Ok(texts))
}
