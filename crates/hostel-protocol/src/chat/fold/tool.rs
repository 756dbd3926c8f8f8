//! Chunks about tool calls. A call never goes back to an earlier state.

use serde_json::{Map, Value, json};

use super::{Fold, input_of};
use crate::chat::chunk::Chunk;
use crate::chat::part::{ToolState, parsed_input};

pub(super) fn apply(fold: &mut Fold, kind: &str, chunk: &Chunk) -> bool {
    match kind {
        "tool-input-start" => begin(fold, chunk),
        "tool-input-delta" => write(fold, chunk),
        "tool-input-available" => input(fold, chunk),
        "tool-input-error" => input_error(fold, chunk),
        "tool-approval-request" => ask(fold, chunk),
        "tool-approval-response" => answer(fold, chunk),
        "tool-output-denied" => deny(fold, chunk),
        "tool-output-available" => output(fold, chunk),
        "tool-output-error" => output_error(fold, chunk),
        _ => false,
    }
}

fn begin(fold: &mut Fold, chunk: &Chunk) -> bool {
    let Some(call) = chunk.text("toolCallId") else { return false };
    if fold.message.tool_part(call).is_some() {
        return false;
    }
    let part = part(chunk, ToolState::InputStreaming);
    fold.push(Value::Object(part))
}

/// A new part for the call of a chunk.
fn part(chunk: &Chunk, state: ToolState) -> Map<String, Value> {
    let name = chunk.text("toolName").unwrap_or_default();
    let is_dynamic = chunk.get("dynamic") == Some(&Value::Bool(true));
    let kind = if is_dynamic { "dynamic-tool".to_owned() } else { format!("tool-{name}") };
    let mut part = Map::with_capacity(6);
    part.insert("type".to_owned(), kind.into());
    part.insert("toolCallId".to_owned(), chunk.get("toolCallId").cloned().unwrap_or_default());
    part.insert("toolName".to_owned(), name.into());
    part.insert("state".to_owned(), state.as_str().into());
    describe(&mut part, chunk);
    part
}

/// What a chunk says about a call beside its course.
fn describe(part: &mut Map<String, Value>, chunk: &Chunk) {
    for (from, to) in
        [("providerExecuted", "providerExecuted"), ("providerMetadata", "callProviderMetadata"), ("title", "title")]
    {
        if let Some(value) = chunk.get(from).filter(|value| !value.is_null()) {
            part.insert(to.to_owned(), value.clone());
        }
    }
}

fn write(fold: &mut Fold, chunk: &Chunk) -> bool {
    let (Some(call), Some(delta)) = (chunk.text("toolCallId"), chunk.text("inputTextDelta")) else { return false };
    if fold.message.tool_state(call) == Some(ToolState::InputStreaming) {
        fold.written.entry(call.to_owned()).or_default().push_str(delta);
    }
    false
}

fn input(fold: &mut Fold, chunk: &Chunk) -> bool {
    let Some(call) = chunk.text("toolCallId") else { return false };
    let state = fold.message.tool_state(call);
    let Some(part) = fold.message.tool_part_mut(call) else {
        let mut part = part(chunk, ToolState::InputAvailable);
        part.insert("input".to_owned(), input_of(chunk));
        return fold.push(Value::Object(part));
    };
    match state {
        Some(ToolState::InputStreaming) => set_state(part, ToolState::InputAvailable),
        // The question came before the input: the question stays, and gets it.
        Some(ToolState::ApprovalRequested | ToolState::ApprovalResponded)
            if !part.contains_key("input") || fold.written.contains_key(call) => {}
        _ => return false,
    }
    part.insert("input".to_owned(), input_of(chunk));
    describe(part, chunk);
    fold.written.remove(call);
    true
}

