//! The data stream: lines of a code, a colon and JSON.

use serde_json::{Value, json};

use super::message::{old_file, old_source};
use crate::chat::chunk::Chunk;
use crate::chat::tool::NO;

/// Writes chunks as lines of the data stream. What it has no word for is left out.
///
/// ```
/// use hostel_protocol::chat::{Chunk, DataStream};
/// let mut stream = DataStream::default();
/// assert_eq!(stream.encode(&Chunk::start("m1")), None);
/// assert_eq!(stream.encode(&Chunk::start_step()).unwrap(), "f:{\"messageId\":\"m1\"}\n");
/// assert_eq!(stream.encode(&Chunk::text_delta("t", "Hi ")).unwrap(), "0:\"Hi \"\n");
/// ```
#[derive(Debug, Clone, Default)]
pub struct DataStream {
    message_id: Option<String>,
    is_begun: bool,
    /// A step that is over; its line waits for the reason, which the newer stream says later.
    ended_step: bool,
    /// Whether the last step called tools.
    has_called: bool,
}

impl DataStream {
    /// A stream for the message with this id, should no `start` name it.
    #[must_use]
    pub fn new(message_id: impl Into<String>) -> Self {
        Self { message_id: Some(message_id.into()), ..Self::default() }
    }

    /// The lines of a chunk, `None` for nothing.
    pub fn encode(&mut self, chunk: &Chunk) -> Option<String> {
        let mut lines = String::new();
        match chunk.kind() {
            "start" => self.start(chunk),
            "start-step" => self.begin_step(&mut lines),
            "finish-step" => self.ended_step = true,
            "finish" => self.finish(chunk, &mut lines),
            kind => {
                let content = content(kind, chunk)?;
                if !self.is_begun {
                    self.begin_step(&mut lines);
                }
                self.has_called |= kind == "tool-input-available";
                lines.push_str(&content);
            }
        }
        (!lines.is_empty()).then_some(lines)
    }

    fn start(&mut self, chunk: &Chunk) {
        if let Some(id) = chunk.text("messageId") {
            self.message_id = Some(id.to_owned());
        }
    }

    fn begin_step(&mut self, lines: &mut String) {
        self.end_step("tool-calls", &unknown_usage(), lines);
        self.is_begun = true;
        self.has_called = false;
        lines.push_str(&line('f', &json!({"messageId": self.message_id.as_deref().unwrap_or_default()})));
    }

    fn end_step(&mut self, reason: &str, usage: &Value, lines: &mut String) {
        if std::mem::take(&mut self.ended_step) {
            lines.push_str(&line('e', &json!({"finishReason": reason, "usage": usage, "isContinued": false})));
        }
    }

    fn finish(&mut self, chunk: &Chunk, lines: &mut String) {
        let metadata = chunk.get("messageMetadata");
        let told = chunk.get("finishReason").or_else(|| metadata?.get("finishReason"));
        let usual = if self.has_called { "tool-calls" } else { "stop" };
        let reason = told.and_then(Value::as_str).unwrap_or(usual);
        let usage = metadata.and_then(|metadata| metadata.get("usage")).map_or_else(unknown_usage, old_usage);
        self.end_step(reason, &usage, lines);
        lines.push_str(&line('d', &json!({"finishReason": reason, "usage": usage})));
    }
}

/// Numbers that nobody told us: `null` is read as "not a number" there.
fn unknown_usage() -> Value {
    json!({"promptTokens": null, "completionTokens": null})
}

fn old_usage(usage: &Value) -> Value {
    let count = |old: &str, new: &str| usage.get(old).or_else(|| usage.get(new)).cloned().unwrap_or_default();
    json!({
        "promptTokens": count("promptTokens", "inputTokens"),
        "completionTokens": count("completionTokens", "outputTokens"),
    })
}

fn content(kind: &str, chunk: &Chunk) -> Option<String> {
    let field = |key: &str| chunk.get(key).cloned().unwrap_or_default();
    let call = || field("toolCallId");
    let value = |code, value: Value| Some(line(code, &value));
    match kind {
        "text-delta" => value('0', field("delta")),
        "reasoning-delta" => value('g', field("delta")),
        "reasoning-end" => signature(chunk).map(|signature| line('j', &json!({"signature": signature}))),
        "source-url" => value('h', old_source(&Value::Object(chunk.fields().clone()))),
        "file" => {
            let part = Value::Object(chunk.fields().clone());
            old_file(&part).map(|(kind, data)| line('k', &json!({"data": data, "mimeType": kind})))
        }
        "tool-input-start" => value('b', json!({"toolCallId": call(), "toolName": field("toolName")})),
        "tool-input-delta" => value('c', json!({"toolCallId": call(), "argsTextDelta": field("inputTextDelta")})),
        "tool-input-available" => value('9', called(chunk)),
        "tool-input-error" => {
            let failed = json!({"toolCallId": call(), "result": field("errorText")});
            Some(line('9', &called(chunk)) + &line('a', &failed))
        }
        "tool-output-available" if chunk.get("preliminary") != Some(&Value::Bool(true)) => {
            value('a', json!({"toolCallId": call(), "result": field("output")}))
        }
        "tool-output-error" => value('a', json!({"toolCallId": call(), "result": field("errorText")})),
        "tool-output-denied" => value('a', json!({"toolCallId": call(), "result": NO})),
        "message-metadata" => value('8', json!([field("messageMetadata")])),
        "error" => value('3', field("errorText")),
        kind if kind.starts_with("data-") => value('2', json!([Value::Object(chunk.fields().clone())])),
        _ => None,
    }
}

fn called(chunk: &Chunk) -> Value {
    let field = |key: &str| chunk.get(key).cloned().unwrap_or_default();
    json!({"toolCallId": field("toolCallId"), "toolName": field("toolName"), "args": field("input")})
}

/// What lets a provider believe its own reasoning later.
fn signature(chunk: &Chunk) -> Option<&Value> {
    let providers = chunk.get("providerMetadata")?.as_object()?;
    providers.values().find_map(|metadata| metadata.get("signature"))
}

fn line(code: char, value: &Value) -> String {
    format!("{code}:{value}\n")
}
