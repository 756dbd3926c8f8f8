//! The time of the AI SDK 5, whose clients check every chunk and give up at the first key they do not know.

use serde_json::{Value, json};

use super::chunk::Chunk;
use super::message::UiMessage;
use super::part::ToolState;

/// What a denied call says to a client that knows only failures.
const DENIED: &str = "The call was not approved.";

/// The chunk as a client of the AI SDK 5 can take it; `None` if it had better not see it.
///
/// ```
/// use hostel_protocol::chat::{Chunk, strict};
/// let chunk = Chunk::tool_input_start("c1", "clock").with("title", "The clock");
/// assert_eq!(strict(&chunk).unwrap().to_json(), Chunk::tool_input_start("c1", "clock").to_json());
/// assert_eq!(strict(&Chunk::tool_approval_request("a1", "c1")), None);
/// ```
#[must_use]
pub fn strict(chunk: &Chunk) -> Option<Chunk> {
    if chunk.kind() == "tool-output-denied" {
        return Some(Chunk::tool_output_error(chunk.text("toolCallId")?, DENIED));
    }
    let is_interim = chunk.get("preliminary") == Some(&Value::Bool(true));
    let keys = known_keys(chunk.kind()).filter(|_| !is_interim)?;
    let mut chunk = chunk.clone();
    if chunk.kind() == "finish" {
        super::stamp(&mut chunk, None);
    }
    chunk.keep(keys);
    Some(chunk)
}

/// The keys that a type of chunk may have there.
fn known_keys(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "start" => &["messageId", "messageMetadata"],
        "finish" | "message-metadata" => &["messageMetadata"],
        "start-step" | "finish-step" | "abort" => &[],
        "text-start" | "text-end" | "reasoning-start" | "reasoning-end" => &["id", "providerMetadata"],
        "text-delta" | "reasoning-delta" => &["id", "delta", "providerMetadata"],
        "tool-input-start" => &["toolCallId", "toolName", "providerExecuted", "dynamic"],
        "tool-input-delta" => &["toolCallId", "inputTextDelta"],
        "tool-input-available" => {
            &["toolCallId", "toolName", "input", "providerExecuted", "providerMetadata", "dynamic"]
        }
        "tool-input-error" => {
            &["toolCallId", "toolName", "input", "errorText", "providerExecuted", "providerMetadata", "dynamic"]
        }
        "tool-output-available" => &["toolCallId", "output", "providerExecuted", "dynamic"],
        "tool-output-error" => &["toolCallId", "errorText", "providerExecuted", "dynamic"],
        "source-url" => &["sourceId", "url", "title", "providerMetadata"],
        "source-document" => &["sourceId", "mediaType", "title", "filename", "providerMetadata"],
        "file" => &["url", "mediaType", "providerMetadata"],
        "error" => &["errorText"],
        kind if kind.starts_with("data-") => &["id", "data", "transient"],
        _ => return None,
    })
}

/// The message as a client of that time can show it: a call that waits for an approval looks like one that waits for its
/// result, which is how its pages ask, and one that was denied like one that failed.
#[must_use]
pub fn to_strict(message: &UiMessage) -> UiMessage {
    let mut message = message.clone();
    for part in &mut message.parts {
        match ToolState::of(part) {
            Some(ToolState::ApprovalRequested) => {
                part["state"] = json!(ToolState::InputAvailable.as_str());
            }
            Some(ToolState::OutputDenied) => {
                part["state"] = json!(ToolState::OutputError.as_str());
                part["errorText"] = json!(DENIED);
            }
            _ => {}
        }
    }
    message
}
