//! Reading the top level of one JSON object without building a tree.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Calls `see(key, value)` for each member of the object in `text`, in order.
///
/// Keys and values are borrowed; nested values are skipped iteratively, so
/// depth costs no stack. A key with an unpaired surrogate equals none of the
/// protocol's keys and is passed over.
pub(crate) fn each<'a>(text: &'a str, see: impl FnMut(Cow<'a, str>, &'a RawValue)) -> Result<(), serde_json::Error> {
    let mut de = serde_json::Deserializer::from_str(text);
    de.deserialize_map(Members { see })?;
    de.end()
}

struct Members<F> {
    see: F,
}

impl<'a, F: FnMut(Cow<'a, str>, &'a RawValue)> Visitor<'a> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, value)) = map.next_entry::<&'a RawValue, &'a RawValue>()? {
            if let Some(key) = string(key) {
                (self.see)(key, value);
            }
        }
        Ok(())
    }
}

/// The text of a JSON string, borrowed unless it contains escapes. `None` for
/// other values and for strings with an unpaired surrogate, which Rust text
/// cannot hold.
pub(crate) fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(raw.get()).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

/// What kind of JSON value this is, for a sentence.
pub(crate) fn kind_of(raw: &RawValue) -> &'static str {
    match raw.get().as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}
