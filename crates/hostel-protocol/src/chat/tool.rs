//! What clients say about tool calls: results, and whether a call may run. The first word counts.

use serde_json::{Map, Value, json};

use super::message::UiMessage;
use super::part::ToolState;

/// What the pages of old say, as the result of a tool, when somebody allows it.
pub const YES: &str = "Yes, confirmed.";
/// What they say when somebody does not.
pub const NO: &str = "No, denied.";

/// How a tool call ended elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolAnswer {
    /// It returned this.
    Output(Value),
    /// It failed, with this text.
    Error(String),
    /// It may run.
    Approved,
    /// It may not.
    Denied(Option<String>),
}

/// Writes the result of a call into its message; `false` if the call is not there or already has one.
///
/// [`YES`] and [`NO`] as the result of a call that somebody has to allow are the answer to that question instead.
pub fn apply_tool_result(message: &mut UiMessage, call: &str, answer: &ToolAnswer) -> bool {
    match in_words(message.tool_state(call), answer) {
        ToolAnswer::Approved => apply_approval(message, call, true, None),
        ToolAnswer::Denied(reason) => apply_approval(message, call, false, reason.as_deref()),
        result => settle(message, call, result),
    }
}

/// What an answer means to a call in this state.
fn in_words(state: Option<ToolState>, answer: &ToolAnswer) -> ToolAnswer {
    match answer {
        ToolAnswer::Output(Value::String(text)) if state == Some(ToolState::ApprovalRequested) => match text.as_str() {
            YES => ToolAnswer::Approved,
            NO => ToolAnswer::Denied(None),
            _ => answer.clone(),
        },
        _ => answer.clone(),
    }
}

fn settle(message: &mut UiMessage, call: &str, result: ToolAnswer) -> bool {
    if !message.tool_state(call).is_some_and(ToolState::is_pending) {
        return false;
    }
    let Some(part) = message.tool_part_mut(call) else { return false };
    match result {
        ToolAnswer::Output(output) => {
            set(part, "state", ToolState::OutputAvailable.as_str());
            set(part, "output", output);
            set(part, "preliminary", false);
        }
        ToolAnswer::Error(text) => {
            set(part, "state", ToolState::OutputError.as_str());
            set(part, "errorText", text);
        }
        ToolAnswer::Approved | ToolAnswer::Denied(_) => return false,
    }
    true
}

/// Writes into a message whether a call may run; `false` if the call is not there, or was answered before.
pub fn apply_approval(message: &mut UiMessage, call: &str, approved: bool, reason: Option<&str>) -> bool {
    match message.tool_state(call) {
        Some(ToolState::InputAvailable | ToolState::ApprovalRequested) => {}
        _ => return false,
    }
    let Some(part) = message.tool_part_mut(call) else { return false };
    let state = if approved { ToolState::ApprovalResponded } else { ToolState::OutputDenied };
    set(part, "state", state.as_str());
    let mut approval = match part.shift_remove("approval") {
        Some(Value::Object(approval)) => approval,
        _ => Map::new(),
    };
    if !approval.get("id").is_some_and(Value::is_string) {
        set(&mut approval, "id", call);
    }
    set(&mut approval, "approved", approved);
    if let Some(reason) = reason {
        set(&mut approval, "reason", reason);
    }
    part.insert("approval".to_owned(), json!(approval));
    true
}

fn set(part: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    part.insert(key.to_owned(), value.into());
}
