//! Anthropic's messages.

mod body;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

pub(crate) use body::body;

use crate::{
    FinishReason, Usage,
    assemble::{Assembler, CallIndex},
    decode::Decoder,
    failure::Failure,
};

/// The version of the API that is spoken here.
pub(crate) const VERSION: &str = "2023-06-01";
/// What stands before the data of a thought that only the provider can read.
const REDACTED: &str = "redacted:";

/// Reads the stream.
#[derive(Debug, Default)]
pub(crate) struct Anthropic {
    /// The calls among the blocks, by the blocks' indexes.
    calls: BTreeMap<u64, CallIndex>,
    done: bool,
}

/// One event; what is not named here is not needed.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    MessageStart {
        message: Start,
    },
    ContentBlockStart {
        index: u64,
        content_block: Block,
    },
    ContentBlockDelta {
        index: u64,
        delta: Delta,
    },
    ContentBlockStop {
        index: u64,
    },
    MessageDelta {
        delta: Stop,
        usage: Option<Value>,
    },
    MessageStop,
    Error {
        error: Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Start {
    usage: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Stop {
    stop_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        #[serde(default)]
        text: String,
    },
    Thinking {
        #[serde(default)]
        thinking: String,
    },
    RedactedThinking {
        data: String,
    },
    ToolUse {
        id: String,
        name: String,
        #[serde(default)]
        input: Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
enum Delta {
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: String },
    #[serde(rename = "signature_delta")]
    Signature { signature: String },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: String },
    #[serde(rename = "citations_delta")]
    Citations { citation: Value },
    #[serde(other)]
    Other,
}

impl Decoder for Anthropic {
    fn event(&mut self, name: Option<&str>, data: &str, out: &mut Assembler) -> Result<(), Failure> {
        if name == Some("ping") {
            return Ok(());
        }
        let said: Said = serde_json::from_str(data).map_err(|error| Failure::malformed(&error, data))?;
        match said {
            Said::MessageStart { message } => read_usage(&mut out.usage, message.usage.as_ref()),
            Said::ContentBlockStart { index, content_block } => self.begin(index, content_block, out),
            Said::ContentBlockDelta { index, delta } => self.delta(index, delta, out),
            Said::ContentBlockStop { index } => match self.calls.remove(&index) {
                Some(call) => out.end_call(call),
                None => out.close_block(),
            },
            Said::MessageDelta { delta, usage } => {
                read_usage(&mut out.usage, usage.as_ref());
                out.reason = delta.stop_reason.as_deref().map(reason_of).or(out.reason.take());
            }
            Said::MessageStop => self.done = true,
            Said::Error { error } => return Err(Failure::in_stream(&error)),
            Said::Other => {}
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.done
    }
}

impl Anthropic {
    fn begin(&mut self, index: u64, block: Block, out: &mut Assembler) {
        match block {
            Block::Text { text } => out.text(text),
            Block::Thinking { thinking } => out.reasoning(thinking),
            Block::RedactedThinking { data } => out.sign_reasoning(&format!("{REDACTED}{data}")),
            Block::ToolUse { id, name, input } => {
                let call = out.call(Some(id), name);
                // The input comes in deltas; from gateways that do not stream it, it is here.
                if input.as_object().is_some_and(|fields| !fields.is_empty()) {
                    out.call_input(call, input.to_string());
                }
                self.calls.insert(index, call);
            }
            Block::Other => {}
        }
    }

    fn delta(&self, index: u64, delta: Delta, out: &mut Assembler) {
        match delta {
            Delta::Text { text } => out.text(text),
            Delta::Thinking { thinking } => out.reasoning(thinking),
            Delta::Signature { signature } => out.sign_reasoning(&signature),
            Delta::InputJson { partial_json } => {
                if let Some(call) = self.calls.get(&index) {
                    out.call_input(*call, partial_json);
                }
            }
            Delta::Citations { citation } => {
                if let Some(url) = citation.get("url").and_then(Value::as_str) {
                    out.source(url.to_owned(), citation.get("title").and_then(Value::as_str).map(str::to_owned));
                }
            }
            Delta::Other => {}
        }
    }
}

/// Anthropic counts cached tokens beside the others; here they are among them.
fn read_usage(usage: &mut Usage, value: Option<&Value>) {
    let Some(value) = value else { return };
    let number = |key: &str| value.get(key).and_then(Value::as_u64);
    let (read, written) = (number("cache_read_input_tokens"), number("cache_creation_input_tokens"));
    if let Some(plain) = number("input_tokens") {
        usage.input_tokens = Some(plain + read.unwrap_or(0) + written.unwrap_or(0));
        usage.cached_input_tokens = read.or(usage.cached_input_tokens);
        usage.cache_write_tokens = written.or(usage.cache_write_tokens);
    }
    usage.output_tokens = number("output_tokens").or(usage.output_tokens);
}

fn reason_of(word: &str) -> FinishReason {
    match word {
        "end_turn" | "stop_sequence" => FinishReason::Stop,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::ContentFilter,
        other => FinishReason::Other(other.to_owned()),
    }
}
