//! What can happen to an agent, and what comes of it. One closed list: every reason to wake up is here.

use std::sync::Arc;

use crate::{
    args::Args,
    body::{Request, Response},
    connection::{CloseEvent, ConnectRequest, Connection, Message},
    error::Error,
    extension::{Frame, Greeting},
    reply::Reply,
    run::{RunInfo, UncertainStep, Verdict},
    stream::StreamHandle,
    sub_agent::{BeforeSubAgent, SubAgent},
};

/// Who changed the state.
#[derive(Debug, Clone)]
pub enum Source {
    /// The agent itself.
    Server,
    /// A client, by a state frame.
    Client(Connection),
}

/// An event for a handler.
#[derive(Debug)]
pub enum Event {
    /// The agent came into memory.
    Start,
    /// Which tags a new connection gets.
    Tags(Arc<ConnectRequest>),
    /// Whether a new connection may only read.
    Readonly(Connection, Arc<ConnectRequest>),
    /// Whether a new connection takes protocol frames.
    Protocol(Connection, Arc<ConnectRequest>),
    /// A connection is open.
    Connect(Connection, Arc<ConnectRequest>),
    /// A message that is no protocol frame.
    Message(Connection, Message),
    /// A frame of the chat protocol, for the class's extension.
    Frame(Connection, Frame),
    /// A connection is open and knows of nothing yet; for the class's extension.
    Greet(Connection),
    /// A connection ended.
    Close(Connection, CloseEvent),
    /// Another handler failed.
    Error(Error),
    /// An HTTP request.
    Request(Request),
    /// A request for an agent under this one.
    BeforeSubAgent(Request, SubAgent),
    /// Whether the state, already in place, may stay.
    Validate(Source),
    /// The state changed, and everybody was told.
    StateChanged(Source),
    /// The low-level wake-up is due.
    Alarm,
    /// A durable run has ended.
    RunEnded(RunInfo),
    /// Nobody knows whether a step of a run was done.
    StepUncertain(UncertainStep),
    /// A task is due.
    Task {
        /// Index into the class's tasks.
        task: usize,
        /// Arguments.
        args: Args,
    },
    /// A method call.
    Call {
        /// Index into the class's methods.
        method: usize,
        /// Arguments.
        args: Args,
        /// Where a streaming method sends its chunks.
        stream: Option<StreamHandle>,
    },
}

/// What a handler produced.
#[derive(Debug)]
pub enum Output {
    /// Nothing.
    Unit,
    /// A method's answer.
    Reply(Reply),
    /// An HTTP response.
    Response(Response),
    /// What becomes of a request for a sub-agent.
    BeforeSubAgent(BeforeSubAgent),
    /// Messages for a new connection.
    Greeting(Greeting),
    /// Tags.
    Tags(Vec<String>),
    /// A decision.
    Flag(bool),
    /// What is to become of a step.
    Verdict(Verdict),
}
