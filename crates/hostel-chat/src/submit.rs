//! Somebody asks for a turn: it is written down before anything else happens, and what was accepted is done.

mod bounds;
mod messages;
mod stop;

use hostel::{
    Code, Error, Identity, Result,
    connection::{ConnectionKey, ConnectionRecord},
    host::Host,
    protocol::chat::{ChatRequest, Outcome, ResponseFrame, Role, Trigger},
};

use self::{
    bounds::bounded,
    messages::{Merged, merge},
    stop::{skip, take_back},
};
pub(crate) use self::{
    messages::{messages, note_ask},
    stop::{cancel, clear, skip_queued},
};
use crate::{
    live,
    memory::{Inner, Talk},
    out::{self, Audience},
    policy::Policy,
    resume, settle,
    store::{
        self, transcript,
        turns::{self, Ask, State, Turn},
    },
};

/// The task that lets a turn begin once nothing more has come for a while.
pub(crate) const QUIET: &str = "chat:quiet";

/// Who asks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct From<'a> {
    pub(crate) connection: Option<&'a ConnectionRecord>,
    pub(crate) who: Option<&'a Identity>,
    /// A digest of what is said under an idempotency key: the same key for something else is a mistake.
    pub(crate) fingerprint: Option<&'a str>,
}

impl From<'_> {
    fn key(&self) -> Option<ConnectionKey> {
        self.connection.map(|record| record.key)
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// It has a turn.
    Turn(i64),
    /// It is one that is known already.
    Known(i64),
    /// It is not answered.
    Skipped,
}

/// Takes a request.
pub(crate) fn take(
    host: &dyn Host,
    request: ChatRequest,
    from: From<'_>,
    policy: impl FnOnce() -> Policy,
) -> Result<Accepted> {
    store::make(host)?;
    // The agent's own code: before anything is locked.
    let policy = match request.trigger {
        Trigger::Submit if request.continues().is_none() => policy(),
        _ => Policy::Queue,
    };
    let talk = Talk::of(host);
    let mut inner = talk.lock();
    live::ensure(host, &mut inner)?;
    if let Some(record) = from.connection {
        out::note_dialect(record, request.dialect);
        host.connections().iter().for_each(|other| out::presume(other, request.dialect));
    }
    if let Some(known) = turns::by_id(host, &request.id)? {
        if from.fingerprint.is_some() && from.fingerprint != known.ask.fingerprint.as_deref() {
            return Err(conflict());
        }
        return again(host, &mut inner, &known, from).map(|()| Accepted::Known(known.n));
    }
    let open = turns::open_briefly(host)?;
    let busy = open.iter().any(|turn| !turn.ask.by_itself || turn.state != State::Waiting);
    if is_repeated(&request, &open) || busy && policy == Policy::Drop || has_gone_on(host, &inner, &request)? {
        skip_at_once(host, &inner, &request, from)?;
        return Ok(Accepted::Skipped);
    }
    bounded(&request, open.iter().filter(|turn| !policy.supersedes(turn)).count())?;
    accept(host, &talk, &mut inner, request, from, policy, &open).map(Accepted::Turn)
}

fn conflict() -> Error {
    Error::coded(Code::IdempotencyConflict, "The idempotency key belongs to something else that was said.")
        .with_fix("use a new key for a new message; repeat the body exactly with the old one")
}

/// The same message of the user is waiting for its answer already.
fn is_repeated(request: &ChatRequest, open: &[Turn]) -> bool {
    let last = request.messages.last().filter(|last| last.role == Role::User && request.trigger == Trigger::Submit);
    let Some(last) = last else { return false };
    open.iter().any(|turn| turn.ask.message_ids.last() == Some(&last.id))
}

/// The agent has gone on from where the client's message ends: its tool calls were answered, and it heard of that first.
fn has_gone_on(host: &dyn Host, inner: &Inner, request: &ChatRequest) -> Result<bool> {
    let Some(message) = request.continues() else { return Ok(false) };
    settle::call_at_end(message).map_or(Ok(false), |call| settle::can_tell_gone_on(host, inner, &message.id, call))
}

