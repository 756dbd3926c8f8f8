//! The chat completions of OpenAI, and of everybody who speaks the same.

mod body;
mod calls;
mod chunk;

pub(crate) use body::body;

use self::{
    calls::Calls,
    chunk::{Chunk, Delta},
};
use crate::{FinishReason, assemble::Assembler, decode::Decoder, failure::Failure};

/// Reads the stream.
#[derive(Debug, Default)]
pub(crate) struct OpenAi {
    calls: Calls,
    done: bool,
}

impl Decoder for OpenAi {
    fn event(&mut self, _: Option<&str>, data: &str, out: &mut Assembler) -> Result<(), Failure> {
        if data.trim() == "[DONE]" {
            self.done = true;
            return Ok(());
        }
        let chunk: Chunk = serde_json::from_str(data).map_err(|error| Failure::malformed(&error, data))?;
        if let Some(error) = &chunk.error {
            return Err(Failure::in_stream(error));
        }
        if let Some(usage) = chunk.usage() {
            chunk::read_usage(&mut out.usage, usage);
        }
        for choice in chunk.choices.unwrap_or_default() {
            if let Some(error) = &choice.error {
                return Err(Failure::in_stream(error));
            }
            if let Some(delta) = choice.delta.or(choice.message) {
                self.delta(delta, out);
            }
            if let Some(reason) = choice.finish_reason.as_deref().filter(|reason| !reason.is_empty()) {
                out.reason = Some(reason_of(reason));
            }
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.done
    }
}

impl OpenAi {
    fn delta(&mut self, delta: Delta, out: &mut Assembler) {
        out.reasoning(delta.reasoning.or(delta.reasoning_content).unwrap_or_default());
        delta.reasoning_details.into_iter().flatten().for_each(|detail| out.reasoning_detail(detail));
        chunk::content(delta.content, out);
        out.text(delta.refusal.unwrap_or_default());
        for call in delta.tool_calls.into_iter().flatten() {
            self.calls.take(call, out);
        }
        delta.annotations.iter().flatten().for_each(|annotation| chunk::source(annotation, out));
        delta.images.iter().flatten().for_each(|image| chunk::image(image, out));
    }
}

fn reason_of(word: &str) -> FinishReason {
    match word {
        "stop" | "eos" | "end_turn" | "stop_sequence" => FinishReason::Stop,
        "length" | "max_tokens" => FinishReason::Length,
        "tool_calls" | "tool_use" | "function_call" => FinishReason::ToolCalls,
        "content_filter" | "safety" => FinishReason::ContentFilter,
        other => FinishReason::Other(other.to_owned()),
    }
}
