//! Writes down what a model streams: its events become chunks, and the calls it makes are collected.

use std::collections::{HashMap, HashSet};

use hostel::protocol::chat::Chunk;
use hostel_model::{Data, Event, FinishReason, Usage};
use serde_json::{Value, json};

/// A call the model made.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) tool: String,
    pub(crate) input: Value,
}

/// The writer of one step.
#[derive(Debug, Default)]
pub(crate) struct Scribe {
    step: usize,
    chunks: Vec<Chunk>,
    open: Vec<Open>,
    /// Ids of calls that the conversation has already.
    taken: HashSet<String>,
    /// What calls of this step are called here, by the model's own ids.
    ids: HashMap<String, String>,
    /// Whether a person has seen something of this step.
    pub(crate) has_said: bool,
    /// Whether the step has a text or a file.
    pub(crate) has_content: bool,
    /// Calls to be answered.
    pub(crate) calls: Vec<Call>,
    /// Calls that cannot be run, which have been answered.
    pub(crate) broken: usize,
    pub(crate) finish: Option<(FinishReason, Usage)>,
}

#[derive(Debug, PartialEq)]
enum Open {
    Text(String),
    Reasoning(String),
    Input { id: String, tool: String },
}

impl Scribe {
    /// A writer of this step; `taken` are the ids of calls that the conversation has already.
    pub(crate) fn new(step: usize, taken: HashSet<String>) -> Self {
        Self { step, taken, ..Self::default() }
    }

    /// Pages know a call by its id alone, and some models count their calls from 0 in each answer.
    fn id_of(&mut self, id: &str) -> String {
        if let Some(known) = self.ids.get(id) {
            return known.clone();
        }
        let numbered = (2..).map(|n| format!("{id}_{n}"));
        let mut free = std::iter::once(id.to_owned()).chain(numbered).filter(|id| !id.is_empty());
        let unique = free.find(|id| !self.taken.contains(id)).unwrap_or_default();
        self.taken.insert(unique.clone());
        self.ids.insert(id.to_owned(), unique.clone());
        unique
    }

    /// What has been written since the last time.
    pub(crate) fn take(&mut self) -> Vec<Chunk> {
        std::mem::take(&mut self.chunks)
    }

    /// Blocks of other steps may have the same id.
    fn block(&self, id: &str) -> String {
        format!("{}-{id}", self.step)
    }

    pub(crate) fn event(&mut self, event: Event) {
        match event {
            Event::TextStart { id } => {
                let id = self.block(&id);
                self.say(Chunk::text_start(&id));
                self.open.push(Open::Text(id));
            }
            Event::TextDelta { id, delta } => {
                self.has_content = true;
                self.delta("text-delta", &id, &delta);
            }
            Event::TextEnd { id } => {
                let id = self.block(&id);
                self.say(Chunk::text_end(&id));
                self.open.retain(|open| *open != Open::Text(id.clone()));
            }
            Event::ReasoningStart { id } => {
                let id = self.block(&id);
                self.say(Chunk::reasoning_start(&id));
                self.open.push(Open::Reasoning(id));
            }
            Event::ReasoningDelta { id, delta } => self.delta("reasoning-delta", &id, &delta),
            Event::ReasoningEnd { id, signature } => {
                let id = self.block(&id);
                self.say(signed(Chunk::reasoning_end(&id), signature));
                self.open.retain(|open| *open != Open::Reasoning(id.clone()));
            }
            Event::ToolInputStart { id, name } => {
                let id = self.id_of(&id);
                self.say(Chunk::tool_input_start(&id, &name));
                self.open.push(Open::Input { id, tool: name });
            }
            Event::ToolInputDelta { id, delta } => {
                let id = self.id_of(&id);
                self.input_delta(&id, &delta);
            }
            Event::ToolCall { id, name, input, signature } => {
                let id = self.id_of(&id);
                self.call(id, name, input, signature);
            }
            other => self.rest(other),
        }
    }

