//! Google's Gemini: `streamGenerateContent` as server-sent events.

mod body;

use serde::Deserialize;
use serde_json::Value;

pub(crate) use body::body;

use crate::{Data, FaultKind, FinishReason, Usage, assemble::Assembler, decode::Decoder, failure::Failure};

/// Reads the stream. It has no mark at its end: a reason to finish must have come.
#[derive(Debug, Default)]
pub(crate) struct Google {
    called: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk {
    candidates: Option<Vec<Candidate>>,
    prompt_feedback: Option<Value>,
    usage_metadata: Option<Value>,
    error: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    content: Option<Content>,
    finish_reason: Option<String>,
    finish_message: Option<String>,
    grounding_metadata: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Content {
    parts: Option<Vec<Part>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    text: Option<String>,
    thought: Option<bool>,
    thought_signature: Option<String>,
    function_call: Option<Call>,
    inline_data: Option<Inline>,
}

#[derive(Debug, Deserialize)]
struct Call {
    id: Option<String>,
    name: String,
    args: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inline {
    mime_type: String,
    data: String,
}

impl Decoder for Google {
    fn event(&mut self, _: Option<&str>, data: &str, out: &mut Assembler) -> Result<(), Failure> {
        let chunk: Chunk = serde_json::from_str(data).map_err(|error| Failure::malformed(&error, data))?;
        if let Some(error) = &chunk.error {
            return Err(Failure::in_stream(error));
        }
        if let Some(reason) = chunk.prompt_feedback.as_ref().and_then(|feedback| feedback.get("blockReason")?.as_str())
        {
            return Err(Failure::refused(format!("the question was blocked: {reason}")));
        }
        if let Some(usage) = &chunk.usage_metadata {
            read_usage(&mut out.usage, usage);
        }
        match chunk.candidates.and_then(|candidates| candidates.into_iter().next()) {
            Some(candidate) => self.candidate(candidate, out),
            None => Ok(()),
        }
    }

    fn is_done(&self) -> bool {
        false
    }
}

impl Google {
    fn candidate(&mut self, candidate: Candidate, out: &mut Assembler) -> Result<(), Failure> {
        for part in candidate.content.and_then(|content| content.parts).into_iter().flatten() {
            self.part(part, out);
        }
        let grounding = candidate.grounding_metadata.as_ref();
        let chunks = grounding.and_then(|grounding| grounding.get("groundingChunks")?.as_array());
        chunks.into_iter().flatten().for_each(|chunk| source(chunk, out));
        let Some(reason) = candidate.finish_reason else { return Ok(()) };
        if reason == "MALFORMED_FUNCTION_CALL" && !self.called {
            let detail = candidate.finish_message.unwrap_or_else(|| "the model called a tool wrongly".to_owned());
            return Err(Failure::new(FaultKind::Malformed, detail));
        }
        out.reason = Some(reason_of(&reason));
        Ok(())
    }

    fn part(&mut self, part: Part, out: &mut Assembler) {
        if let Some(call) = part.function_call {
            self.called = true;
            let at = out.call(call.id, call.name);
            out.call_input(at, call.args.unwrap_or_else(|| Value::Object(serde_json::Map::new())).to_string());
            out.sign_call(at, part.thought_signature);
            return out.end_call(at);
        }
        let text = part.text.unwrap_or_default();
        match part.thought {
            Some(true) => out.reasoning(text),
            _ => out.text(text),
        }
        // A signature beside a text is a hint that may be left out; only those of calls must go back.
        if let Some(Inline { mime_type, data }) = part.inline_data {
            out.file(mime_type, Data::Base64(data));
        }
    }
}

fn source(chunk: &Value, out: &mut Assembler) {
    if let Some(url) = chunk.pointer("/web/uri").and_then(Value::as_str) {
        out.source(url.to_owned(), chunk.pointer("/web/title").and_then(Value::as_str).map(str::to_owned));
    }
}

/// Google counts thoughts beside the answer; here they are among it.
fn read_usage(usage: &mut Usage, value: &Value) {
    let number = |key: &str| value.get(key).and_then(Value::as_u64);
    let thoughts = number("thoughtsTokenCount");
    let said = number("candidatesTokenCount");
    *usage = Usage {
        input_tokens: number("promptTokenCount"),
        cached_input_tokens: number("cachedContentTokenCount"),
        output_tokens: said.or(thoughts).map(|_| said.unwrap_or(0) + thoughts.unwrap_or(0)),
        reasoning_tokens: thoughts,
        ..Usage::default()
    };
}

fn reason_of(word: &str) -> FinishReason {
    match word {
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY" | "RECITATION" | "PROHIBITED_CONTENT" | "BLOCKLIST" | "SPII" | "IMAGE_SAFETY" | "LANGUAGE" => {
            FinishReason::ContentFilter
        }
        other => FinishReason::Other(other.to_owned()),
    }
}
