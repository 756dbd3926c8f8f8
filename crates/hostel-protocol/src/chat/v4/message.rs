//! Messages with a `content`, to today's and back.

use serde_json::{Map, Value, json};

use crate::chat::fault::ChatFault;
use crate::chat::message::UiMessage;
use crate::chat::part::{ToolState, call_id, tool_input, tool_name};
use crate::chat::read;
use crate::chat::tool::NO;

/// Gives `message`, whose other keys are in `rest`, its parts: those it came with, or what its old keys say.
pub(in crate::chat) fn upgrade(message: &mut UiMessage, parts: Option<Vec<Value>>) -> Result<(), ChatFault> {
    let content = match message.rest.get("content") {
        Some(Value::String(_)) => read::take_text(&mut message.rest, "content"),
        _ => None,
    };
    if content.is_none() && parts.is_none() {
        return Err(ChatFault::new("A message of a conversation must have `parts`."));
    }
    let Some(content) = content else {
        message.parts = parts.unwrap_or_default().into_iter().map(modern).collect();
        return Ok(());
    };
    let calls = read::take_list(&mut message.rest, "toolInvocations").unwrap_or_default();
    let reasoning = read::take_text(&mut message.rest, "reasoning");
    let files = read::take_list(&mut message.rest, "experimental_attachments").unwrap_or_default();
    message.parts = match parts.filter(|parts| !parts.is_empty()) {
        Some(parts) => parts.into_iter().map(modern).collect(),
        None => without_parts(&content, &calls, reasoning.as_deref()),
    };
    message.parts.extend(files.iter().filter_map(attachment));
    Ok(())
}

fn without_parts(content: &str, calls: &[Value], reasoning: Option<&str>) -> Vec<Value> {
    let reasoning = reasoning.map(|text| json!({"type": "reasoning", "text": text, "state": "done"}));
    let calls = calls.iter().filter_map(call);
    let text = (!content.is_empty()).then(|| json!({"type": "text", "text": content}));
    reasoning.into_iter().chain(calls).chain(text).collect()
}

/// A part of any time as one of today.
fn modern(part: Value) -> Value {
    let converted = match part.get("type").and_then(Value::as_str) {
        Some("tool-invocation") => part.get("toolInvocation").and_then(call),
        Some("reasoning") if part.get("text").is_none() => {
            part.get("reasoning").map(|text| json!({"type": "reasoning", "text": text, "state": "done"}))
        }
        Some("source") => part.get("source").and_then(source),
        Some("file") if part.get("url").is_none() => file(&part),
        _ => None,
    };
    converted.unwrap_or(part)
}

fn call(call: &Value) -> Option<Value> {
    let name = call.get("toolName")?.as_str()?;
    let state = match call.get("state")?.as_str()? {
        "partial-call" => ToolState::InputStreaming,
        "call" => ToolState::InputAvailable,
        "result" => ToolState::OutputAvailable,
        _ => return None,
    };
    let mut part = json!({
        "type": format!("tool-{name}"),
        "toolCallId": call.get("toolCallId")?.as_str()?,
        "toolName": name,
        "state": state.as_str(),
        "input": tool_input(call.get("args")),
    });
    if state == ToolState::OutputAvailable {
        part["output"] = call.get("result").cloned().unwrap_or_default();
    }
    Some(part)
}

fn source(source: &Value) -> Option<Value> {
    let mut part = json!({"type": "source-url", "sourceId": source.get("id")?, "url": source.get("url")?});
    if let Some(title) = source.get("title") {
        part["title"] = title.clone();
    }
    Some(part)
}

fn file(part: &Value) -> Option<Value> {
    let kind = part.get("mimeType")?.as_str()?;
    let data = part.get("data")?.as_str()?;
    Some(json!({"type": "file", "mediaType": kind, "url": format!("data:{kind};base64,{data}")}))
}

fn attachment(file: &Value) -> Option<Value> {
    let kind = file.get("contentType").and_then(Value::as_str).unwrap_or("application/octet-stream");
    let mut part = json!({"type": "file", "mediaType": kind, "url": file.get("url")?});
    if let Some(name) = file.get("name") {
        part["filename"] = name.clone();
    }
    Some(part)
}

/// A message as clients of the AI SDK 4 know it. What they have no word for is left out.
///
/// ```
/// use hostel_protocol::chat::{UiMessage, to_v4};
/// let old = to_v4(&UiMessage::user("u1", "hi"));
/// assert_eq!(old.to_string(), r#"{"id":"u1","role":"user","content":"hi","parts":[{"type":"text","text":"hi"}]}"#);
/// ```
#[must_use]
pub fn to_v4(message: &UiMessage) -> Value {
    let mut old = Map::new();
    old.insert("id".to_owned(), message.id.as_str().into());
    old.insert("role".to_owned(), message.role.as_str().into());
    old.insert("content".to_owned(), message.text().into());
    let parts: Vec<Value> = message.parts.iter().filter_map(old_part).collect();
    if message.role == crate::chat::Role::Assistant {
        let calls = parts.iter().filter_map(|part| part.get("toolInvocation").cloned());
        old.insert("toolInvocations".to_owned(), calls.collect());
    }
    old.insert("parts".to_owned(), parts.into());
    for (key, value) in &message.rest {
        old.insert(key.clone(), value.clone());
    }
    Value::Object(old)
}

fn old_part(part: &Value) -> Option<Value> {
    let text = || part.get("text").and_then(Value::as_str);
    match part.get("type")?.as_str()? {
        "text" => Some(json!({"type": "text", "text": text()?})),
        "step-start" => Some(json!({"type": "step-start"})),
        "reasoning" => {
            let details = json!([{"type": "text", "text": text()?}]);
            Some(json!({"type": "reasoning", "reasoning": text()?, "details": details}))
        }
        "source-url" => Some(json!({"type": "source", "source": old_source(part)})),
        "file" => old_file(part).map(|file| json!({"type": "file", "mimeType": file.0, "data": file.1})),
        _ => old_call(part).map(|call| json!({"type": "tool-invocation", "toolInvocation": call})),
    }
}

/// A source as it stood in parts and on the stream.
pub(super) fn old_source(part: &Value) -> Value {
    let mut source = json!({"sourceType": "url", "id": part["sourceId"], "url": part["url"]});
    if let Some(title) = part.get("title").filter(|title| title.is_string()) {
        source["title"] = title.clone();
    }
    source
}

/// Kind and base64 of a file whose bytes are in its URL.
pub(super) fn old_file(part: &Value) -> Option<(&str, &str)> {
    let (_, data) = part.get("url")?.as_str()?.split_once(";base64,")?;
    Some((part.get("mediaType")?.as_str()?, data))
}

fn old_call(part: &Value) -> Option<Value> {
    let (name, id, state) = (tool_name(part)?, call_id(part)?, ToolState::of(part)?);
    let result = match state {
        ToolState::OutputAvailable => part.get("output").cloned(),
        ToolState::OutputError => part.get("errorText").cloned(),
        ToolState::OutputDenied => Some(NO.into()),
        _ => None,
    };
    let word = match (state, &result) {
        (ToolState::InputStreaming, _) => "partial-call",
        (_, Some(_)) => "result",
        (_, None) => "call",
    };
    let input = part.get("input").cloned().unwrap_or_else(|| json!({}));
    let mut call = json!({"state": word, "toolCallId": id, "toolName": name, "args": input});
    if let Some(result) = result {
        call["result"] = result;
    }
    Some(call)
}
