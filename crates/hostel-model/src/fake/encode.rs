//! Events as the providers stream them.

use serde_json::{Value, json};

use super::{Speaks, status};
use crate::{Event, Fault, FaultKind, FinishReason, Usage};

/// Writes one answer.
#[derive(Debug)]
pub(super) struct Encoder {
    speaks: Speaks,
    begun: bool,
    /// The ids of calls, in order; for Anthropic the index of the open block.
    calls: Vec<String>,
    blocks: u64,
}

impl Encoder {
    pub(super) fn new(speaks: Speaks) -> Self {
        Self { speaks, begun: false, calls: Vec::new(), blocks: 0 }
    }

    /// One event as bytes; nothing where the provider has nothing like it.
    pub(super) fn event(&mut self, event: &Event) -> String {
        let begin = if std::mem::replace(&mut self.begun, true) { String::new() } else { self.begin() };
        let text = match self.speaks {
            Speaks::OpenAi => self.openai(event),
            Speaks::Anthropic => self.anthropic(event),
            Speaks::Google => google(event),
        };
        begin + &text
    }

    /// A fault in the middle of the stream.
    pub(super) fn fault(&self, fault: &Fault) -> String {
        match (fault.kind, self.speaks) {
            (FaultKind::Malformed, _) => "data: {\"broken\": \n\n".to_owned(),
            (FaultKind::Refused, Speaks::OpenAi) => {
                data(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "content_filter"}]}))
            }
            (FaultKind::Refused, Speaks::Anthropic) => {
                let stop = json!({"type": "message_delta", "delta": {"stop_reason": "refusal"}, "usage": {}});
                named(&stop) + &named(&json!({"type": "message_stop"}))
            }
            (FaultKind::Refused, Speaks::Google) => data(&json!({"promptFeedback": {"blockReason": "SAFETY"}})),
            (_, Speaks::Anthropic) => named(&status::in_stream(self.speaks, fault)),
            _ => data(&status::in_stream(self.speaks, fault)),
        }
    }

    fn begin(&self) -> String {
        match self.speaks {
            Speaks::OpenAi => openai_delta(&json!({"role": "assistant", "content": ""})),
            Speaks::Google => String::new(),
            Speaks::Anthropic => {
                let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "content": [],
                    "usage": {"input_tokens": 1, "output_tokens": 1}});
                named(&json!({"type": "message_start", "message": message})) + &named(&json!({"type": "ping"}))
            }
        }
    }

    fn call(&mut self, id: &str) -> usize {
        let known = self.calls.iter().position(|call| call == id);
        known.unwrap_or_else(|| {
            self.calls.push(id.to_owned());
            self.calls.len() - 1
        })
    }

    fn openai(&mut self, event: &Event) -> String {
        match event {
            Event::TextDelta { delta, .. } => openai_delta(&json!({"content": delta})),
            Event::ReasoningDelta { delta, .. } => openai_delta(&json!({"reasoning_content": delta})),
            Event::ToolInputStart { id, name } => {
                let function = json!({"name": name, "arguments": ""});
                let index = self.call(id);
                openai_delta(
                    &json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": function}]}),
                )
            }
            Event::ToolInputDelta { id, delta } => {
                let index = self.call(id);
                openai_delta(&json!({"tool_calls": [{"index": index, "function": {"arguments": delta}}]}))
            }
            Event::Source { url, title } => {
                let citation = json!({"url": url, "title": title});
                openai_delta(&json!({"annotations": [{"type": "url_citation", "url_citation": citation}]}))
            }
            Event::File { media_type, data } => {
                openai_delta(&json!({"images": [{"type": "image_url", "image_url": {"url": data.to_url(media_type)}}]}))
            }
            Event::Finish { reason, usage } => openai_finish(reason, usage),
            _ => String::new(),
        }
    }

    fn anthropic(&mut self, event: &Event) -> String {
        let index = self.blocks;
        let delta = |delta: Value| named(&json!({"type": "content_block_delta", "index": index, "delta": delta}));
        let start =
            |block: Value| named(&json!({"type": "content_block_start", "index": index, "content_block": block}));
        match event {
            Event::TextStart { .. } => start(json!({"type": "text", "text": ""})),
            Event::TextDelta { delta: text, .. } => delta(json!({"type": "text_delta", "text": text})),
            Event::ReasoningStart { .. } => start(json!({"type": "thinking", "thinking": ""})),
            Event::ReasoningDelta { delta: text, .. } => delta(json!({"type": "thinking_delta", "thinking": text})),
            Event::ReasoningEnd { signature, .. } => {
                let signature = signature.as_deref().unwrap_or("signed");
                delta(json!({"type": "signature_delta", "signature": signature})) + &self.anthropic_stop()
            }
            Event::ToolInputStart { id, name } => {
                start(json!({"type": "tool_use", "id": id, "name": name, "input": {}}))
            }
            Event::ToolInputDelta { delta: json, .. } => {
                delta(json!({"type": "input_json_delta", "partial_json": json}))
            }
            Event::TextEnd { .. } | Event::ToolCall { .. } => self.anthropic_stop(),
            Event::Source { url, title } => {
                delta(json!({"type": "citations_delta", "citation": {"url": url, "title": title}}))
            }
            Event::Finish { reason, usage } => anthropic_finish(reason, usage),
            _ => String::new(),
        }
    }

    fn anthropic_stop(&mut self) -> String {
        self.blocks += 1;
        named(&json!({"type": "content_block_stop", "index": self.blocks - 1}))
    }
}

