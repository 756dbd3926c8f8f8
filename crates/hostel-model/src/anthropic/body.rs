//! The request, as Anthropic has it.

use serde_json::{Map, Value, json};

use super::REDACTED;
use crate::{Content, Data, Message, Piece, Reasoning, Request, ToolChoice, ToolOutput, settings::ModelSettings};

/// Greatest length of an answer where nobody says one: Anthropic wants to be told.
const USUAL_MAX_TOKENS: u64 = 8192;

/// The body of a request.
pub(crate) fn body(settings: &ModelSettings, request: &Request) -> Map<String, Value> {
    let mut body = Map::new();
    let mut set = |key: &str, value: Value| drop(body.insert(key.to_owned(), value));
    let thinking = thinking(settings, request);
    let most = request.max_output_tokens.or(settings.max_output_tokens).unwrap_or(USUAL_MAX_TOKENS);
    set("model", settings.model().into());
    set("max_tokens", (most + thinking.unwrap_or(0)).into());
    set("stream", true.into());
    if let Some(text) = request.system.as_ref().filter(|text| !text.is_empty()) {
        set("system", json!([{"type": "text", "text": text}]));
    }
    set("messages", messages(&request.messages));
    if !request.tools.is_empty() {
        let tool = |tool: &crate::ToolSpec| json!({"name": tool.name, "description": tool.description, "input_schema": tool.schema});
        set("tools", request.tools.iter().map(tool).collect());
        set("tool_choice", choice(&request.tool_choice));
    }
    match (thinking, request.temperature.or(settings.temperature)) {
        (Some(budget), _) => set("thinking", json!({"type": "enabled", "budget_tokens": budget})),
        (None, Some(temperature)) => set("temperature", temperature.into()),
        (None, None) => {}
    }
    if !request.stop.is_empty() {
        set("stop_sequences", request.stop.clone().into());
    }
    if settings.cache {
        keep_what_repeats(&mut body);
    }
    body
}

/// How many tokens of thought are asked for; none where a tool is forced, which excludes thinking.
fn thinking(settings: &ModelSettings, request: &Request) -> Option<u64> {
    let forced = matches!(request.tool_choice, ToolChoice::Required | ToolChoice::Tool(_)) && !request.tools.is_empty();
    let effort = request.reasoning.or(settings.reasoning).filter(|_| !forced)?;
    match effort {
        Reasoning::Off => None,
        Reasoning::Low => Some(2048),
        Reasoning::Medium => Some(8192),
        Reasoning::High => Some(24_576),
    }
}

fn choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => json!({"type": "auto"}),
        ToolChoice::None => json!({"type": "none"}),
        ToolChoice::Required => json!({"type": "any"}),
        ToolChoice::Tool(name) => json!({"type": "tool", "name": name}),
    }
}

/// Marks the ends of what stays the same from request to request: tools and system, and the conversation so far.
fn keep_what_repeats(body: &mut Map<String, Value>) {
    let mark = |block: Option<&mut Value>| {
        if let Some(Value::Object(block)) = block {
            block.insert("cache_control".to_owned(), json!({"type": "ephemeral"}));
        }
    };
    if body.contains_key("system") {
        mark(last_of_key(body, "system"));
    } else {
        mark(last_of_key(body, "tools"));
    }
    let last = last_of_key(body, "messages").and_then(|message| message.get_mut("content"));
    let block = last.and_then(Value::as_array_mut).and_then(|blocks| blocks.last_mut());
    let thought =
        |block: &Value| matches!(block.get("type").and_then(Value::as_str), Some("thinking" | "redacted_thinking"));
    mark(block.filter(|block| !thought(block)));
}

fn last_of_key<'a>(body: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Value> {
    body.get_mut(key)?.as_array_mut()?.last_mut()
}

/// Roles take turns here: what follows with the same role is one message.
fn messages(messages: &[Message]) -> Value {
    let mut all: Vec<(&str, Vec<Value>)> = Vec::new();
    for message in messages {
        let (role, blocks) = match message {
            Message::User(contents) => ("user", contents.iter().filter_map(content).collect::<Vec<_>>()),
            Message::Assistant(pieces) => ("assistant", pieces.iter().filter_map(piece).collect()),
            Message::Tool(outputs) => ("user", outputs.iter().map(output).collect()),
        };
        match all.last_mut() {
            _ if blocks.is_empty() => {}
            Some((last, before)) if *last == role => before.extend(blocks),
            _ => all.push((role, blocks)),
        }
    }
    all.into_iter().map(|(role, content)| json!({"role": role, "content": content})).collect()
}

fn content(content: &Content) -> Option<Value> {
    match content {
        Content::Text(text) => text_block(text),
        Content::Image { media_type, data } => Some(json!({"type": "image", "source": source(media_type, data)})),
        Content::File { media_type, name, data } => {
            let mut block = json!({"type": "document", "source": source(media_type, data)});
            if let Some(name) = name {
                block["title"] = name.as_str().into();
            }
            Some(block)
        }
    }
}

/// Empty texts are refused by Anthropic.
fn text_block(text: &str) -> Option<Value> {
    (!text.trim().is_empty()).then(|| json!({"type": "text", "text": text}))
}

fn source(media_type: &str, data: &Data) -> Value {
    match data {
        Data::Base64(bytes) => json!({"type": "base64", "media_type": media_type, "data": bytes}),
        Data::Url(url) => json!({"type": "url", "url": url}),
    }
}

/// Thoughts go back only with their signature.
fn piece(piece: &Piece) -> Option<Value> {
    match piece {
        Piece::Text(text) => text_block(text),
        Piece::Reasoning { text, signature } => {
            let signature = signature.as_deref()?;
            Some(match signature.strip_prefix(REDACTED) {
                Some(data) => json!({"type": "redacted_thinking", "data": data}),
                None => json!({"type": "thinking", "thinking": text, "signature": signature}),
            })
        }
        Piece::ToolCall { id, name, input, .. } => {
            let input = if input.is_object() { input.clone() } else { json!({}) };
            Some(json!({"type": "tool_use", "id": id, "name": name, "input": input}))
        }
    }
}

fn output(output: &ToolOutput) -> Value {
    let ToolOutput { call_id, output, is_error, .. } = output;
    json!({"type": "tool_result", "tool_use_id": call_id, "content": output, "is_error": is_error})
}
