//! How a method or hook runs: reading, as a turn, or as a task that waits between turns.

use std::{fmt, sync::Arc};

use crate::{
    BoxFuture, Cx,
    allow::Rule,
    args::Args,
    body::{Request, Response},
    connection::{CloseEvent, ConnectRequest, Connection, Message},
    error::{Error, Result},
    event::Source,
    reply::Reply,
    run::{RunInfo, UncertainStep, Verdict},
    stream::StreamHandle,
    sub_agent::{BeforeSubAgent, SubAgent},
    typescript::{Signature, TypeBook},
};

/// A method or hook of the agent class `A`. The signature decides what it may do:
///
/// | signature | variant | |
/// | --- | --- | --- |
/// | `fn(&self, ..)` | `Read` | a turn that cannot change the state; rows and effects are allowed |
/// | `fn(&mut self, ..)` | `Turn` | a turn: all of its changes commit together, or none |
/// | `async fn(cx, ..)` | `Task` | waits; other turns run meanwhile; changes state through `cx.update` |
pub enum Handler<A, In, Out = ()> {
    /// Cannot change the state.
    Read(fn(&A, &Cx<A>, In) -> Result<Out>),
    /// One transaction.
    Turn(fn(&mut A, &Cx<A>, In) -> Result<Out>),
    /// Waits between turns.
    Task(fn(Cx<A>, In) -> BoxFuture<Result<Out>>),
}

impl<A, In, Out> Clone for Handler<A, In, Out> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, In, Out> Copy for Handler<A, In, Out> {}

impl<A, In, Out> Handler<A, In, Out> {
    /// How it runs.
    pub fn mode(&self) -> Mode {
        match self {
            Self::Read(_) => Mode::Read,
            Self::Turn(_) => Mode::Turn,
            Self::Task(_) => Mode::Task,
        }
    }
}

impl<A, In, Out> fmt::Debug for Handler<A, In, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mode().fmt(f)
    }
}

/// How a handler runs; see [`Handler`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A turn that cannot change the state.
    Read,
    /// A turn.
    Turn,
    /// A future beside the turns.
    Task,
}

/// One method of an agent class, as clients may find it.
pub struct Method<A> {
    /// Name on the wire, e.g. `setProjectContext`.
    pub name: &'static str,
    /// The doc comment.
    pub doc: &'static str,
    /// What it is, and how it runs.
    pub kind: MethodKind<A>,
    /// Whether the call ends when its caller leaves. By default it goes on.
    pub cancel_on_disconnect: bool,
    /// Which clients may call it; without rules, all that may reach the agent.
    pub allow: &'static [Rule],
    /// What it is to whoever speaks MCP.
    pub offer: Offer,
    /// Parameter and result types for `hostel types`.
    pub signature: fn(&mut TypeBook) -> Signature,
}

/// What a method is to whoever speaks MCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Offer {
    /// A tool.
    #[default]
    Tool,
    /// A prompt: what it answers with is said to a model.
    Prompt,
    /// A resource to be read; a whole family of them where its URI has parameters in braces.
    Resource {
        /// Where it is, as in `notes://all` or `notes://{id}`.
        uri: &'static str,
        /// What its text is, if that is not told by the answer.
        mime: Option<&'static str>,
    },
}

impl<A> Method<A> {
    /// A method that exists, but is not open to clients.
    pub const fn closed(name: &'static str) -> Self {
        Self {
            name,
            doc: "",
            kind: MethodKind::Closed,
            cancel_on_disconnect: false,
            allow: &[],
            offer: Offer::Tool,
            signature: |_| Signature::new(),
        }
    }
}

/// What kind of method.
pub enum MethodKind<A> {
    /// Answers once.
    Plain(Handler<A, Args, Reply>),
    /// Sends chunks, then ends.
    Streaming(Handler<A, (StreamHandle, Args)>),
    /// Exists, but is not open to clients.
    Closed,
}

impl<A> fmt::Debug for Method<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Method").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<A> fmt::Debug for MethodKind<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(handler) => write!(f, "Plain({handler:?})"),
            Self::Streaming(handler) => write!(f, "Streaming({handler:?})"),
            Self::Closed => f.write_str("Closed"),
        }
    }
}

/// A hook that is told about a connection.
pub type ConnectionHook<A, Out = ()> = Handler<A, (Connection, Arc<ConnectRequest>), Out>;

/// The hooks of an agent class; every one is optional.
#[derive(Debug)]
pub struct Hooks<A> {
    /// Runs before anything else whenever the agent comes into memory.
    pub on_start: Option<Handler<A, ()>>,
    /// Tags for a new connection, beside its id: at most nine, each of 1 to 256 characters.
    pub get_connection_tags: Option<Handler<A, Arc<ConnectRequest>, Vec<String>>>,
    /// Whether a new connection may only read.
    pub should_connection_be_readonly: Option<ConnectionHook<A, bool>>,
    /// Whether a new connection takes identity, state and MCP frames.
    pub should_send_protocol_messages: Option<ConnectionHook<A, bool>>,
    /// A connection is open; runs before any of its messages.
    pub on_connect: Option<ConnectionHook<A>>,
    /// A message that is no protocol frame. Without this hook, such a message is answered with a reason.
    pub on_message: Option<Handler<A, (Connection, Message)>>,
    /// A connection ended.
    pub on_close: Option<Handler<A, (Connection, CloseEvent)>>,
    /// Another hook failed.
    pub on_error: Option<Handler<A, Error>>,
    /// An HTTP request. Without this hook: 404 `Not implemented`.
    pub on_request: Option<Handler<A, Request, Response>>,
    /// A request or a WebSocket is for an agent under this one. Without this hook it goes on.
    pub on_before_sub_agent: Option<Handler<A, (Request, SubAgent), BeforeSubAgent>>,
    /// Vetoes a new state, already in `self`, by returning an error.
    pub validate_state_change: Option<Handler<A, Source>>,
    /// The state changed and everybody was told.
    pub on_state_changed: Option<Handler<A, Source>>,
    /// The wake-up set with `cx.set_alarm` is due. At least once.
    pub on_alarm: Option<Handler<A, ()>>,
    /// A durable run has ended: well, badly, or because somebody ended it. At least once; a turn exactly once.
    pub on_run_ended: Option<Handler<A, RunInfo>>,
    /// A step of a run was under way when the process died. Without this hook the run asks.
    pub on_step_uncertain: Option<Handler<A, UncertainStep, Verdict>>,
}

impl<A> Hooks<A> {
    /// No hook at all.
    pub const NONE: Self = Self {
        on_start: None,
        get_connection_tags: None,
        should_connection_be_readonly: None,
        should_send_protocol_messages: None,
        on_connect: None,
        on_message: None,
        on_close: None,
        on_error: None,
        on_request: None,
        on_before_sub_agent: None,
        validate_state_change: None,
        on_state_changed: None,
        on_alarm: None,
        on_run_ended: None,
        on_step_uncertain: None,
    };
}
