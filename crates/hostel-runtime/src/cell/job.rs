//! What can be given to an agent to do. One closed list; each kind says how it is refused.

use std::sync::Arc;

use hostel_core::{
    AgentId, Args, BeforeSubAgent, CloseEvent, ConnectRequest, Error, Message, Request, Response, Result, event::Event,
    host::Incoming,
};
use hostel_protocol::refusal::Code;
use serde_json::Value;
use tokio::sync::oneshot;

use super::{
    By, Cell,
    connect::Opened,
    family::{Admission, Destroyed},
    restore::{Replacement, Restored},
    tasks::{Answer, Ask},
};
use crate::{node::Seat, peer::Peer, reply::ReplyTo};

/// One entry of the inbox.
pub(crate) enum Job {
    /// Bring the agent into memory and say how that went.
    ///
    /// It may bring the props that the router hands over.
    Wake(Option<Arc<Value>>, oneshot::Sender<Result<()>>),
    /// Ask a hook that decides about a connection.
    Decide(Box<Event>, oneshot::Sender<Result<hostel_core::event::Output>>),
    /// Add a connection and greet it.
    Open(Arc<Peer>, Arc<ConnectRequest>, oneshot::Sender<Result<Opened>>),
    /// A connection's message.
    Message(Arc<Peer>, Message),
    /// A connection has ended.
    Close(Arc<Peer>, CloseEvent),
    /// An HTTP request, or one of another agent.
    Request(Box<Request>, Option<By>, oneshot::Sender<Result<Response>>),
    /// A call that did not come as a frame.
    Call { method: String, args: Args, key: Option<String>, cancel: bool, reply: ReplyTo },
    /// The wake-up may be due. The seat is held until what is done about it is durable.
    Alarm(Seat),
    /// Bring what the class declares on order, if the agent exists, without waking it.
    Declare(oneshot::Sender<Result<()>>),
    /// Something about what is on order.
    Ask(Ask, oneshot::Sender<Result<Answer>>),
    /// Put an image in the agent's place, whatever it is or was.
    Replace(Box<Replacement>, oneshot::Sender<Result<()>>),
    /// Show the state to every client, after that.
    Show(Restored),
    /// Ask whether a request may go on to an agent under this one.
    BeforeSubAgent(Box<Request>, AgentId, oneshot::Sender<Result<BeforeSubAgent>>),
    /// Let somebody from outside reach an agent under this one.
    Adopt(AgentId, Admission, oneshot::Sender<Result<()>>),
    /// The agent's parent has let somebody in: it is made if it is not there.
    Admit,
    /// The agent's parent wants it out of memory.
    Abort,
    /// The agent's parent has deleted it.
    Destroy(Destroyed),
    /// An agent under this one has gone, as was decided under this number.
    Gone(AgentId, i64),
    /// Go on with deletions that were decided.
    Tend,
    /// Put the agent out of memory: its writes were lost, or it fails too often.
    Evict,
    /// Nothing, but for looking whether the cell is still needed.
    Tidy,
}

impl Job {
    /// The call of another agent that this is, if it is one.
    pub(super) fn incoming(&self) -> Option<&Arc<Incoming>> {
        match self {
            Self::Call { reply, .. } => reply.incoming(),
            Self::Request(_, by, _) => by.as_ref()?.incoming(),
            _ => None,
        }
    }

    /// The same, when it may have to wait for long.
    pub(super) fn before_a_wait(self) -> Self {
        match self {
            Self::Alarm(_) => Self::Alarm(Seat::given_back()),
            other => other,
        }
    }

    /// Whether it is done without the agent's code, so that a failed start does not concern it.
    pub(super) fn needs_no_start(&self) -> bool {
        matches!(
            self,
            Self::Replace(..) | Self::Declare(_) | Self::Destroy(_) | Self::Gone(..) | Self::Tend | Self::Abort
        )
    }
}

