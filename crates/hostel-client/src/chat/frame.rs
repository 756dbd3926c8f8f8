//! The frames of chat that a server sends, read; and those a client sends, written.

use hostel_protocol::chat::{Outcome, UiMessage};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// A frame of a server that belongs to chat.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub(super) enum Frame {
    #[serde(rename = "cf_agent_use_chat_response")]
    Response(Response),
    #[serde(rename = "cf_agent_chat_messages")]
    Messages {
        #[serde(deserialize_with = "messages")]
        messages: Vec<UiMessage>,
    },
    #[serde(rename = "cf_agent_message_updated")]
    Updated {
        #[serde(deserialize_with = "message")]
        message: UiMessage,
    },
    #[serde(rename = "cf_agent_chat_clear")]
    Clear,
    #[serde(rename = "cf_agent_stream_resuming", rename_all = "camelCase")]
    Resuming { id: String, probe_id: Option<String> },
    #[serde(rename = "cf_agent_stream_pending", rename_all = "camelCase")]
    Pending { probe_id: Option<String> },
    #[serde(rename = "cf_agent_stream_resume_none", rename_all = "camelCase")]
    None { probe_id: Option<String> },
    #[serde(rename = "cf_agent_chat_recovering")]
    Recovering { recovering: bool },
}

/// A piece of a stream, or its end.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Response {
    pub(super) id: String,
    #[serde(default)]
    pub(super) body: String,
    #[serde(default)]
    pub(super) done: bool,
    #[serde(default)]
    pub(super) seq: Option<u64>,
    #[serde(default)]
    pub(super) continuation: bool,
    #[serde(default)]
    pub(super) replay: bool,
    #[serde(default)]
    pub(super) replay_complete: bool,
    #[serde(default)]
    pub(super) error: bool,
    #[serde(default)]
    pub(super) outcome: Option<String>,
}

/// How a turn ended, as far as its last frame says.
pub(super) fn outcome(said: Option<&str>, failed: bool) -> Outcome {
    match said {
        Some("aborted") => Outcome::Aborted,
        Some("skipped") => Outcome::Skipped,
        Some("recovering") => Outcome::Recovering,
        Some("error") => Outcome::Error,
        _ if failed => Outcome::Error,
        _ => Outcome::Completed,
    }
}

fn message<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UiMessage, D::Error> {
    UiMessage::from_value(Value::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// Messages; one that cannot be read is passed over rather than all of them.
fn messages<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<UiMessage>, D::Error> {
    let values = Vec::<Value>::deserialize(deserializer)?;
    Ok(values.into_iter().filter_map(|value| UiMessage::from_value(value).ok()).collect())
}

/// Reads a transcript, as `get-messages` answers it.
///
/// # Errors
/// The text is no list.
pub fn transcript(text: &[u8]) -> Result<Vec<UiMessage>, serde_json::Error> {
    messages(&mut serde_json::Deserializer::from_slice(text))
}

/// Reads a text message; `None` if it is none of chat.
pub(super) fn read(text: &str) -> Option<Frame> {
    serde_json::from_str(text).ok()
}

pub(super) fn request(id: &str, messages: &[UiMessage], trigger: &str, replaced: Option<&str>) -> String {
    let mut body = json!({"messages": messages, "trigger": trigger});
    if let Some(replaced) = replaced {
        body["messageId"] = replaced.into();
    }
    let init = json!({"method": "POST", "body": body.to_string()});
    json!({"id": id, "init": init, "type": "cf_agent_use_chat_request"}).to_string()
}

pub(super) fn cancel(id: &str) -> String {
    json!({"id": id, "type": "cf_agent_chat_request_cancel"}).to_string()
}

pub(super) fn clear() -> String {
    json!({"type": "cf_agent_chat_clear"}).to_string()
}

pub(super) fn resume_request(probe: &str) -> String {
    json!({"type": "cf_agent_stream_resume_request", "probeId": probe}).to_string()
}

pub(super) fn resume_ack(id: &str) -> String {
    json!({"type": "cf_agent_stream_resume_ack", "id": id}).to_string()
}

pub(super) fn approval(tool_call: &str, approved: bool) -> String {
    let frame: Value = json!({
        "type": "cf_agent_tool_approval", "toolCallId": tool_call, "approved": approved, "autoContinue": true,
    });
    frame.to_string()
}
