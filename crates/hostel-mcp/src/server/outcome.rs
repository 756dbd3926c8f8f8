//! A method's answer as the result of a tool.

use hostel_core::{Error, Reply};
use rmcp::model::{CallToolResult, ContentBlock, MetaObject};
use serde_json::{Map, Value, json};

use super::schema::Shape;
use crate::output::ToolOutput;

/// What a method answered, or its error. An error of the method is a result too: the model is to read it.
pub(super) fn of(answer: Result<Reply, Error>, shape: Shape) -> CallToolResult {
    match answer.and_then(|reply| reply.parse::<Value>().map(|value| (reply.as_json().is_none(), value))) {
        Ok((true, _)) => CallToolResult::success(Vec::new()),
        Ok((false, value)) => shaped(value, shape),
        Err(error) => failure(&error),
    }
}

/// What a streaming method sent, and what it ended with.
pub(super) fn of_chunks(chunks: Vec<Value>, last: Option<Value>) -> CallToolResult {
    let texts = chunks.iter().chain(&last).map(text).map(ContentBlock::text).collect();
    let mut object = Map::new();
    object.insert("chunks".into(), chunks.into());
    object.extend(last.map(|last| ("result".to_owned(), last)));
    let mut result = CallToolResult::success(texts);
    result.structured_content = Some(object.into());
    result
}

/// An error in words, with its code and what to change.
pub(super) fn failure(error: &Error) -> CallToolResult {
    let mut said = error.message().to_owned();
    let mut meta = MetaObject::new();
    if let Some(code) = error.label() {
        said += &format!("\nCode: {code}");
        meta.insert("hostel/code".into(), code.into());
    }
    if let Some(fix) = error.fix() {
        said += &format!("\nFix: {fix}");
        meta.insert("hostel/fix".into(), fix.into());
    }
    let mut result = CallToolResult::error(vec![ContentBlock::text(said)]);
    result.meta = (!meta.is_empty()).then_some(meta);
    result
}

fn shaped(value: Value, shape: Shape) -> CallToolResult {
    if shape == Shape::Own {
        return own(&value).unwrap_or_else(|| shaped(value, Shape::Object));
    }
    let mut result = CallToolResult::success(vec![ContentBlock::text(text(&value))]);
    result.structured_content = Some(match (shape, value) {
        (Shape::Object | Shape::Nothing, value @ Value::Object(_)) => value,
        (_, value) => json!({"result": value}),
    });
    result
}

/// A [`ToolOutput`] as it is.
fn own(value: &Value) -> Option<CallToolResult> {
    let output: ToolOutput = serde_json::from_value(value.clone()).ok()?;
    let content = serde_json::from_value(value.get("content")?.clone()).ok()?;
    let mut result = CallToolResult::success(content);
    result.structured_content = output.structured_content;
    result.is_error = Some(output.is_error);
    Some(result)
}

/// A text as it is, everything else as JSON.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
