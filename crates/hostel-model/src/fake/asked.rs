//! What a provider is asked, read back.

use axum::http::{HeaderMap, Uri};
use serde_json::Value;

use super::Speaks;
use crate::{Content, Data, Message, Piece, Request, ToolOutput, ToolSpec};

/// One request as it came.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Asked {
    /// In whose words.
    pub speaks: Speaks,
    /// Path and query.
    pub path: String,
    /// Headers that are texts.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Value,
}

impl Asked {
    pub(super) fn new(speaks: Speaks, headers: &HeaderMap, uri: &Uri, body: Value) -> Self {
        let text = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
            Some((name.to_string(), value.to_str().ok()?.to_owned()))
        };
        Self { speaks, path: uri.to_string(), headers: headers.iter().filter_map(text).collect(), body }
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What was asked, in our words; as much of it as a script needs.
    pub fn request(&self) -> Request {
        let body = &self.body;
        let (system, messages, tools) = match self.speaks {
            Speaks::OpenAi => (None, openai(body), each(&body["tools"], |tool| spec(&tool["function"], "parameters"))),
            Speaks::Anthropic => {
                let system = body.pointer("/system/0/text").and_then(Value::as_str).map(str::to_owned);
                (system, anthropic(body), each(&body["tools"], |tool| spec(tool, "input_schema")))
            }
            Speaks::Google => {
                let system = body.pointer("/systemInstruction/parts/0/text").and_then(Value::as_str).map(str::to_owned);
                let tools = each(&body["tools"][0]["functionDeclarations"], |tool| spec(tool, "parametersJsonSchema"));
                (system, google(body), tools)
            }
        };
        let of_openai = || {
            let first = body["messages"].get(0).filter(|first| first["role"] == "system")?;
            Some(string(&first["content"]))
        };
        Request { system: system.or_else(of_openai), messages, tools, ..Request::default() }
    }
}

fn each<T>(list: &Value, read: impl Fn(&Value) -> T) -> Vec<T> {
    list.as_array().into_iter().flatten().map(read).collect()
}

fn string(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        other => other.to_string(),
    }
}

fn spec(tool: &Value, schema: &str) -> ToolSpec {
    ToolSpec::new(string(&tool["name"]), string(&tool["description"]), tool[schema].clone())
}

/// What is no text is read as a file without its bytes: scripts cannot see it.
fn contents(value: &Value) -> Vec<Content> {
    match value {
        Value::String(text) => vec![Content::Text(text.clone())],
        parts => each(parts, |part| match part["text"].as_str() {
            Some(text) => Content::Text(text.to_owned()),
            None => {
                Content::File { media_type: "unknown".to_owned(), name: None, data: Data::Url("unknown:".to_owned()) }
            }
        }),
    }
}

fn openai(body: &Value) -> Vec<Message> {
    let messages = each(&body["messages"], |message| match message["role"].as_str() {
        Some("user") => Some(Message::User(contents(&message["content"]))),
        Some("assistant") => {
            let text = string(&message["content"]);
            let mut pieces: Vec<Piece> = (!text.is_empty()).then_some(Piece::Text(text)).into_iter().collect();
            pieces.extend(each(&message["tool_calls"], |call| {
                let input = serde_json::from_str(&string(&call["function"]["arguments"])).unwrap_or_default();
                piece(&call["id"], &call["function"]["name"], input)
            }));
            Some(Message::Assistant(pieces))
        }
        Some("tool") => Some(Message::Tool(vec![output(&message["tool_call_id"], &message["content"])])),
        _ => None,
    });
    messages.into_iter().flatten().collect()
}

fn piece(id: &Value, name: &Value, input: Value) -> Piece {
    Piece::ToolCall { id: string(id), name: string(name), input, signature: None }
}

fn output(id: &Value, content: &Value) -> ToolOutput {
    ToolOutput { call_id: string(id), name: String::new(), output: string(content), is_error: false }
}

fn anthropic(body: &Value) -> Vec<Message> {
    let mut all = Vec::new();
    for message in body["messages"].as_array().into_iter().flatten() {
        let blocks = || message["content"].as_array().into_iter().flatten();
        if message["role"] == "assistant" {
            all.push(Message::Assistant(blocks().filter_map(anthropic_piece).collect()));
            continue;
        }
        let results: Vec<_> = blocks().filter(|block| block["type"] == "tool_result").collect();
        if !results.is_empty() {
            let outputs = results.iter().map(|block| output(&block["tool_use_id"], &block["content"]));
            all.push(Message::Tool(outputs.collect()));
        }
        let rest: Vec<Value> = blocks().filter(|block| block["type"] != "tool_result").cloned().collect();
        if !rest.is_empty() {
            all.push(Message::User(contents(&Value::Array(rest))));
        }
    }
    all
}

fn anthropic_piece(block: &Value) -> Option<Piece> {
    match block["type"].as_str()? {
        "text" => Some(Piece::Text(string(&block["text"]))),
        "tool_use" => Some(piece(&block["id"], &block["name"], block["input"].clone())),
        _ => None,
    }
}

fn google(body: &Value) -> Vec<Message> {
    each(&body["contents"], |content| {
        let parts = content["parts"].as_array().cloned().unwrap_or_default();
        if content["role"] == "model" {
            return Message::Assistant(parts.iter().map(google_piece).collect());
        }
        let responses: Vec<_> = parts.iter().filter_map(|part| part.get("functionResponse")).collect();
        if responses.is_empty() {
            return Message::User(contents(&Value::Array(parts)));
        }
        let answer = |response: &&Value| {
            let response = &response["response"];
            let inner = response.get("output").or_else(|| response.get("error")).unwrap_or(response);
            output(&Value::Null, inner)
        };
        Message::Tool(responses.iter().map(answer).collect())
    })
}

fn google_piece(part: &Value) -> Piece {
    match part.get("functionCall") {
        Some(call) => piece(&Value::Null, &call["name"], call["args"].clone()),
        None => Piece::Text(string(&part["text"])),
    }
}