    fn rest(&mut self, event: Event) {
        match event {
            Event::Source { url, title } => {
                let chunk = Chunk::source_url(&url, &url);
                self.say(title.into_iter().fold(chunk, |chunk, title| chunk.with("title", title)));
            }
            Event::File { media_type, data } => {
                self.has_content = true;
                let url = match data {
                    Data::Url(url) => url,
                    data @ Data::Base64(_) => data.to_url(&media_type),
                };
                self.say(Chunk::file(&media_type, &url));
            }
            Event::Retrying { after, why } => {
                let data = json!({"kind": "retrying", "reason": why, "afterMs": after.as_millis() as u64});
                self.chunks.push(Chunk::data("status", data).with("transient", true));
            }
            Event::Finish { reason, usage } => self.finish = Some((reason, usage)),
            _ => {}
        }
    }

    fn say(&mut self, chunk: Chunk) {
        if !self.has_said {
            self.chunks.push(Chunk::start_step());
        }
        self.has_said = true;
        self.chunks.push(chunk);
    }

    /// Closes what the model left open although it came to its end.
    pub(crate) fn close(&mut self) {
        for open in std::mem::take(&mut self.open) {
            self.chunks.push(closed(open));
        }
    }

    /// Deltas that are waiting for the same block become one.
    fn delta(&mut self, kind: &str, id: &str, delta: &str) {
        let id = self.block(id);
        if !self.join(kind, "id", &id, "delta", delta) {
            self.say(Chunk::new(kind).with("id", id).with("delta", delta));
        }
    }

    fn input_delta(&mut self, id: &str, delta: &str) {
        if !self.join("tool-input-delta", "toolCallId", id, "inputTextDelta", delta) {
            self.say(Chunk::tool_input_delta(id, delta));
        }
    }

    fn join(&mut self, kind: &str, key: &str, id: &str, field: &str, delta: &str) -> bool {
        let Some(last) = self.chunks.last_mut().filter(|last| last.kind() == kind && last.text(key) == Some(id)) else {
            return false;
        };
        let joined = format!("{}{delta}", last.text(field).unwrap_or_default());
        last.set(field, joined);
        true
    }

    fn call(&mut self, id: String, tool: String, input: Result<Value, String>, signature: Option<String>) {
        self.open.retain(|open| !matches!(open, Open::Input { id: open, .. } if *open == id));
        match input {
            Ok(input @ Value::Object(_)) => self.ready(id, tool, input, signature),
            // Some models leave out what is empty.
            Ok(Value::Null) => self.ready(id, tool, json!({}), signature),
            Ok(other) => self.unusable(&id, &tool, other, "The input of a tool must be a JSON object."),
            Err(raw) => {
                let why = "The input was no JSON. Call the tool again with one JSON object that is complete.";
                self.unusable(&id, &tool, raw.into(), why);
            }
        }
    }

    fn ready(&mut self, id: String, tool: String, input: Value, signature: Option<String>) {
        self.say(signed(Chunk::tool_input_available(&id, &tool, input.clone()), signature));
        self.calls.push(Call { id, tool, input });
    }

    /// It goes back to the model as the failure of the tool.
    fn unusable(&mut self, id: &str, tool: &str, input: Value, why: &str) {
        self.broken += 1;
        self.say(Chunk::tool_input_error(id, tool, input, why));
    }

    /// Closes what the model left open, and answers the calls of a step that did not come to its end.
    pub(crate) fn abandon(&mut self) {
        self.close();
        for call in std::mem::take(&mut self.calls) {
            self.chunks.push(Chunk::tool_output_error(&call.id, NOT_RUN));
        }
    }
}

fn closed(open: Open) -> Chunk {
    match open {
        Open::Text(id) => Chunk::text_end(&id),
        Open::Reasoning(id) => Chunk::reasoning_end(&id),
        Open::Input { id, tool } => Chunk::tool_input_error(&id, &tool, json!({}), NOT_RUN),
    }
}

const NOT_RUN: &str = "It was not run: the model's answer broke off.";

/// What the provider wants back goes with the part.
fn signed(chunk: Chunk, signature: Option<String>) -> Chunk {
    match signature {
        Some(signature) => chunk.with("providerMetadata", json!({"hostel": {"signature": signature}})),
        None => chunk,
    }
}
