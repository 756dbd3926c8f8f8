//! What chunks make of a message.

mod tool;

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::chunk::Chunk;
use super::message::{Role, UiMessage};
use super::part::{ToolState, tool_input};

/// A message that grows by chunks. Folding the same chunks always gives the same message: how they are cut, and whether
/// some come again ([`Fold::apply_at`]), makes no difference.
///
/// Chunks that go to clients after [`stamp`](super::stamp) may be folded before or after it.
#[derive(Debug, Clone)]
pub struct Fold {
    message: UiMessage,
    /// Whether `start` may name the message.
    is_new: bool,
    /// Texts and reasonings under way: kind, id of the stream, index of the part.
    open: Vec<(&'static str, String, usize)>,
    /// Inputs of calls that are still being written.
    written: HashMap<String, String>,
    next_seq: u64,
    is_over: bool,
}

impl Fold {
    /// A new message of the agent; a chunk `start` with an id gives it another one.
    #[must_use]
    pub fn new(message_id: impl Into<String>) -> Self {
        Self::of(UiMessage::new(message_id, Role::Assistant), true)
    }

    /// More of a message that is there: its id stays.
    #[must_use]
    pub fn continuing(message: UiMessage) -> Self {
        Self::of(message, false)
    }

    fn of(message: UiMessage, is_new: bool) -> Self {
        Self { message, is_new, open: Vec::new(), written: HashMap::new(), next_seq: 0, is_over: false }
    }

    /// The message as it is now.
    #[must_use]
    pub fn message(&self) -> &UiMessage {
        &self.message
    }

    /// The message, for what is not said by chunks: results and approvals that clients send.
    pub fn message_mut(&mut self) -> &mut UiMessage {
        &mut self.message
    }

    /// The message.
    #[must_use]
    pub fn into_message(self) -> UiMessage {
        self.message
    }

    /// The number that the next chunk has, as far as [`Fold::apply_at`] has seen.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.next_seq
    }

    /// Whether a chunk said that the answer is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// [`Fold::apply`] of a chunk with a number. One whose number was there before does nothing, so that a replay may
    /// be folded into what is already folded.
    pub fn apply_at(&mut self, seq: u64, chunk: &Chunk) -> bool {
        if seq < self.next_seq {
            return false;
        }
        self.next_seq = seq + 1;
        self.apply(chunk)
    }

    /// Applies a chunk; `false` if it changes nothing in the message.
    pub fn apply(&mut self, chunk: &Chunk) -> bool {
        match chunk.kind() {
            "start" => self.start(chunk),
            "start-step" => self.push(json!({"type": "step-start"})),
            "text-start" => self.begin("text", chunk),
            "text-delta" => self.grow("text", chunk),
            "text-end" => self.end("text", chunk),
            "reasoning-start" => self.begin("reasoning", chunk),
            "reasoning-delta" => self.grow("reasoning", chunk),
            "reasoning-end" => self.end("reasoning", chunk),
            "source-url" | "source-document" | "file" => self.push(Value::Object(chunk.fields().clone())),
            "message-metadata" => self.merge_metadata(chunk.get("messageMetadata")),
            "finish" => self.finish(chunk),
            "abort" => self.over(),
            kind if kind.starts_with("tool-") => tool::apply(self, kind, chunk),
            kind if kind.starts_with("data-") => self.data(chunk),
            _ => false,
        }
    }

    /// Whether a client that has the message would take a step back by this chunk: a tool call that is told again from
    /// its beginning. Such a chunk is better not sent.
    #[must_use]
    pub fn is_stale(&self, chunk: &Chunk) -> bool {
        let state = chunk.text("toolCallId").and_then(|call| self.message.tool_state(call));
        let Some(state) = state else { return false };
        match chunk.kind() {
            "tool-input-start" => true,
            "tool-input-delta" | "tool-input-available" => state != ToolState::InputStreaming,
            "tool-approval-request" | "tool-output-denied" => {
                state.is_settled() || state == ToolState::ApprovalResponded
            }
            _ => false,
        }
    }

    fn start(&mut self, chunk: &Chunk) -> bool {
        let named = chunk.text("messageId").filter(|_| self.is_new);
        if let Some(id) = named {
            id.clone_into(&mut self.message.id);
        }
        self.merge_metadata(chunk.get("messageMetadata")) || named.is_some()
    }

