//! Frames from a client.

mod dialect;
mod fault;
mod parse;
mod quick;

use std::borrow::Cow;

use serde_json::value::RawValue;

pub use crate::json::{JsonFault, JsonLimits, check_json};
pub use fault::{FaultKind, FrameFault};
pub use parse::{parse, parse_with};

/// What a text message of a client is.
#[derive(Debug, Clone)]
pub enum ClientFrame<'a> {
    /// A call.
    Rpc(RpcRequest<'a>),
    /// A new state.
    State(StateUpdate<'a>),
    /// Something of the chat protocol.
    Chat(ChatFrame<'a>),
    /// Everything else: the reason it is no frame. Often simply a message of
    /// the application, meant for `on_message`.
    Unknown(FrameFault),
}

/// A call of a method: `{"type":"rpc","id":…,"method":…,"args":[…]}`.
#[derive(Debug, Clone)]
pub struct RpcRequest<'a> {
    /// Chosen by the client, opaque, repeated in every answer.
    pub id: Cow<'a, str>,
    /// The wire name of the method.
    pub method: Cow<'a, str>,
    /// A JSON array.
    pub args: &'a RawValue,
    /// `idempotencyKey`: our optional addition; `null` counts as absent.
    pub idempotency_key: Option<Cow<'a, str>>,
}

/// A whole new state: `{"type":"cf_agent_state","state":…}`.
#[derive(Debug, Clone)]
pub struct StateUpdate<'a> {
    /// Any JSON value.
    pub state: &'a RawValue,
    /// `if_version`: our optional addition; the version the state must still have. `null` counts as absent.
    pub if_version: Option<Cow<'a, str>>,
}

/// A frame of the chat protocol, recognised but not taken apart.
#[derive(Debug, Clone)]
pub struct ChatFrame<'a> {
    /// Which one.
    pub kind: ChatKind,
    /// Its `id`, where it has one.
    pub id: Option<Cow<'a, str>>,
}

/// The chat frames a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChatKind {
    /// `cf_agent_use_chat_request`: a turn, please.
    Request,
    /// `cf_agent_chat_messages`: the transcript as the client has it.
    Messages,
    /// `cf_agent_chat_clear`: forget the transcript.
    Clear,
    /// `cf_agent_chat_request_cancel`: stop a turn.
    Cancel,
    /// `cf_agent_stream_resume_ack`: replay the stream now.
    ResumeAck,
    /// `cf_agent_stream_resume_request`: is there a stream to resume?
    ResumeRequest,
    /// `cf_agent_tool_result`: what a client-side tool returned.
    ToolResult,
    /// `cf_agent_tool_approval`: may this tool run?
    ToolApproval,
}

impl ChatKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Request,
        Self::Messages,
        Self::Clear,
        Self::Cancel,
        Self::ResumeAck,
        Self::ResumeRequest,
        Self::ToolResult,
        Self::ToolApproval,
    ];

    /// The `type` on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "cf_agent_use_chat_request",
            Self::Messages => "cf_agent_chat_messages",
            Self::Clear => "cf_agent_chat_clear",
            Self::Cancel => "cf_agent_chat_request_cancel",
            Self::ResumeAck => "cf_agent_stream_resume_ack",
            Self::ResumeRequest => "cf_agent_stream_resume_request",
            Self::ToolResult => "cf_agent_tool_result",
            Self::ToolApproval => "cf_agent_tool_approval",
        }
    }

    fn from_type(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether the frame means nothing without an `id`.
    const fn needs_id(self) -> bool {
        matches!(self, Self::Request | Self::Cancel | Self::ResumeAck)
    }
}

#[cfg(test)]
mod tests;
