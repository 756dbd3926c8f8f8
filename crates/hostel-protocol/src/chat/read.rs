//! Reading values out of JSON, bounded and without losing a text to half a character.

use serde_json::{Map, Value};

use super::fault::ChatFault;
use crate::json::{JsonFault, JsonLimits, check_json};

/// A JSON text as a value, within the ordinary limits.
///
/// JavaScript can write half of a character of two units, which Rust text cannot hold: it becomes U+FFFD.
pub(super) fn json(text: &str) -> Result<Value, JsonFault> {
    check_json(text, &JsonLimits::DEFAULT)?;
    let read = serde_json::from_str(text);
    let read = read.or_else(|_| serde_json::from_str(&without_halves(text)));
    read.map_err(|error| JsonFault::Syntax { offset: error.column(), expected: "a number that a double can hold" })
}

/// `text` with escapes of unpaired surrogates replaced.
fn without_halves(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = match (unit(rest), unit(rest.get(6..).unwrap_or_default())) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                out.push_str("\\ufffd");
                rest = &rest[6..];
                continue;
            }
            (Some(_), _) => 6,
            // The JSON was checked: what is escaped is one ASCII character.
            (None, _) => 2.min(rest.len()),
        };
        let (escape, after) = rest.split_at_checked(taken).unwrap_or((rest, ""));
        out.push_str(escape);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The code unit of an escape such as `\u00e9` at the beginning of `text`.
fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u32::from_str_radix(digits, 16).ok()
}

/// Takes a text out of an object.
pub(super) fn take_text(map: &mut Map<String, Value>, key: &str) -> Option<String> {
    match map.shift_remove(key) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// Takes a list out of an object.
pub(super) fn take_list(map: &mut Map<String, Value>, key: &str) -> Option<Vec<Value>> {
    match map.shift_remove(key) {
        Some(Value::Array(list)) => Some(list),
        _ => None,
    }
}

/// A frame as an object.
pub(super) fn frame(text: &str) -> Result<Map<String, Value>, ChatFault> {
    match json(text) {
        Ok(Value::Object(frame)) => Ok(frame),
        Ok(_) => Err(ChatFault::new("A chat frame must be a JSON object.")),
        Err(fault) => Err(ChatFault::new(format!("The chat frame is no JSON: {fault}."))),
    }
}
