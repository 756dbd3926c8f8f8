//! A linear, non-recursive check of JSON text against limits.
//!
//! It accepts exactly the grammar of RFC 8259 (and so of `JSON.parse`) and
//! looks at each byte once. What it accepts can be given to a recursive
//! reader without fear for the stack.

mod scan;

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::fields;

/// How much structure a JSON text may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonLimits {
    /// Arrays and objects open at the same time.
    pub max_depth: usize,
    /// Values in total: the root, array elements and object members.
    pub max_values: usize,
}

impl JsonLimits {
    /// Generous for programs, far below what harms a server.
    pub const DEFAULT: Self = Self { max_depth: 128, max_values: 1_000_000 };
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why [`check_json`] refused a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonFault {
    /// The text is not JSON.
    #[error("expected {expected} at byte {offset}")]
    Syntax {
        /// Where the text stops being JSON.
        offset: usize,
        /// What would have been legal there.
        expected: &'static str,
    },
    /// More arrays and objects inside each other than allowed.
    #[error("nested deeper than {limit} levels at byte {offset}")]
    TooDeep {
        /// Where the level too many opens.
        offset: usize,
        /// The allowed depth.
        limit: usize,
    },
    /// More values than allowed.
    #[error("more than {limit} values by byte {offset}")]
    TooManyValues {
        /// Where the value too many begins.
        offset: usize,
        /// The allowed number.
        limit: usize,
    },
}

/// The members of the object in `text`, in order, namesakes included; `None` when it is no object.
///
/// Keys and values are borrowed where they can be. A key with an unpaired surrogate, which Rust text cannot hold, is left
/// out.
#[must_use]
pub fn members(text: &str) -> Option<Vec<(Cow<'_, str>, &RawValue)>> {
    let mut found = Vec::new();
    fields::each(text, |key, value| found.push((key, value))).ok()?;
    Some(found)
}

/// Checks that `text` is one JSON value within `limits`.
///
/// Linear in the length of the text, with no recursion. Numbers of any size,
/// unpaired surrogate escapes and repeated keys are legal, as in `JSON.parse`.
///
/// # Errors
///
/// The first thing wrong from the left.
pub fn check_json(text: &str, limits: &JsonLimits) -> Result<(), JsonFault> {
    scan::Scan::new(text.as_bytes(), limits).run()
}

#[cfg(test)]
mod tests;
