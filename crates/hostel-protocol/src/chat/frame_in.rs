//! Every other chat frame of a client.

use serde_json::{Map, Value};

use super::fault::ChatFault;
use super::message::UiMessage;
use super::read;
use super::request::{ChatRequest, ClientTool};
use super::tool::ToolAnswer;
use crate::client::ChatKind;

/// A chat frame of a client.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatIn {
    /// A turn, please.
    Request(ChatRequest),
    /// The transcript as the client has it.
    Messages(Messages),
    /// Forget the transcript.
    Clear,
    /// Stop a turn.
    Cancel(Cancel),
    /// Replay the stream now.
    ResumeAck(ResumeAck),
    /// Is there a stream to resume?
    ResumeRequest(ResumeRequest),
    /// What a tool in the client returned.
    ToolResult(ToolResult),
    /// May this tool run?
    ToolApproval(ToolApproval),
}

impl ChatIn {
    /// Reads a frame that [`client::parse`](crate::client::parse) found to be of this kind.
    ///
    /// # Errors
    ///
    /// When a field is missing or of the wrong kind, in words that can be answered with [`ChatFault::to_frame`].
    pub fn parse(kind: ChatKind, text: &str) -> Result<Self, ChatFault> {
        Ok(match kind {
            ChatKind::Request => Self::Request(ChatRequest::parse(text)?),
            ChatKind::Messages => Self::Messages(Messages::parse(text)?),
            ChatKind::Clear => Self::Clear,
            ChatKind::Cancel => Self::Cancel(Cancel::parse(text)?),
            ChatKind::ResumeAck => Self::ResumeAck(ResumeAck::parse(text)?),
            ChatKind::ResumeRequest => Self::ResumeRequest(ResumeRequest::parse(text)?),
            ChatKind::ToolResult => Self::ToolResult(ToolResult::parse(text)?),
            ChatKind::ToolApproval => Self::ToolApproval(ToolApproval::parse(text)?),
        })
    }
}

/// `cf_agent_chat_messages`: the transcript as the client has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Messages {
    /// The list.
    pub messages: Vec<UiMessage>,
    /// Whether the messages are of the time before parts, which says how to answer this client.
    pub is_v4: bool,
}

impl Messages {
    /// Reads the frame.
    ///
    /// # Errors
    ///
    /// When it has no list of messages.
    pub fn parse(text: &str) -> Result<Self, ChatFault> {
        let mut frame = read::frame(text)?;
        let list = read::take_list(&mut frame, "messages").ok_or_else(|| lacks("messages", "an array"))?;
        let is_v4 = list.iter().any(|message| message["content"].is_string());
        Ok(Self { messages: list.into_iter().map(UiMessage::from_value).collect::<Result<_, _>>()?, is_v4 })
    }
}

/// `cf_agent_chat_request_cancel`: stop a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancel {
    /// The request that asked for the turn.
    pub id: String,
}

impl Cancel {
    /// Reads the frame.
    ///
    /// # Errors
    ///
    /// When it names no request.
    pub fn parse(text: &str) -> Result<Self, ChatFault> {
        let mut frame = read::frame(text)?;
        Ok(Self { id: read::take_text(&mut frame, "id").ok_or_else(|| lacks("id", "a string"))? })
    }
}

/// `cf_agent_stream_resume_ack`: replay the stream now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeAck {
    /// The request whose turn it is.
    pub id: String,
}

impl ResumeAck {
    /// Reads the frame.
    ///
    /// # Errors
    ///
    /// When it names no request.
    pub fn parse(text: &str) -> Result<Self, ChatFault> {
        Cancel::parse(text).map(|Cancel { id }| Self { id })
    }
}

/// `cf_agent_stream_resume_request`: is there a stream to resume?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeRequest {
    /// Comes back in the answer.
    pub probe_id: Option<String>,
}

impl ResumeRequest {
    /// Reads the frame.
    ///
    /// # Errors
    ///
    /// When it is no JSON object.
    pub fn parse(text: &str) -> Result<Self, ChatFault> {
        Ok(Self { probe_id: read::take_text(&mut read::frame(text)?, "probeId") })
    }
}

/// `cf_agent_tool_result`: what a tool in the client returned.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolResult {
    /// The call.
    pub tool_call_id: String,
    /// The tool; empty if the client did not say.
    pub tool_name: String,
    /// What came of it.
    pub answer: ToolAnswer,
    /// Whether the agent shall go on by itself.
    pub auto_continue: bool,
    /// What the client can do now, if it says so.
    pub client_tools: Option<Vec<ClientTool>>,
}

impl ToolResult {
    /// Reads the frame.
    ///
    /// # Errors
    ///
    /// When it names no call.
    pub fn parse(text: &str) -> Result<Self, ChatFault> {
        let mut frame = read::frame(text)?;
        let answer = if frame.get("state").and_then(Value::as_str) == Some("output-error") {
            let text = read::take_text(&mut frame, "errorText");
            ToolAnswer::Error(text.unwrap_or_else(|| "Tool execution denied by user".to_owned()))
        } else {
            ToolAnswer::Output(frame.shift_remove("output").unwrap_or_default())
        };
        Ok(Self {
            tool_call_id: call(&mut frame)?,
            tool_name: read::take_text(&mut frame, "toolName").unwrap_or_default(),
            answer,
            auto_continue: is_true(&frame, "autoContinue"),
            client_tools: frame.get("clientTools").filter(|tools| tools.is_array()).map(ClientTool::list),
        })
    }
}

/// `cf_agent_tool_approval`: may this tool run?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolApproval {
    /// The call.
    pub tool_call_id: String,
    /// Whether it may.
    pub approved: bool,
    /// Why.
    pub reason: Option<String>,
    /// Whether the agent shall go on by itself.
    pub auto_continue: bool,
}

impl ToolApproval {
    /// Reads the frame. Nothing but `true` allows anything.
    ///
    /// # Errors
    ///
    /// When it names no call, or does not say yes or no.
    pub fn parse(text: &str) -> Result<Self, ChatFault> {
        let mut frame = read::frame(text)?;
        let approved = frame.get("approved").and_then(Value::as_bool);
        Ok(Self {
            tool_call_id: call(&mut frame)?,
            approved: approved.ok_or_else(|| lacks("approved", "`true` or `false`"))?,
            reason: read::take_text(&mut frame, "reason"),
            auto_continue: is_true(&frame, "autoContinue"),
        })
    }
}

fn call(frame: &mut Map<String, Value>) -> Result<String, ChatFault> {
    read::take_text(frame, "toolCallId").ok_or_else(|| lacks("toolCallId", "a string"))
}

fn is_true(frame: &Map<String, Value>, key: &str) -> bool {
    frame.get(key) == Some(&Value::Bool(true))
}

fn lacks(field: &str, wanted: &str) -> ChatFault {
    ChatFault::new(format!("`{field}` of this chat frame must be {wanted}."))
}