/// A request that came before: its client has lost sight of it.
fn again(host: &dyn Host, inner: &mut Inner, turn: &Turn, from: From<'_>) -> Result<()> {
    let Some(record) = from.connection else { return Ok(()) };
    if turn.state.is_open() {
        inner.requesters.insert(turn.n, record.key);
    }
    match inner.live.as_ref().filter(|live| live.n == turn.n) {
        Some(live) if live.streaming => resume::replay(host, inner, record),
        Some(_) => Ok(()),
        None if turn.state.is_open() => Ok(()),
        None => {
            Audience::one(record).send_transcript(host, || transcript::texts(host))?;
            resume::tell_ended(host, record, turn)
        }
    }
}

fn skip_at_once(host: &dyn Host, inner: &Inner, request: &ChatRequest, from: From<'_>) -> Result<()> {
    let Some(record) = from.connection else { return Ok(()) };
    let to = Audience::one(record);
    to.send_transcript(host, || live::shown(host, inner))?;
    let ids = request.message_ids();
    let skipped =
        ResponseFrame { outcome: Some(Outcome::Skipped), message_ids: &ids, ..ResponseFrame::end(&request.id) };
    to.send_end(host, skipped, None);
    Ok(())
}

fn accept(
    host: &dyn Host,
    talk: &Talk,
    inner: &mut Inner,
    mut request: ChatRequest,
    from: From<'_>,
    policy: Policy,
    open: &[Turn],
) -> Result<i64> {
    let superseded: Vec<&Turn> = open.iter().filter(|turn| policy.supersedes(turn)).collect();
    if policy == Policy::Merge {
        merge(host, &mut request, &superseded)?;
    }
    let merged = Merged::of(host, &request)?;
    if request.trigger == Trigger::Regenerate {
        take_back(host, talk, inner, &request, &merged, open)?;
    }
    let stamp = transcript::stamp(host)?;
    let said = merged.keep(host, talk, &request.id, &stamp)?;
    let ask = Ask { said, ..ask_of(&request, from) };
    let stamp = match &ask.continues {
        Some(id) => transcript::get(host, id)?.map_or(stamp, |(_, stamp)| stamp),
        None => stamp,
    };
    for turn in superseded {
        skip(host, talk, inner, turn)?;
    }
    let state = if policy.quiet().is_some() { State::Waiting } else { State::Queued };
    let n = turns::add(host, &request.id, state, &ask, &stamp)?;
    if let Some(key) = from.key() {
        inner.requesters.insert(n, key);
    }
    // What it asks next is its own from the beginning.
    from.key().map(|key| inner.back.remove(&key));
    let knows = from.key().filter(|key| !inner.stopped.remove(key));
    Audience::others(host, knows).send_transcript(host, || live::shown(host, inner))?;
    match policy.quiet() {
        Some(quiet) => live::order(host, QUIET, n, Some(quiet), Some(QUIET))?,
        None => live::begin_next(host, inner)?,
    }
    Ok(n)
}

fn ask_of(request: &ChatRequest, from: From<'_>) -> Ask {
    Ask {
        regenerate: request.trigger == Trigger::Regenerate,
        continues: request.continues().map(|message| message.id.clone()),
        by_itself: false,
        after_call: request.continues().and_then(settle::call_at_end).map(str::to_owned),
        root: None,
        client_tools: request.client_tools.clone(),
        body: request.body.clone(),
        message_ids: request.message_ids(),
        said: Vec::new(),
        dialect: request.dialect.as_str().to_owned(),
        page: from.connection.map(|record| record.id.to_string()),
        who: from.who.map(Into::into),
        ended_there: None,
        shown_to: Vec::new(),
        fingerprint: from.fingerprint.map(str::to_owned),
    }
}

/// Nothing more has come for a while: the turn may begin.
pub(crate) fn quiet(host: &dyn Host, n: i64) -> Result<()> {
    let talk = Talk::of(host);
    let mut inner = talk.lock();
    live::ensure(host, &mut inner)?;
    if turns::get(host, n)?.is_some_and(|turn| turn.state == State::Waiting) {
        turns::set_state(host, n, State::Queued)?;
        live::begin_next(host, &mut inner)?;
    }
    Ok(())
}
