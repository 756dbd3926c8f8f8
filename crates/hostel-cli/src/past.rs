//! What a server says about the past of an agent, and how people read it.

mod delta;
mod turns;
mod when;

pub(crate) use delta::Delta;
pub(crate) use turns::Turns;
pub(crate) use when::When;

use serde::Deserialize;
use serde_json::Value;

/// A page of turns, newest first.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    pub(crate) turns: Vec<Turn>,
    pub(crate) next: Option<i64>,
}

/// One turn.
#[derive(Debug, Deserialize)]
pub(crate) struct Turn {
    pub(crate) turn: i64,
    pub(crate) time_ms: i64,
    pub(crate) cause: Cause,
    /// Why each of the turns that share this number was done.
    #[serde(default)]
    pub(crate) shared: Vec<Run>,
    #[serde(default)]
    pub(crate) whole: bool,
    #[serde(default)]
    pub(crate) ended: bool,
    pub(crate) changes: Option<Changes>,
}

/// Why there was a turn, and on whose behalf. All empty where nobody knows.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Cause {
    pub(crate) event: String,
    pub(crate) what: String,
    pub(crate) author: String,
}

/// Turns in a row that were done for the same reason.
#[derive(Debug, Deserialize)]
pub(crate) struct Run {
    pub(crate) cause: Cause,
    pub(crate) turns: u32,
}

/// What a turn changed, in short.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Changes {
    pub(crate) state_keys: Vec<String>,
    pub(crate) tables: Vec<TableChange>,
    pub(crate) note: Option<String>,
}

/// How many rows of a table.
#[derive(Debug, Deserialize)]
pub(crate) struct TableChange {
    pub(crate) name: String,
    pub(crate) added: u64,
    pub(crate) removed: u64,
    pub(crate) changed: u64,
}

/// A turn with its time, as one end of a difference.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Point {
    pub(crate) turn: i64,
    pub(crate) time_ms: i64,
}

/// What is different between two moments.
#[derive(Debug, Deserialize)]
pub(crate) struct Difference {
    pub(crate) from: Point,
    pub(crate) to: Point,
    pub(crate) state: Vec<StateChange>,
    pub(crate) tables: Vec<TableDifference>,
    #[serde(default)]
    pub(crate) note: Option<String>,
}

impl Difference {
    pub(crate) fn is_empty(&self) -> bool {
        self.state.is_empty() && self.tables.is_empty() && self.note.is_none()
    }
}

/// A place in the state, with its value before and after, where it had one.
#[derive(Debug, Deserialize)]
pub(crate) struct StateChange {
    pub(crate) path: String,
    #[serde(default, deserialize_with = "present")]
    pub(crate) before: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) after: Option<Value>,
}

/// A `null` that is written is a value; only what is left out is none.
fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

/// The rows of one table.
#[derive(Debug, Deserialize)]
pub(crate) struct TableDifference {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) schema_changed: bool,
    pub(crate) added: Vec<Value>,
    pub(crate) removed: Vec<Value>,
    pub(crate) changed: Vec<(Value, Value)>,
    #[serde(default)]
    pub(crate) more: u64,
}
