//! Taking away the end of a conversation, and putting messages behind it: for agents that go back to an earlier moment.
//!
//! The log stays as it is, and says what was taken away and what was put, like any other change of the transcript.

use hostel::{Code, Error, Result, host::Host, protocol::chat::UiMessage};

use crate::{
    approval, live,
    memory::{Inner, Talk},
    out::Audience,
    settle, store,
    store::{
        transcript,
        turns::{self, State, Turn},
    },
    submit,
};

/// Takes away the message with this id and all behind it, and answers them. What was asked for in them is not asked any more.
pub(crate) fn cut(host: &dyn Host, id: &str) -> Result<Vec<UiMessage>> {
    store::make(host)?;
    let talk = Talk::of(host);
    let mut inner = talk.lock();
    live::ensure(host, &mut inner)?;
    at_rest(host, &mut inner)?;
    let mut kept = transcript::all(host)?;
    let at = kept.iter().position(|message| message.id == id).ok_or_else(|| unknown(id))?;
    let gone = kept.split_off(at);
    let ids: Vec<String> = gone.iter().map(|message| message.id.clone()).collect();
    let rows = approval::Rows::of(host);
    for id in &ids {
        transcript::remove(host, id)?;
        rows.withdraw_in(id, "The conversation was put back to before this.")?;
    }
    submit::note_ask(host, &talk, "", &[], &ids)?;
    tell(host)?;
    Ok(gone)
}

/// Puts messages behind the others.
pub(crate) fn put(host: &dyn Host, messages: &[UiMessage]) -> Result<()> {
    store::make(host)?;
    let talk = Talk::of(host);
    let mut inner = talk.lock();
    live::ensure(host, &mut inner)?;
    at_rest(host, &mut inner)?;
    for message in messages {
        transcript::put(host, message, &transcript::stamp(host)?)?;
    }
    submit::note_ask(host, &talk, "", messages, &[])?;
    tell(host)
}

/// Refuses while something is answered. What would only go on once somebody has answered is dropped.
fn at_rest(host: &dyn Host, inner: &mut Inner) -> Result<()> {
    let waits = |turn: &Turn| turn.ask.by_itself && turn.state == State::Waiting;
    let (waiting, busy): (Vec<Turn>, Vec<Turn>) = turns::open(host)?.into_iter().partition(waits);
    if !busy.is_empty() {
        return Err(Error::coded(Code::ConversationBusy, "The agent is answering in this conversation.")
            .with_fix("stop the answer first, or wait until it has ended"));
    }
    waiting.iter().try_for_each(|turn| settle::drop_turn(host, inner, turn))
}

fn unknown(id: &str) -> Error {
    let shown: String = id.chars().filter(|c| !c.is_control()).take(64).collect();
    Error::coded(Code::InvalidArguments, format!("The conversation has no message {shown:?}."))
        .with_fix("take the id of one of its messages")
}

fn tell(host: &dyn Host) -> Result<()> {
    Audience::others(host, None).send_transcript(host, || transcript::texts(host))
}
