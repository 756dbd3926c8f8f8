//! A callable's signature as the JSON schemas of a tool.

use std::collections::BTreeSet;

use hostel_core::typescript::{Shown, Signature};
use serde_json::{Map, Value, json};

use crate::output::MARK;

const DEFINITIONS: &str = "#/$defs/";
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// How an answer becomes the result of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// There is none.
    Nothing,
    /// An object: it is the structured content.
    Object,
    /// Anything else: the structured content is an object that holds it, as older revisions want.
    Wrapped,
    /// What a streaming method sent, and what it ended with.
    Chunks,
    /// A [`crate::ToolOutput`].
    Own,
}

/// What a tool takes: an object with the parameters by name.
pub(super) fn input(signature: &Signature, definitions: &Map<String, Value>) -> Map<String, Value> {
    let schema = |shown: &Shown| shown.schema.clone().unwrap_or_else(|| json!({}));
    let properties: Map<String, Value> =
        signature.params.iter().map(|param| (param.name.to_owned(), schema(&param.ty))).collect();
    let optional = |shown: &Shown| shown.schema.as_ref().is_some_and(|schema| takes_null(schema, definitions, 0));
    let required: Vec<&str> =
        signature.params.iter().filter(|param| !optional(&param.ty)).map(|param| param.name).collect();
    let mut object = Map::new();
    object.insert("$schema".into(), DIALECT.into());
    object.insert("type".into(), "object".into());
    object.insert("properties".into(), properties.into());
    if !required.is_empty() {
        object.insert("required".into(), json!(required));
    }
    object.insert("additionalProperties".into(), false.into());
    with_definitions(object, definitions)
}

/// What a tool answers with, if that is known, and how the answer becomes it.
pub(super) fn output(signature: &Signature, definitions: &Map<String, Value>) -> (Shape, Option<Map<String, Value>>) {
    if let Some(chunks) = &signature.chunks {
        let items = chunks.schema.clone().unwrap_or_else(|| json!({}));
        let properties = json!({"chunks": {"type": "array", "items": items}, "result": {}});
        return (Shape::Chunks, Some(with_definitions(object(properties, &["chunks"]), definitions)));
    }
    let Some(schema) = &signature.returns.schema else {
        let shape = if signature.returns.text == "void" { Shape::Nothing } else { Shape::Wrapped };
        return (shape, None);
    };
    let resolved = resolve(schema, definitions);
    if resolved.get(MARK).is_some() {
        return (Shape::Own, None);
    }
    if is_object(resolved) {
        // The root of an output schema must say that it is an object itself.
        let root = resolved.as_object().cloned().unwrap_or_default();
        return (Shape::Object, Some(with_definitions(root, definitions)));
    }
    let properties = json!({"result": schema});
    (Shape::Wrapped, Some(with_definitions(object(properties, &["result"]), definitions)))
}

fn object(properties: Value, required: &[&str]) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("type".into(), "object".into());
    object.insert("properties".into(), properties);
    object.insert("required".into(), json!(required));
    object
}

fn is_object(schema: &Value) -> bool {
    schema.get("type").is_some_and(|ty| ty == "object")
}

fn resolve<'a>(schema: &'a Value, definitions: &'a Map<String, Value>) -> &'a Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(target);
    target.and_then(|name| definitions.get(&name)).unwrap_or(schema)
}

/// The name a reference goes to; JSON Pointer escapes `~` and `/`.
fn target(reference: &str) -> Option<String> {
    Some(reference.strip_prefix(DEFINITIONS)?.replace("~1", "/").replace("~0", "~"))
}

/// Whether `null` fits, so that the parameter may be left out.
fn takes_null(schema: &Value, definitions: &Map<String, Value>, depth: usize) -> bool {
    let schema = match schema {
        Value::Object(object) => object,
        anything => return *anything != Value::Bool(false),
    };
    if depth > 16 {
        return false;
    }
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(target) {
        return definitions.get(&name).is_some_and(|schema| takes_null(schema, definitions, depth + 1));
    }
    if let Some(choices) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
        return choices.iter().any(|choice| takes_null(choice, definitions, depth + 1));
    }
    match (schema.get("type"), schema.get("enum"), schema.get("const")) {
        (Some(Value::Array(types)), ..) => types.iter().any(|ty| ty == "null"),
        (Some(ty), ..) => ty == "null",
        (None, Some(Value::Array(values)), _) => values.contains(&Value::Null),
        (None, _, Some(constant)) => constant.is_null(),
        (None, ..) => true,
    }
}

/// Whether a text fits the parameter as it is.
pub(super) fn takes_text(input: &Map<String, Value>, name: &str) -> bool {
    let none = Map::new();
    let definitions = input.get("$defs").and_then(Value::as_object).unwrap_or(&none);
    let schema = input.get("properties").and_then(|all| all.get(name)).unwrap_or(&Value::Null);
    texts(schema, definitions, 0)
}

fn texts(schema: &Value, definitions: &Map<String, Value>, depth: usize) -> bool {
    let schema = resolve(schema, definitions);
    if let Some(choices) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
        return depth < 16 && choices.iter().any(|choice| texts(choice, definitions, depth + 1));
    }
    match schema.get("type") {
        Some(Value::Array(types)) => types.iter().any(|ty| ty == "string"),
        Some(ty) => ty == "string",
        None => schema.get("enum").or_else(|| schema.get("const")).is_none_or(|values| !values.is_object()),
    }
}

/// The texts that a parameter takes, if it takes only some.
pub(super) fn variants(input: &Map<String, Value>, name: &str) -> Vec<String> {
    let none = Map::new();
    let definitions = input.get("$defs").and_then(Value::as_object).unwrap_or(&none);
    let schema = input.get("properties").and_then(|all| all.get(name)).unwrap_or(&Value::Null);
    let mut found = Vec::new();
    collect(schema, definitions, 0, &mut found);
    found
}

fn collect(schema: &Value, definitions: &Map<String, Value>, depth: usize, into: &mut Vec<String>) {
    let schema = resolve(schema, definitions);
    let choices = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array);
    for choice in choices.into_iter().flatten().filter(|_| depth < 16) {
        collect(choice, definitions, depth + 1, into);
    }
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    into.extend(listed.chain(schema.get("const")).filter_map(Value::as_str).map(str::to_owned));
    if schema.get("type").is_some_and(|ty| ty == "boolean") {
        into.extend(["true".to_owned(), "false".to_owned()]);
    }
}

/// Adds the definitions that are in use, directly or through others.
fn with_definitions(mut root: Map<String, Value>, definitions: &Map<String, Value>) -> Map<String, Value> {
    let mut open = Vec::new();
    root.values().for_each(|value| references(value, &mut open));
    let mut used = BTreeSet::new();
    while let Some(name) = open.pop() {
        if let Some(definition) = definitions.get(&name).filter(|_| !used.contains(&name)) {
            references(definition, &mut open);
            used.insert(name);
        }
    }
    if !used.is_empty() {
        let used: Map<String, Value> =
            used.into_iter().map(|name| (name.clone(), definitions[&name].clone())).collect();
        root.insert("$defs".into(), used.into());
    }
    root
}

fn references(schema: &Value, into: &mut Vec<String>) {
    match schema {
        Value::Object(object) => {
            into.extend(object.get("$ref").and_then(Value::as_str).and_then(target));
            object.values().for_each(|value| references(value, into));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, into)),
        _ => {}
    }
}
