//! One chunk of a streamed completion, read with patience: gateways leave out, add and rename.

use serde::Deserialize;
use serde_json::Value;

use crate::{Data, Usage, assemble::Assembler};

#[derive(Debug, Deserialize)]
pub(super) struct Chunk {
    pub(super) choices: Option<Vec<Choice>>,
    usage: Option<Value>,
    /// Where Groq puts the usage.
    x_groq: Option<Value>,
    pub(super) error: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    pub(super) delta: Option<Delta>,
    /// In place of the delta, from gateways that do not really stream.
    pub(super) message: Option<Delta>,
    pub(super) finish_reason: Option<String>,
    pub(super) error: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Delta {
    /// A text, or a list of parts.
    pub(super) content: Option<Value>,
    /// OpenRouter, vLLM, Ollama.
    pub(super) reasoning: Option<String>,
    /// DeepSeek, llama.cpp, LM Studio, older vLLM.
    pub(super) reasoning_content: Option<String>,
    pub(super) reasoning_details: Option<Vec<Value>>,
    pub(super) refusal: Option<String>,
    pub(super) tool_calls: Option<Vec<CallDelta>>,
    pub(super) annotations: Option<Vec<Value>>,
    pub(super) images: Option<Vec<Value>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CallDelta {
    pub(super) index: Option<u64>,
    pub(super) id: Option<String>,
    pub(super) function: Option<FunctionDelta>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct FunctionDelta {
    pub(super) name: Option<String>,
    /// A part of a JSON text, or the whole as an object.
    pub(super) arguments: Option<Value>,
}

impl Chunk {
    pub(super) fn usage(&self) -> Option<&Value> {
        let of_groq = || self.x_groq.as_ref().and_then(|groq| groq.get("usage"));
        self.usage.as_ref().filter(|usage| usage.is_object()).or_else(of_groq)
    }
}

/// Usage comes once, or grows from chunk to chunk: the last one counts.
pub(super) fn read_usage(usage: &mut Usage, value: &Value) {
    let number = |path: &str| value.pointer(path).and_then(|number| number.as_u64().or(Some(number.as_f64()? as u64)));
    *usage = Usage {
        input_tokens: number("/prompt_tokens"),
        cached_input_tokens: number("/prompt_tokens_details/cached_tokens")
            .or_else(|| number("/prompt_cache_hit_tokens")),
        cache_write_tokens: number("/prompt_tokens_details/cache_write_tokens"),
        output_tokens: number("/completion_tokens"),
        reasoning_tokens: number("/completion_tokens_details/reasoning_tokens"),
        cost: value.get("cost").and_then(Value::as_f64),
    };
}

/// A text; or a list of texts and thoughts, as Mistral has it.
pub(super) fn content(content: Option<Value>, out: &mut Assembler) {
    match content {
        Some(Value::String(text)) => out.text(text),
        Some(Value::Array(parts)) => parts.into_iter().for_each(|part| content_part(part, out)),
        _ => {}
    }
}

fn content_part(mut part: Value, out: &mut Assembler) {
    if let Some(Value::Array(thoughts)) = part.get_mut("thinking").map(Value::take) {
        thoughts.iter().for_each(|thought| out.reasoning(text_in(thought)));
    } else {
        out.text(text_in(&part));
    }
}

fn text_in(part: &Value) -> String {
    part.get("text").and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(super) fn source(annotation: &Value, out: &mut Assembler) {
    let citation = annotation.get("url_citation").unwrap_or(annotation);
    if let Some(url) = citation.get("url").and_then(Value::as_str) {
        out.source(url.to_owned(), citation.get("title").and_then(Value::as_str).map(str::to_owned));
    }
}

pub(super) fn image(image: &Value, out: &mut Assembler) {
    let Some(url) = image.pointer("/image_url/url").and_then(Value::as_str) else { return };
    let media_type =
        url.strip_prefix("data:").and_then(|rest| rest.split_once(';')).map_or("image/png", |(kind, _)| kind);
    out.file(media_type.to_owned(), Data::from_url(url));
}
