//! The parts of a message that are tool calls.

use serde_json::{Map, Value};

use super::message::UiMessage;

/// How far a tool call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ToolState {
    /// The model is still writing the input.
    InputStreaming,
    /// The input is complete.
    InputAvailable,
    /// Somebody has to allow it.
    ApprovalRequested,
    /// It was allowed, and has not run yet.
    ApprovalResponded,
    /// It ran.
    OutputAvailable,
    /// It failed.
    OutputError,
    /// It was not allowed.
    OutputDenied,
}

impl ToolState {
    const ALL: [Self; 7] = [
        Self::InputStreaming,
        Self::InputAvailable,
        Self::ApprovalRequested,
        Self::ApprovalResponded,
        Self::OutputAvailable,
        Self::OutputError,
        Self::OutputDenied,
    ];

    /// The state as it stands on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InputStreaming => "input-streaming",
            Self::InputAvailable => "input-available",
            Self::ApprovalRequested => "approval-requested",
            Self::ApprovalResponded => "approval-responded",
            Self::OutputAvailable => "output-available",
            Self::OutputError => "output-error",
            Self::OutputDenied => "output-denied",
        }
    }

    /// The state of a part that is a tool call.
    #[must_use]
    pub fn of(part: &Value) -> Option<Self> {
        tool_name(part)?;
        let state = part.get("state")?.as_str()?;
        Self::ALL.into_iter().find(|known| known.as_str() == state)
    }

    /// Whether nothing changes any more.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::OutputAvailable | Self::OutputError | Self::OutputDenied)
    }

    /// Whether the call waits for somebody or something.
    #[must_use]
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::InputAvailable | Self::ApprovalRequested | Self::ApprovalResponded)
    }
}

/// The name of the tool that a part calls; `None` for other parts.
pub(super) fn tool_name(part: &Value) -> Option<&str> {
    match part.get("type")?.as_str()? {
        "dynamic-tool" => part.get("toolName")?.as_str(),
        kind => kind.strip_prefix("tool-"),
    }
}

/// The id of the call of a part.
pub(super) fn call_id(part: &Value) -> Option<&str> {
    tool_name(part)?;
    part.get("toolCallId")?.as_str()
}

/// A tool call as the model wants it: the input is always an object.
pub(super) fn tool_input(input: Option<&Value>) -> Value {
    match input {
        Some(Value::Object(map)) => Value::Object(map.clone()),
        Some(Value::String(text)) => parsed_input(text),
        _ => Value::Object(Map::new()),
    }
}

/// The input in a text, an empty one if it is no object.
pub(super) fn parsed_input(text: &str) -> Value {
    let read: Option<Map<String, Value>> = serde_json::from_str(text).ok();
    Value::Object(read.unwrap_or_default())
}

impl UiMessage {
    /// The part of a tool call; the last one, should there be several.
    #[must_use]
    pub fn tool_part(&self, call: &str) -> Option<&Map<String, Value>> {
        self.parts.iter().rev().find(|part| call_id(part) == Some(call))?.as_object()
    }

    pub(super) fn tool_part_mut(&mut self, call: &str) -> Option<&mut Map<String, Value>> {
        self.parts.iter_mut().rev().find(|part| call_id(part) == Some(call))?.as_object_mut()
    }

    /// The state of a tool call.
    #[must_use]
    pub fn tool_state(&self, call: &str) -> Option<ToolState> {
        self.parts.iter().rev().find(|part| call_id(part) == Some(call)).and_then(ToolState::of)
    }

    /// The tool calls that are not settled: id, name, state.
    pub fn pending_tools(&self) -> impl Iterator<Item = (&str, &str, ToolState)> {
        self.parts.iter().filter_map(|part| {
            let state = ToolState::of(part).filter(|state| !state.is_settled())?;
            Some((call_id(part)?, tool_name(part)?, state))
        })
    }
}
