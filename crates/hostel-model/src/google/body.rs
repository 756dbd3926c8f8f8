//! The request, as Gemini has it.

use serde_json::{Map, Value, json};

use crate::{
    Content, Data, Message, Piece, Reasoning, Request, ToolChoice, ToolOutput, ToolSpec, settings::ModelSettings,
};

/// The body of a request. The model stands in the address.
pub(crate) fn body(settings: &ModelSettings, request: &Request) -> Map<String, Value> {
    let mut body = Map::new();
    let mut set = |key: &str, value: Value| drop(body.insert(key.to_owned(), value));
    if let Some(text) = request.system.as_ref().filter(|text| !text.is_empty()) {
        set("systemInstruction", json!({"parts": [{"text": text}]}));
    }
    set("contents", contents(&request.messages));
    if !request.tools.is_empty() {
        set("tools", json!([{"functionDeclarations": request.tools.iter().map(tool).collect::<Value>()}]));
        set("toolConfig", json!({"functionCallingConfig": choice(&request.tool_choice)}));
    }
    let generation = generation(settings, request);
    if !generation.is_empty() {
        set("generationConfig", generation.into());
    }
    body
}

fn generation(settings: &ModelSettings, request: &Request) -> Map<String, Value> {
    let mut config = Map::new();
    let mut set = |key: &str, value: Value| drop(config.insert(key.to_owned(), value));
    if let Some(temperature) = request.temperature.or(settings.temperature) {
        set("temperature", temperature.into());
    }
    if let Some(most) = request.max_output_tokens.or(settings.max_output_tokens) {
        set("maxOutputTokens", most.into());
    }
    if !request.stop.is_empty() {
        set("stopSequences", request.stop.clone().into());
    }
    if let Some(effort) = request.reasoning.or(settings.reasoning) {
        let budget = match effort {
            Reasoning::Off => 0,
            Reasoning::Low => 2048,
            Reasoning::Medium => 8192,
            Reasoning::High => 24_576,
        };
        set("thinkingConfig", json!({"thinkingBudget": budget, "includeThoughts": budget > 0}));
    }
    config
}

fn tool(spec: &ToolSpec) -> Value {
    json!({"name": spec.name, "description": spec.description, "parametersJsonSchema": spec.schema})
}

fn choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => json!({"mode": "AUTO"}),
        ToolChoice::None => json!({"mode": "NONE"}),
        ToolChoice::Required => json!({"mode": "ANY"}),
        ToolChoice::Tool(name) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
    }
}

fn contents(messages: &[Message]) -> Value {
    let mut all = Vec::with_capacity(messages.len());
    for message in messages {
        let (role, parts) = match message {
            Message::User(contents) => ("user", contents.iter().map(content).collect::<Vec<_>>()),
            Message::Assistant(pieces) => ("model", pieces.iter().filter_map(piece).collect()),
            Message::Tool(outputs) => ("user", outputs.iter().map(output).collect()),
        };
        if !parts.is_empty() {
            all.push(json!({"role": role, "parts": parts}));
        }
    }
    Value::Array(all)
}

fn content(content: &Content) -> Value {
    match content {
        Content::Text(text) => json!({"text": text}),
        Content::Image { media_type, data } | Content::File { media_type, data, .. } => match data {
            Data::Base64(bytes) => json!({"inlineData": {"mimeType": media_type, "data": bytes}}),
            Data::Url(url) => json!({"fileData": {"mimeType": media_type, "fileUri": url}}),
        },
    }
}

fn piece(piece: &Piece) -> Option<Value> {
    match piece {
        Piece::Text(text) => (!text.is_empty()).then(|| json!({"text": text})),
        Piece::Reasoning { .. } => None,
        Piece::ToolCall { name, input, signature, .. } => {
            let args = if input.is_object() { input.clone() } else { json!({}) };
            let mut part = json!({"functionCall": {"name": name, "args": args}});
            if let Some(signature) = signature {
                part["thoughtSignature"] = signature.as_str().into();
            }
            Some(part)
        }
    }
}

/// Gemini wants an object; what is none becomes one.
fn output(output: &ToolOutput) -> Value {
    let key = if output.is_error { "error" } else { "output" };
    let response = match serde_json::from_str(&output.output) {
        Ok(Value::Object(fields)) if !output.is_error => Value::Object(fields),
        Ok(value) => json!({ key: value }),
        Err(_) => json!({ key: output.output }),
    };
    json!({"functionResponse": {"name": output.name, "response": response}})
}