impl Cell {
    /// Runs one job to its end, or to its first wait.
    pub(super) fn handle(&self, job: Job) {
        let job = match job {
            Job::Replace(with, done) => return self.replace(*with, done),
            Job::Declare(done) => return answer(done, self.bring_in_step()),
            Job::Ask(ask, done) if ask.only_looks() && !self.is_awake() => return self.ask_asleep(&ask, done),
            Job::Destroy(done) => return self.destroy_from_above(done),
            Job::Gone(child, number) => return self.child_gone(&child, number),
            Job::Tend => return self.tend(),
            Job::Abort => return self.abort(),
            job => job,
        };
        match &job {
            Job::Evict => return self.evict(),
            Job::Tidy => return,
            Job::Message(peer, _) | Job::Close(peer, _) if !peer.is_joined() => return,
            Job::Message(peer, _) if peer.is_let_down() => return,
            Job::Close(peer, close) if self.class.mode(&self.close_event(peer, close)).is_none() => {
                return self.forget(peer);
            }
            Job::Wake(props, _) => self.set_props(props.clone()),
            _ => {}
        }
        match self.ensure_awake(job) {
            Ready::Go(job) => self.perform(job),
            Ready::Refused(job, error) => self.refuse(job, error),
            Ready::Later => {}
        }
    }

    fn perform(&self, job: Job) {
        match job {
            Job::Wake(_, done) => answer(done, Ok(())),
            Job::Decide(event, done) => self.decide(*event, done),
            Job::Open(peer, request, done) => self.open(&peer, request, done),
            Job::Message(peer, message) => self.message(&peer, message),
            Job::Close(peer, close) => self.close(&peer, &close),
            Job::Request(request, by, done) => self.request(*request, by, done),
            Job::Call { method, args, key, cancel, reply } => self.call(&method, args, key, cancel, reply),
            Job::Alarm(seat) => self.alarm_due(seat),
            Job::Ask(ask, done) => self.ask(ask, done),
            Job::Show(restored) => self.show_restored(restored),
            Job::BeforeSubAgent(request, child, done) => self.before_sub_agent(*request, &child, done),
            Job::Adopt(child, admission, done) => self.admit_and_tell(&child, admission, done),
            Job::Admit | Job::Evict | Job::Tidy | Job::Replace(..) | Job::Declare(_) => {}
            Job::Destroy(_) | Job::Gone(..) | Job::Tend | Job::Abort => {}
        }
    }

    /// The agent cannot be brought into memory: says so to whoever waits.
    pub(super) fn refuse(&self, job: Job, error: Error) {
        match job {
            Job::Wake(_, done) => answer(done, Err(error)),
            Job::Decide(_, done) => answer(done, Err(error)),
            Job::Open(_, _, done) => answer(done, Err(error)),
            Job::Request(_, _, done) => answer(done, Err(error)),
            Job::Call { reply, .. } => self.release(vec![reply.deliver(Err(error))]),
            Job::Message(peer, _) => self.turn_away(&peer, &error),
            Job::Close(peer, _) => self.forget(&peer),
            Job::Declare(done) => answer(done, Err(error)),
            // There is no such sub-agent any more, or it is on its way out, which needs no alarm.
            Job::Alarm(_) if matches!(error.code(), Some(Code::AgentNotFound | Code::AgentUnavailable)) => {}
            Job::Alarm(_) => self.retry_alarm(&error),
            Job::Ask(_, done) => answer(done, Err(error)),
            Job::Replace(_, done) => answer(done, Err(error)),
            Job::Show(restored) => self.show_stored(restored, &error),
            Job::BeforeSubAgent(_, _, done) => answer(done, Err(error)),
            Job::Adopt(_, _, done) => answer(done, Err(error)),
            Job::Destroy(done) => done(Err(error)),
            Job::Admit | Job::Abort | Job::Gone(..) | Job::Tend | Job::Evict | Job::Tidy => {}
        }
    }
}

/// Whether a job may run now.
pub(super) enum Ready {
    /// The agent is awake.
    Go(Job),
    /// It cannot be.
    Refused(Job, Error),
    /// `on_start` waits; the job is back in the inbox.
    Later,
}

/// Answers somebody who may have left.
pub(super) fn answer<T>(to: oneshot::Sender<T>, with: T) {
    let _receiver_may_have_left = to.send(with);
}
