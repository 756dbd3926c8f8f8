//! One JSON schema as a TypeScript type.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Under which name a definition is printed.
pub(super) type Names = BTreeMap<String, String>;

const DEFINITIONS: &str = "#/$defs/";

/// The type a schema describes.
pub(super) fn ty(schema: &Value, names: &Names) -> String {
    join(parts(schema, names), " & ", "unknown")
}

/// Everything a value must be at once.
fn parts(schema: &Value, names: &Names) -> Vec<String> {
    let Value::Object(schema) = schema else {
        return if *schema == Value::Bool(false) { vec!["never".to_owned()] } else { Vec::new() };
    };
    if let Some(value) = schema.get("const") {
        return vec![value.to_string()];
    }
    if let Some(Value::Array(values)) = schema.get("enum") {
        return vec![join(values.iter().map(Value::to_string), " | ", "never")];
    }
    let mut parts = Vec::new();
    parts.extend(schema.get("$ref").and_then(Value::as_str).map(|target| name(target, names)));
    parts.extend(all(schema, "allOf").map(|part| ty(part, names)).filter(|part| part != "unknown"));
    for alternatives in ["oneOf", "anyOf"] {
        let union: Vec<String> = all(schema, alternatives).map(|part| ty(part, names)).collect();
        if !union.is_empty() {
            parts.push(join(union, " | ", "never"));
        }
    }
    parts.extend(own_type(schema, names, !parts.is_empty()));
    parts
}

fn all<'a>(schema: &'a Map<String, Value>, keyword: &str) -> impl Iterator<Item = &'a Value> {
    schema.get(keyword).and_then(Value::as_array).into_iter().flatten()
}

/// What the keyword `type` says, with the keywords that refine it; `more` when other parts have spoken already.
fn own_type(schema: &Map<String, Value>, names: &Names, more: bool) -> Option<String> {
    match schema.get("type") {
        Some(Value::String(one)) => {
            let silent = more && one == "object" && !schema.contains_key("properties");
            (!silent).then(|| basic(one, schema, names))
        }
        Some(Value::Array(several)) => {
            let several = several.iter().filter_map(Value::as_str).map(|one| basic(one, schema, names));
            Some(join(several, " | ", "unknown"))
        }
        _ => schema.contains_key("properties").then(|| object(schema, names)),
    }
}

fn basic(name: &str, schema: &Map<String, Value>, names: &Names) -> String {
    match name {
        "integer" | "number" => "number".to_owned(),
        "array" => array(schema, names),
        "object" => object(schema, names),
        "string" | "boolean" | "null" => name.to_owned(),
        _ => "unknown".to_owned(),
    }
}

fn array(schema: &Map<String, Value>, names: &Names) -> String {
    let tuple: Vec<String> = all(schema, "prefixItems").map(|item| ty(item, names)).collect();
    if !tuple.is_empty() {
        return format!("[{}]", tuple.join(", "));
    }
    let item = schema.get("items").map_or_else(|| "unknown".to_owned(), |item| ty(item, names));
    if is_compound(&item) { format!("({item})[]") } else { format!("{item}[]") }
}

fn object(schema: &Map<String, Value>, names: &Names) -> String {
    let others = schema.get("additionalProperties").filter(|others| **others != Value::Bool(false));
    let fields: Vec<String> = fields(schema, names).map(|field| field.line).collect();
    match (fields.is_empty(), others) {
        (true, None) if schema.contains_key("additionalProperties") => "Record<string, never>".to_owned(),
        (true, None) => "Record<string, unknown>".to_owned(),
        (true, Some(others)) => format!("Record<string, {}>", ty(others, names)),
        (false, None) => format!("{{ {} }}", fields.join("; ")),
        (false, Some(_)) => format!("{{ {}; [key: string]: unknown }}", fields.join("; ")),
    }
}

struct Field<'a> {
    line: String,
    doc: &'a str,
}