    fn finish(&mut self, chunk: &Chunk) -> bool {
        self.is_over = true;
        let Some(Value::Object(metadata)) = chunk.get("messageMetadata") else { return false };
        // Why an answer ended is told to clients and not kept: they would send it back, and older ones refuse it.
        let mut metadata = metadata.clone();
        metadata.shift_remove("finishReason");
        !metadata.is_empty() && self.merge_metadata(Some(&Value::Object(metadata)))
    }

    fn over(&mut self) -> bool {
        self.is_over = true;
        false
    }

    fn push(&mut self, part: Value) -> bool {
        self.message.parts.push(part);
        true
    }

    fn begin(&mut self, kind: &'static str, chunk: &Chunk) -> bool {
        let mut part = Map::with_capacity(4);
        part.insert("type".to_owned(), kind.into());
        part.insert("text".to_owned(), "".into());
        part.insert("state".to_owned(), "streaming".into());
        add_provider_metadata(&mut part, chunk);
        if let Some(id) = chunk.text("id") {
            self.open.retain(|(open, name, _)| *open != kind || name != id);
            self.open.push((kind, id.to_owned(), self.message.parts.len()));
        }
        self.push(Value::Object(part))
    }

    fn grow(&mut self, kind: &'static str, chunk: &Chunk) -> bool {
        let delta = chunk.text("delta").unwrap_or_default();
        if let Some(part) = self.text_part(kind, chunk) {
            if let Some(Value::String(text)) = part.get_mut("text") {
                text.push_str(delta);
            }
            return add_provider_metadata(part, chunk) || !delta.is_empty();
        }
        self.begin(kind, chunk);
        self.grow(kind, chunk)
    }

    fn end(&mut self, kind: &'static str, chunk: &Chunk) -> bool {
        let Some(part) = self.text_part(kind, chunk) else { return false };
        part.insert("state".to_owned(), "done".into());
        add_provider_metadata(part, chunk);
        self.open.retain(|(open, name, _)| *open != kind || Some(name.as_str()) != chunk.text("id"));
        true
    }

    /// The part that a chunk belongs to: the one its id began, else the last of its kind.
    fn text_part(&mut self, kind: &str, chunk: &Chunk) -> Option<&mut Map<String, Value>> {
        let id = chunk.text("id");
        let known = self.open.iter().find(|(open, name, _)| *open == kind && Some(name.as_str()) == id);
        let parts = &self.message.parts;
        let at = match known {
            Some((_, _, at)) => *at,
            None => parts.iter().rposition(|part| part["type"] == kind && part["text"].is_string())?,
        };
        self.message.parts.get_mut(at)?.as_object_mut()
    }

    fn data(&mut self, chunk: &Chunk) -> bool {
        if chunk.get("transient") == Some(&Value::Bool(true)) {
            return false;
        }
        let data = chunk.get("data").cloned().unwrap_or(Value::Null);
        let id = chunk.get("id").filter(|id| !id.is_null());
        let same = |part: &&mut Value| part["type"] == chunk.kind() && part.get("id") == id;
        if let Some(Value::Object(part)) = self.message.parts.iter_mut().rev().filter(|_| id.is_some()).find(same) {
            part.insert("data".to_owned(), data);
            return true;
        }
        let mut part = Map::with_capacity(3);
        part.insert("type".to_owned(), chunk.kind().into());
        if let Some(id) = id {
            part.insert("id".to_owned(), id.clone());
        }
        part.insert("data".to_owned(), data);
        self.push(Value::Object(part))
    }

    fn merge_metadata(&mut self, more: Option<&Value>) -> bool {
        let Some(more) = more.filter(|more| !more.is_null()) else { return false };
        merge(self.message.metadata.get_or_insert_with(|| json!({})), more, 0);
        true
    }
}

/// How deep metadata is merged; below, the new value simply counts.
const MERGED_LEVELS: usize = 16;

fn merge(old: &mut Value, new: &Value, level: usize) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) if level < MERGED_LEVELS => {
            for (key, value) in new {
                merge(old.entry(key.as_str()).or_insert(Value::Null), value, level + 1);
            }
        }
        (old, new) => old.clone_from(new),
    }
}

/// Adds what the provider says about a part, key by key: a signature comes with the last chunk.
fn add_provider_metadata(part: &mut Map<String, Value>, chunk: &Chunk) -> bool {
    let Some(more) = chunk.get("providerMetadata").filter(|more| !more.is_null()) else { return false };
    merge(part.entry("providerMetadata").or_insert_with(|| json!({})), more, 0);
    true
}

/// The input of a chunk, as an object.
fn input_of(chunk: &Chunk) -> Value {
    tool_input(chunk.get("input"))
}
