//! A chunk: one step in the growth of a message.

use serde_json::{Map, Value};

use super::fault::ChatFault;
use super::read;

/// A chunk of the UI message stream. Keys and types we do not know are kept as they came.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk(Map<String, Value>);

impl Chunk {
    /// A chunk of any type, with nothing but the type.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        let mut map = Map::with_capacity(4);
        map.insert("type".to_owned(), kind.into());
        Self(map)
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// Reads a chunk.
    ///
    /// # Errors
    ///
    /// When the text is not a JSON object with a string `type`.
    pub fn parse(text: &str) -> Result<Self, ChatFault> {
        Self::from_value(read::json(text).map_err(|fault| ChatFault::new(fault.to_string()))?)
    }

    /// [`Chunk::parse`] of a value.
    ///
    /// # Errors
    ///
    /// When the value is not an object with a string `type`.
    pub fn from_value(value: Value) -> Result<Self, ChatFault> {
        match value {
            Value::Object(map) if map.get("type").is_some_and(Value::is_string) => Ok(Self(map)),
            _ => Err(ChatFault::new("A chunk must be a JSON object with a string `type`.")),
        }
    }

    /// Its `type`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("type").unwrap_or_default()
    }

    /// A field.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// A field that is a string.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }

    /// Sets a field.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.0.insert(key.to_owned(), value.into());
    }

    /// Takes a field away.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.0.shift_remove(key)
    }

    /// All fields.
    #[must_use]
    pub fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Keeps the fields that `keep` names, and the type.
    pub(super) fn keep(&mut self, keep: &[&str]) {
        self.0.retain(|key, _| key == "type" || keep.contains(&key.as_str()));
    }

    /// The chunk as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// The chunk as a value.
    #[must_use]
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

/// The chunks of protocol 5.10.
impl Chunk {
    /// The message with this id begins.
    #[must_use]
    pub fn start(message_id: &str) -> Self {
        Self::new("start").with("messageId", message_id)
    }

    /// More of the message of before: the beginning of a continuation.
    #[must_use]
    pub fn start_again() -> Self {
        Self::new("start")
    }

    /// A step, which is one call of a model, begins.
    #[must_use]
    pub fn start_step() -> Self {
        Self::new("start-step")
    }

    /// The step is over.
    #[must_use]
    pub fn finish_step() -> Self {
        Self::new("finish-step")
    }

    /// A text begins.
    #[must_use]
    pub fn text_start(id: &str) -> Self {
        Self::new("text-start").with("id", id)
    }

    /// More of a text.
    #[must_use]
    pub fn text_delta(id: &str, delta: &str) -> Self {
        Self::new("text-delta").with("id", id).with("delta", delta)
    }

    /// The text is complete.
    #[must_use]
    pub fn text_end(id: &str) -> Self {
        Self::new("text-end").with("id", id)
    }

    /// Reasoning begins.
    #[must_use]
    pub fn reasoning_start(id: &str) -> Self {
        Self::new("reasoning-start").with("id", id)
    }

    /// More reasoning.
    #[must_use]
    pub fn reasoning_delta(id: &str, delta: &str) -> Self {
        Self::new("reasoning-delta").with("id", id).with("delta", delta)
    }

    /// The reasoning is complete.
    #[must_use]
    pub fn reasoning_end(id: &str) -> Self {
        Self::new("reasoning-end").with("id", id)
    }

    /// The model begins to call a tool.
    #[must_use]
    pub fn tool_input_start(call_id: &str, tool: &str) -> Self {
        Self::new("tool-input-start").with("toolCallId", call_id).with("toolName", tool)
    }

    /// More of the text of a call's input.
    #[must_use]
    pub fn tool_input_delta(call_id: &str, delta: &str) -> Self {
        Self::new("tool-input-delta").with("toolCallId", call_id).with("inputTextDelta", delta)
    }

    /// The call's input is complete.
    #[must_use]
    pub fn tool_input_available(call_id: &str, tool: &str, input: Value) -> Self {
        Self::new("tool-input-available").with("toolCallId", call_id).with("toolName", tool).with("input", input)
    }

    /// The call's input cannot be used.
    #[must_use]
    pub fn tool_input_error(call_id: &str, tool: &str, input: Value, error: &str) -> Self {
        let chunk = Self::new("tool-input-error").with("toolCallId", call_id).with("toolName", tool);
        chunk.with("input", input).with("errorText", error)
    }

    /// Somebody has to allow the call first.
    #[must_use]
    pub fn tool_approval_request(approval_id: &str, call_id: &str) -> Self {
        Self::new("tool-approval-request").with("approvalId", approval_id).with("toolCallId", call_id)
    }

    /// The tool answered.
    #[must_use]
    pub fn tool_output_available(call_id: &str, output: Value) -> Self {
        Self::new("tool-output-available").with("toolCallId", call_id).with("output", output)
    }

    /// The tool failed.
    #[must_use]
    pub fn tool_output_error(call_id: &str, error: &str) -> Self {
        Self::new("tool-output-error").with("toolCallId", call_id).with("errorText", error)
    }

    /// Somebody did not allow the call.
    #[must_use]
    pub fn tool_output_denied(call_id: &str) -> Self {
        Self::new("tool-output-denied").with("toolCallId", call_id)
    }

    /// A page that was used.
    #[must_use]
    pub fn source_url(source_id: &str, url: &str) -> Self {
        Self::new("source-url").with("sourceId", source_id).with("url", url)
    }

    /// A document that was used.
    #[must_use]
    pub fn source_document(source_id: &str, media_type: &str, title: &str) -> Self {
        let chunk = Self::new("source-document").with("sourceId", source_id);
        chunk.with("mediaType", media_type).with("title", title)
    }

    /// A file; `url` is often a data URL.
    #[must_use]
    pub fn file(media_type: &str, url: &str) -> Self {
        Self::new("file").with("mediaType", media_type).with("url", url)
    }

    /// Data of the application; `name` is without the `data-`.
    #[must_use]
    pub fn data(name: &str, data: Value) -> Self {
        Self::new(&format!("data-{name}")).with("data", data)
    }

    /// More metadata of the message.
    #[must_use]
    pub fn message_metadata(metadata: Value) -> Self {
        Self::new("message-metadata").with("messageMetadata", metadata)
    }

    /// The answer is complete.
    #[must_use]
    pub fn finish(reason: &str) -> Self {
        Self::new("finish").with("finishReason", reason)
    }

    /// The answer was stopped.
    #[must_use]
    pub fn abort() -> Self {
        Self::new("abort")
    }

    /// The answer failed. On the wire this becomes an error frame.
    #[must_use]
    pub fn error(text: &str) -> Self {
        Self::new("error").with("errorText", text)
    }
}