fn input_error(fold: &mut Fold, chunk: &Chunk) -> bool {
    let Some(call) = chunk.text("toolCallId") else { return false };
    if fold.message.tool_state(call).is_some_and(ToolState::is_settled) {
        return false;
    }
    if fold.message.tool_part(call).is_none() {
        let part = part(chunk, ToolState::OutputError);
        fold.push(Value::Object(part));
    }
    fold.written.remove(call);
    let Some(part) = fold.message.tool_part_mut(call) else { return false };
    set_state(part, ToolState::OutputError);
    part.insert("input".to_owned(), input_of(chunk));
    part.insert("errorText".to_owned(), chunk.get("errorText").cloned().unwrap_or_default());
    describe(part, chunk);
    true
}

fn ask(fold: &mut Fold, chunk: &Chunk) -> bool {
    let Some(call) = chunk.text("toolCallId") else { return false };
    match fold.message.tool_state(call) {
        Some(state) if !state.is_settled() && state != ToolState::ApprovalResponded => {}
        _ => return false,
    }
    // What was written of the input is kept, in case the whole of it comes after the question.
    let written = fold.written.get(call).map(|text| parsed_input(text));
    let Some(part) = fold.message.tool_part_mut(call) else { return false };
    if let (false, Some(input)) = (part.contains_key("input"), written) {
        part.insert("input".to_owned(), input);
    }
    set_state(part, ToolState::ApprovalRequested);
    let mut approval = Map::new();
    approval.insert("id".to_owned(), chunk.get("approvalId").cloned().unwrap_or_default());
    if let Some(descriptor) = chunk.get("approvalDescriptor") {
        approval.insert("descriptor".to_owned(), descriptor.clone());
    }
    part.insert("approval".to_owned(), approval.into());
    true
}

fn answer(fold: &mut Fold, chunk: &Chunk) -> bool {
    let asked = |part: &&Value| {
        let id = part.get("approval").and_then(|approval| approval.get("id"));
        id.is_some() && id == chunk.get("approvalId")
    };
    let named = chunk.text("toolCallId").map(str::to_owned);
    let found = || Some(fold.message.parts.iter().rfind(asked)?.get("toolCallId")?.as_str()?.to_owned());
    let Some(call) = named.or_else(found) else { return false };
    let is_yes = chunk.get("approved") == Some(&Value::Bool(true));
    let reason = chunk.text("reason").map(str::to_owned);
    super::super::tool::apply_approval(&mut fold.message, &call, is_yes, reason.as_deref())
}

fn deny(fold: &mut Fold, chunk: &Chunk) -> bool {
    let Some(call) = chunk.text("toolCallId") else { return false };
    match fold.message.tool_state(call) {
        Some(state) if !state.is_settled() && state != ToolState::ApprovalResponded => {}
        _ => return false,
    }
    let Some(part) = fold.message.tool_part_mut(call) else { return false };
    set_state(part, ToolState::OutputDenied);
    true
}

fn output(fold: &mut Fold, chunk: &Chunk) -> bool {
    let Some(part) = unsettled(fold, chunk) else { return false };
    set_state(part, ToolState::OutputAvailable);
    part.insert("output".to_owned(), chunk.get("output").cloned().unwrap_or_default());
    match chunk.get("preliminary") {
        Some(preliminary) => drop(part.insert("preliminary".to_owned(), preliminary.clone())),
        None => drop(part.shift_remove("preliminary")),
    }
    true
}

fn output_error(fold: &mut Fold, chunk: &Chunk) -> bool {
    let Some(part) = unsettled(fold, chunk) else { return false };
    set_state(part, ToolState::OutputError);
    part.shift_remove("output");
    part.shift_remove("preliminary");
    part.insert("errorText".to_owned(), chunk.get("errorText").cloned().unwrap_or_default());
    true
}

/// The part of a call that can still get a result: the first final one counts.
fn unsettled<'a>(fold: &'a mut Fold, chunk: &Chunk) -> Option<&'a mut Map<String, Value>> {
    let call = chunk.text("toolCallId")?;
    let state = fold.message.tool_state(call);
    let part = fold.message.tool_part_mut(call)?;
    let is_preliminary = part.get("preliminary") == Some(&json!(true));
    (is_preliminary || !state.is_some_and(ToolState::is_settled)).then_some(part)
}

fn set_state(part: &mut Map<String, Value>, state: ToolState) {
    part.insert("state".to_owned(), state.as_str().into());
}
