//! Why a turn runs and who set it off, as the journal is told.
//!
//! A turn borrows its cause from whatever brought it. Async work carries its own in a task-local, so that `cx.update` of a
//! method knows the method and who called it; nothing is copied into text before a turn that wrote something commits.

use std::sync::{Arc, atomic::Ordering};

use hostel_core::{Error, Identity, Result, Source, connection::ConnectionRecord, event::Event, host::Incoming};
use hostel_protocol::refusal::Code;
use hostel_store::{Author, Cause};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Cell, runs::Scope};
use crate::peer::Peer;

/// What an agent does of its own accord.
pub(super) const OWN: Cause<'static> = Cause { event: "update", what: "", author: Author::Agent };

/// What the register of wake-ups has it do.
pub(super) const ALARM: Cause<'static> = Cause { event: "alarm", what: "", author: Author::Schedule };

/// What happens as an agent comes into memory.
pub(super) const START: Cause<'static> = Cause { event: "start", what: "", author: Author::Agent };

/// A client's state frame.
pub(super) fn state_frame(client: &ConnectionRecord) -> Cause<'_> {
    Cause { event: "state", what: "", author: client_of(client) }
}

/// A client by its subject, where that is known.
fn client_of(record: &ConnectionRecord) -> Author<'_> {
    record.identity().map_or(Author::Connection(&record.id), |identity| Author::User(identity.subject()))
}

/// Who set something off. Owned, for work that outlives what brought it; cloning allocates nothing.
#[derive(Clone, Debug)]
pub(crate) enum By {
    /// The agent, of its own accord.
    Agent,
    /// A client.
    Connection(Arc<ConnectionRecord>),
    /// Another agent.
    Caller(Arc<Incoming>),
    /// The application's own code.
    Application,
    /// A client without a connection: an HTTP request, with who is behind it.
    Client(Option<Identity>),
    /// A wake-up.
    Schedule,
}

impl By {
    /// Who is behind an event that came over `peer`, or over no connection.
    fn event(event: &Event, peer: Option<&Arc<Peer>>) -> Self {
        match (peer, event) {
            (Some(peer), _) => Self::Connection(Arc::clone(&peer.record)),
            (None, Event::Readonly(connection, _) | Event::Protocol(connection, _)) => {
                Self::Connection(Arc::clone(connection.record()))
            }
            (None, Event::StateChanged(Source::Client(connection))) => {
                Self::Connection(Arc::clone(connection.record()))
            }
            (None, Event::Tags(request)) => Self::Client(request.identity.clone()),
            (None, Event::Request(request) | Event::BeforeSubAgent(request, _)) => {
                Self::Client(request.extensions().get().cloned())
            }
            (None, Event::Alarm) => Self::Schedule,
            (None, _) => Self::Agent,
        }
    }

    /// The call that is answered, if it is one of another agent.
    pub(crate) fn incoming(&self) -> Option<&Arc<Incoming>> {
        match self {
            Self::Caller(call) => Some(call),
            _ => None,
        }
    }

    pub(super) fn author(&self) -> Author<'_> {
        match self {
            Self::Agent => Author::Agent,
            Self::Connection(record) => client_of(record),
            Self::Caller(call) => call.caller.as_ref().map_or(Author::Application, |(_, label)| Author::Caller(label)),
            Self::Application => Author::Application,
            Self::Client(None) => Author::Request,
            Self::Client(Some(identity)) => Author::User(identity.subject()),
            Self::Schedule => Author::Schedule,
        }
    }
}

/// Why something runs.
#[derive(Clone, Debug)]
pub(super) struct Why {
    event: &'static str,
    /// The method's wire name, or nothing.
    what: &'static str,
    by: By,
}

impl Why {
    pub(super) fn call(method: &'static str, by: By) -> Self {
        Self { event: "call", what: method, by }
    }

    /// What an agent does of its own accord.
    pub(super) fn own() -> Self {
        Self { event: "update", what: "", by: By::Agent }
    }

    /// Why a task runs.
    pub(super) fn task(name: &'static str) -> Self {
        Self { event: "task", what: name, by: By::Schedule }
    }

