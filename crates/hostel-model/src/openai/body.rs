//! The request, as chat completions have it.

use serde_json::{Map, Value, json};

use crate::{
    Content, Message, Piece, Reasoning, Request, ToolChoice, ToolSpec,
    settings::{ModelSettings, Provider},
};

/// The body of a request.
pub(crate) fn body(settings: &ModelSettings, request: &Request) -> Map<String, Value> {
    let mut body = Map::new();
    let mut set = |key: &str, value: Value| drop(body.insert(key.to_owned(), value));
    set("model", settings.model().into());
    set("messages", messages(settings.provider, request));
    set("stream", true.into());
    set("stream_options", json!({"include_usage": true}));
    if !request.tools.is_empty() {
        set("tools", request.tools.iter().map(tool).collect());
        set("tool_choice", choice(&request.tool_choice));
    }
    if let Some(most) = request.max_output_tokens.or(settings.max_output_tokens) {
        let newer = settings.provider == Provider::OpenAi;
        set(if newer { "max_completion_tokens" } else { "max_tokens" }, most.into());
    }
    if let Some(temperature) = request.temperature.or(settings.temperature) {
        set("temperature", temperature.into());
    }
    if !request.stop.is_empty() {
        set("stop", request.stop.clone().into());
    }
    match (request.reasoning.or(settings.reasoning), settings.provider) {
        (Some(Reasoning::Off), Provider::OpenRouter) => set("reasoning", json!({"enabled": false})),
        (Some(effort), Provider::OpenRouter) => set("reasoning", json!({"effort": effort.as_str()})),
        (Some(Reasoning::Off), _) => set("reasoning_effort", "none".into()),
        (Some(effort), _) => set("reasoning_effort", effort.as_str().into()),
        (None, _) => {}
    }
    body
}

fn tool(spec: &ToolSpec) -> Value {
    let ToolSpec { name, description, schema } = spec;
    json!({"type": "function", "function": {"name": name, "description": description, "parameters": schema}})
}

fn choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Tool(name) => json!({"type": "function", "function": {"name": name}}),
    }
}

fn messages(provider: Provider, request: &Request) -> Value {
    let mut all = Vec::with_capacity(request.messages.len() + 1);
    all.extend(request.system.iter().map(|text| json!({"role": "system", "content": text})));
    for message in &request.messages {
        match message {
            Message::User(contents) => all.push(json!({"role": "user", "content": user(contents)})),
            Message::Assistant(pieces) => all.extend(assistant(provider, pieces)),
            Message::Tool(outputs) => all.extend(
                outputs
                    .iter()
                    .map(|output| json!({"role": "tool", "tool_call_id": output.call_id, "content": output.output})),
            ),
        }
    }
    Value::Array(all)
}

/// Text alone is a string: some servers take nothing else.
fn user(contents: &[Content]) -> Value {
    if let [Content::Text(text)] = contents {
        return text.as_str().into();
    }
    contents.iter().map(part).collect()
}

fn part(content: &Content) -> Value {
    match content {
        Content::Text(text) => json!({"type": "text", "text": text}),
        Content::Image { media_type, data } => {
            json!({"type": "image_url", "image_url": {"url": data.to_url(media_type)}})
        }
        Content::File { media_type, name, data } => {
            let name = name.as_deref().unwrap_or("file");
            json!({"type": "file", "file": {"filename": name, "file_data": data.to_url(media_type)}})
        }
    }
}

/// A message of the model; none if nothing of it can be said again.
fn assistant(provider: Provider, pieces: &[Piece]) -> Option<Value> {
    let (mut text, mut calls, mut details) = (String::new(), Vec::new(), Vec::new());
    for piece in pieces {
        match piece {
            Piece::Text(more) => text.push_str(more),
            Piece::ToolCall { id, name, input, .. } => calls.push(
                json!({"id": id, "type": "function", "function": {"name": name, "arguments": input.to_string()}}),
            ),
            Piece::Reasoning { signature, .. } if provider == Provider::OpenRouter => details.extend(detail(signature)),
            Piece::Reasoning { .. } => {}
        }
    }
    if text.is_empty() && calls.is_empty() {
        return None;
    }
    let content = if text.is_empty() { Value::Null } else { text.into() };
    let mut message = json!({"role": "assistant", "content": content});
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    if !details.is_empty() {
        message["reasoning_details"] = details.into();
    }
    Some(message)
}

fn detail(signature: &Option<String>) -> Vec<Value> {
    signature.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}
