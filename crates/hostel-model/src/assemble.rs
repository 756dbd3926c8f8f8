//! Makes well-formed events of what a provider streams: blocks that open and close, calls that are complete.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use crate::{Data, Event, FinishReason, Usage, failure::Failure};

/// Which block is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Reasoning,
}

/// A call whose input is still coming.
#[derive(Debug)]
struct Call {
    id: String,
    name: String,
    input: String,
    signature: Option<String>,
    complete: bool,
}

/// Which call, in the order of their starts.
pub(crate) type CallIndex = usize;

/// Events on their way out.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    out: VecDeque<Event>,
    open: Option<Open>,
    blocks: u32,
    signature: Option<String>,
    /// What has to be given back of the open thought, as lists of OpenRouter.
    details: Vec<Value>,
    calls: Vec<Call>,
    sources: Vec<String>,
    /// Whether anything was ever emitted.
    begun: bool,
    pub(crate) usage: Usage,
    pub(crate) reason: Option<FinishReason>,
}

impl Assembler {
    pub(crate) fn next(&mut self) -> Option<Event> {
        self.out.pop_front()
    }

    /// Whether there was anything of an answer yet.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    pub(crate) fn text(&mut self, delta: String) {
        if delta.is_empty() {
            return;
        }
        let id = self.block(Open::Text);
        self.emit(Event::TextDelta { id, delta });
    }

    pub(crate) fn reasoning(&mut self, delta: String) {
        if delta.is_empty() {
            return;
        }
        let id = self.block(Open::Reasoning);
        self.emit(Event::ReasoningDelta { id, delta });
    }

    /// What the open thought is signed with; a thought without words is one too.
    pub(crate) fn sign_reasoning(&mut self, signature: &str) {
        self.block(Open::Reasoning);
        self.signature.get_or_insert_default().push_str(signature);
    }

    /// What has to be given back of the open thought, in the pieces that OpenRouter streams.
    pub(crate) fn reasoning_detail(&mut self, detail: Value) {
        self.block(Open::Reasoning);
        match self.details.last_mut() {
            Some(last) if same_detail(last, &detail) => merge_detail(last, detail),
            _ => self.details.push(detail),
        }
    }

    /// Closes the open text or thought.
    pub(crate) fn close_block(&mut self) {
        let id = self.blocks.to_string();
        match self.open.take() {
            Some(Open::Text) => self.emit(Event::TextEnd { id }),
            Some(Open::Reasoning) => {
                let details = std::mem::take(&mut self.details);
                let details = (!details.is_empty()).then(|| Value::Array(details).to_string());
                let signature = self.signature.take().or(details);
                self.emit(Event::ReasoningEnd { id, signature });
            }
            None => {}
        }
    }

    /// Begins a call.
    pub(crate) fn call(&mut self, id: Option<String>, name: String) -> CallIndex {
        self.close_block();
        let id = id.filter(|id| !id.is_empty()).unwrap_or_else(new_id);
        self.emit(Event::ToolInputStart { id: id.clone(), name: name.clone() });
        self.calls.push(Call { id, name, input: String::new(), signature: None, complete: false });
        self.calls.len() - 1
    }

    pub(crate) fn call_input(&mut self, at: CallIndex, delta: String) {
        if delta.is_empty() {
            return;
        }
        let Some(call) = self.calls.get_mut(at) else { return };
        call.input.push_str(&delta);
        let id = call.id.clone();
        self.emit(Event::ToolInputDelta { id, delta });
    }

    pub(crate) fn sign_call(&mut self, at: CallIndex, signature: Option<String>) {
        if let Some(call) = self.calls.get_mut(at) {
            call.signature = signature.or_else(|| call.signature.take());
        }
    }

    /// Ends a call: now it can be run.
    pub(crate) fn end_call(&mut self, at: CallIndex) {
        let Some(call) = self.calls.get_mut(at).filter(|call| !call.complete) else { return };
        call.complete = true;
        let (id, name, signature) = (call.id.clone(), call.name.clone(), call.signature.take());
        let input = parse_input(std::mem::take(&mut call.input));
        self.emit(Event::ToolCall { id, name, input, signature });
    }

    /// Names a source; each once.
    pub(crate) fn source(&mut self, url: String, title: Option<String>) {
        if !self.sources.contains(&url) {
            self.sources.push(url.clone());
            self.emit(Event::Source { url, title });
        }
    }

    pub(crate) fn file(&mut self, media_type: String, data: Data) {
        self.close_block();
        self.emit(Event::File { media_type, data });
    }

    /// Ends the answer.
    ///
    /// # Errors
    /// When the provider refused before there was anything to see.
    pub(crate) fn finish(&mut self, reason: FinishReason) -> Result<(), Failure> {
        if reason == FinishReason::ContentFilter && !self.begun {
            return Err(Failure::refused(""));
        }
        self.close_block();
        (0..self.calls.len()).for_each(|at| self.end_call(at));
        let reason = match reason {
            FinishReason::Stop if !self.calls.is_empty() => FinishReason::ToolCalls,
            other => other,
        };
        let usage = self.usage;
        self.emit(Event::Finish { reason, usage });
        Ok(())
    }

    /// The id of a block of this kind, opened if another or none is open.
    fn block(&mut self, kind: Open) -> String {
        if self.open == Some(kind) {
            return self.blocks.to_string();
        }
        self.close_block();
        self.open = Some(kind);
        self.blocks += 1;
        let id = self.blocks.to_string();
        self.emit(match kind {
            Open::Text => Event::TextStart { id: id.clone() },
            Open::Reasoning => Event::ReasoningStart { id: id.clone() },
        });
        id
    }

    fn emit(&mut self, event: Event) {
        self.begun = true;
        self.out.push_back(event);
    }
}

fn same_detail(one: &Value, other: &Value) -> bool {
    one.get("type") == other.get("type") && one.get("index") == other.get("index")
}

/// Texts are parts of one text; anything else that is said later is what counts.
fn merge_detail(into: &mut Value, more: Value) {
    let (Value::Object(into), Value::Object(more)) = (into, more) else { return };
    for (key, value) in more {
        match (into.get_mut(&key), value) {
            (Some(Value::String(text)), Value::String(more)) if ["text", "summary", "data"].contains(&key.as_str()) => {
                text.push_str(&more);
            }
            (_, Value::Null) => {}
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

/// No input at all is an empty object: that is what models mean by it.
fn parse_input(text: String) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_str(&text).map_err(|_| text)
}

/// An id for a call that its provider gave none.
fn new_id() -> String {
    let mut bytes = [0; 12];
    // Without randomness ids would repeat, and a conversation mix its calls up: there is nothing sensible to go on with.
    getrandom::fill(&mut bytes).expect("the system has randomness");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("call_{hex}")
}