    /// Why a hook runs.
    pub(super) fn hook(event: &Event, peer: Option<&Arc<Peer>>, caller: Option<By>) -> Self {
        let (name, what) = match event {
            Event::Start => ("start", ""),
            Event::Tags(_) | Event::Readonly(..) | Event::Protocol(..) => ("connect", ""),
            Event::Connect(..) | Event::Greet(_) => ("connect", ""),
            Event::Message(..) | Event::Frame(..) => ("message", ""),
            Event::Close(..) => ("close", ""),
            Event::Request(request) | Event::BeforeSubAgent(request, _) => ("request", method_of(request.method())),
            Event::Alarm => ("alarm", ""),
            Event::RunEnded(_) => ("run", "on_run_ended"),
            Event::StepUncertain(_) => ("run", "on_step_uncertain"),
            Event::Task { .. } => ("task", ""),
            Event::StateChanged(_) | Event::Validate(_) => ("update", "on_state_changed"),
            Event::Error(_) => ("update", "on_error"),
            Event::Call { .. } => ("call", ""),
        };
        Self { event: name, what, by: caller.unwrap_or_else(|| By::event(event, peer)) }
    }

    /// The cause of the turn that this is about.
    pub(super) fn cause(&self) -> Cause<'_> {
        Cause { event: self.event, what: self.what, author: self.by.author() }
    }

    /// The cause of a turn that async work makes on its way.
    fn update(&self) -> Cause<'_> {
        let what = match self.event {
            "call" | "task" | "update" | "run" => self.what,
            "start" => "on_start",
            "connect" => "on_connect",
            "message" => "on_message",
            "close" => "on_close",
            "request" => "on_request",
            "alarm" => "on_alarm",
            _ => "",
        };
        Cause { event: "update", what, author: self.by.author() }
    }
}

fn method_of(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "",
    }
}

tokio::task_local! {
    /// The work whose future is being polled.
    static WORK: Work;
}

/// Async work of an agent, as the turns it makes see it.
#[derive(Clone, Debug)]
pub(super) struct Work {
    cell: u64,
    era: u64,
    why: Why,
    /// The attempt at a durable run that it is.
    run: Option<Arc<Scope>>,
}

impl Work {
    /// The cause of the turns that work makes on its way; without work, the agent's own accord.
    pub(super) fn cause(work: Option<&Self>) -> Cause<'_> {
        work.map_or(OWN, |work| work.why.update())
    }

    /// The same, as an attempt at a durable run.
    pub(super) fn in_run(self, run: Arc<Scope>) -> Self {
        Self { run: Some(run), ..self }
    }

    /// The attempt at a durable run that it is.
    pub(super) fn run(&self) -> Option<&Arc<Scope>> {
        self.run.as_ref()
    }

    /// What it leaves to do beside it.
    pub(super) fn beside(self) -> Self {
        Self { run: None, ..self }
    }

    /// Runs `future` as this work.
    pub(super) fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        WORK.scope(self, future)
    }
}

impl Cell {
    /// Async work that begins now.
    pub(super) fn begin_work(&self, why: Why) -> Work {
        Work { cell: self.token, era: self.era.load(Ordering::Acquire), why, run: None }
    }

    /// The work of this agent that is being polled on this thread, if it is any.
    pub(super) fn current_work(&self) -> Option<Work> {
        WORK.try_with(|work| (work.cell == self.token).then(|| work.clone())).ok().flatten()
    }

    /// Refuses work that was begun before the agent lost writes, was put back, put out of memory or destroyed. To be asked within a turn.
    pub(super) fn check_era(&self, work: Option<&Work>) -> Result<()> {
        match work {
            Some(work) if work.era != self.era.load(Ordering::Acquire) => Err(broken_off(self)),
            _ => Ok(()),
        }
    }

    /// Everything that async work has begun is over: its turns are refused from now on. It ends at its next wait once the
    /// result is dropped.
    pub(super) fn end_era(&self) -> Option<DropGuard> {
        self.era.fetch_add(1, Ordering::AcqRel);
        self.lifetime.lock().take().map(CancellationToken::drop_guard)
    }

    /// This agent's name for those it calls.
    pub(crate) fn label(&self) -> Arc<str> {
        Arc::clone(self.label.get_or_init(|| self.id.to_string().into()))
    }
}

fn broken_off(cell: &Cell) -> Error {
    let message = format!(
        "{} had to restart, was put back to another moment or destroyed, while this work was under way.",
        cell.id
    );
    Error::coded(Code::AgentUnavailable, message).with_fix("begin again")
}