fn fields<'a>(schema: &'a Map<String, Value>, names: &'a Names) -> impl Iterator<Item = Field<'a>> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(move |(name, property)| {
        let required = all(schema, "required").any(|required| required == name);
        let mark = if required { "" } else { "?" };
        let doc = property.get("description").and_then(Value::as_str).unwrap_or_default();
        let readonly = if property.get("readOnly") == Some(&Value::Bool(true)) { "readonly " } else { "" };
        Field { line: format!("{readonly}{}{mark}: {}", key(name), ty(property, names)), doc }
    })
}

/// An exported interface, or an exported alias where the type is no plain object.
pub(super) fn definition(printed: &str, schema: &Value, names: &Names) -> String {
    let doc = doc(schema.get("description").and_then(Value::as_str).unwrap_or_default(), "");
    match schema.as_object().filter(|schema| is_interface(schema)) {
        None => format!("{doc}export type {printed} = {};\n", ty(schema, names)),
        Some(schema) => {
            let lines = fields(schema, names).map(|field| format!("{}  {};\n", self::doc(field.doc, "  "), field.line));
            format!("{doc}export interface {printed} {{\n{}}}\n", lines.collect::<String>())
        }
    }
}

fn is_interface(schema: &Map<String, Value>) -> bool {
    let open = schema.get("additionalProperties").is_some_and(|others| *others != Value::Bool(false));
    let mixed =
        ["$ref", "allOf", "oneOf", "anyOf", "enum", "const"].iter().any(|keyword| schema.contains_key(*keyword));
    schema.contains_key("properties") && !open && !mixed
}

/// A doc comment, or nothing.
pub(super) fn doc(text: &str, indent: &str) -> String {
    // Links of rustdoc lead nowhere here.
    let text = text.trim().replace("*/", "*\\/").replace("[`", "`").replace("`]", "`");
    if text.is_empty() {
        return String::new();
    }
    if !text.contains('\n') {
        return format!("{indent}/** {text} */\n");
    }
    let lines = text.lines().map(|line| format!("{indent} * {line}").trim_end().to_owned() + "\n");
    format!("{indent}/**\n{}{indent} */\n", lines.collect::<String>())
}

/// A property or method name, quoted where TypeScript wants that.
pub(super) fn key(name: &str) -> String {
    if identifier(name) == name { name.to_owned() } else { Value::from(name).to_string() }
}

/// A name that TypeScript takes as one.
pub(super) fn identifier(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$');
    let text: String = name.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    if text.is_empty() || text.starts_with(|c: char| c.is_ascii_digit()) { format!("_{text}") } else { text }
}

/// The definitions a schema mentions.
pub(super) fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(fields) => {
            let own = fields.get("$ref").and_then(Value::as_str).and_then(target);
            own.into_iter().chain(fields.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

fn name(reference: &str, names: &Names) -> String {
    match target(reference) {
        Some(target) => names.get(&target).cloned().unwrap_or_else(|| identifier(&target)),
        None => "unknown".to_owned(),
    }
}

/// The definition a reference points at; JSON pointers escape `~` and `/` (RFC 6901, 3).
pub(super) fn target(reference: &str) -> Option<String> {
    reference.strip_prefix(DEFINITIONS).map(|name| name.replace("~1", "/").replace("~0", "~"))
}

/// Joins types, each once, in parentheses where the other joint would tear them apart.
fn join(types: impl IntoIterator<Item = String>, joint: &str, none: &str) -> String {
    let mut kept: Vec<String> = Vec::new();
    for ty in types {
        if !kept.contains(&ty) {
            kept.push(ty);
        }
    }
    match kept.len() {
        0 => none.to_owned(),
        1 => kept.remove(0),
        _ if joint == " & " => {
            let wrap = |ty: String| if is_compound(&ty) { format!("({ty})") } else { ty };
            kept.into_iter().map(wrap).collect::<Vec<_>>().join(joint)
        }
        _ => kept.join(joint),
    }
}

/// Whether a type has a joint outside of any bracket.
fn is_compound(ty: &str) -> bool {
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut escaped = false;
    for c in ty.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' | '[' | '(' | '<' => depth += 1,
            '}' | ']' | ')' | '>' => depth = depth.saturating_sub(1),
            '|' | '&' if depth == 0 => return true,
            _ => {}
        }
    }
    false
}