fn data(value: &Value) -> String {
    format!("data: {value}\n\n")
}

/// Anthropic names its events.
fn named(value: &Value) -> String {
    format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap_or("error"))
}

fn openai_delta(delta: &Value) -> String {
    data(
        &json!({"id": "c1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]}),
    )
}

fn openai_finish(reason: &FinishReason, usage: &Usage) -> String {
    let word = match reason {
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::Other(other) => other,
        other => other.as_str(),
    };
    let usage = json!({"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens}});
    data(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": word}]}))
        + &data(&json!({"choices": [], "usage": usage}))
        + "data: [DONE]\n\n"
}

fn anthropic_finish(reason: &FinishReason, usage: &Usage) -> String {
    let word = match reason {
        FinishReason::Stop => "end_turn",
        FinishReason::Length => "max_tokens",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::ContentFilter => "refusal",
        FinishReason::Other(other) => other,
    };
    let cached = usage.cached_input_tokens;
    let usage = json!({"input_tokens": usage.input_tokens.map(|all| all - cached.unwrap_or(0)),
        "output_tokens": usage.output_tokens, "cache_read_input_tokens": cached});
    named(&json!({"type": "message_delta", "delta": {"stop_reason": word}, "usage": usage}))
        + &named(&json!({"type": "message_stop"}))
}

fn google(event: &Event) -> String {
    let part =
        |part: Value| data(&json!({"candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0}]}));
    match event {
        Event::TextDelta { delta, .. } => part(json!({"text": delta})),
        Event::ReasoningDelta { delta, .. } => part(json!({"text": delta, "thought": true})),
        Event::ToolCall { name, input: Ok(input), .. } => {
            part(json!({"functionCall": {"name": name, "args": input}, "thoughtSignature": "signed"}))
        }
        // Google notices by itself that the input is no JSON.
        Event::ToolCall { input: Err(_), .. } => {
            data(&json!({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]}))
        }
        Event::Source { url, title } => {
            let chunks = json!([{"web": {"uri": url, "title": title}}]);
            data(&json!({"candidates": [{"groundingMetadata": {"groundingChunks": chunks}}]}))
        }
        Event::File { media_type, data: crate::Data::Base64(bytes) } => {
            part(json!({"inlineData": {"mimeType": media_type, "data": bytes}}))
        }
        Event::Finish { reason, usage } => google_finish(reason, usage),
        _ => String::new(),
    }
}

fn google_finish(reason: &FinishReason, usage: &Usage) -> String {
    let word = match reason {
        FinishReason::Stop | FinishReason::ToolCalls => "STOP",
        FinishReason::Length => "MAX_TOKENS",
        FinishReason::ContentFilter => "SAFETY",
        FinishReason::Other(other) => other,
    };
    let usage = json!({"promptTokenCount": usage.input_tokens, "candidatesTokenCount": usage.output_tokens,
        "cachedContentTokenCount": usage.cached_input_tokens});
    data(&json!({"candidates": [{"finishReason": word, "index": 0}], "usageMetadata": usage}))
}
