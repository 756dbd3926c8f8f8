//! A run that was given up, with all it takes to mend it and have it run again.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Serialize, ser::SerializeMap};
use serde_json::value::RawValue;

use super::{ScheduleId, ScheduleKind, payload};
use crate::schedule::When;

/// A run that was given up: what it was to do, why it was not done, and how often that was tried.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The run's name; [`crate::Cx::retry`] takes it.
    pub id: ScheduleId,
    /// The task.
    pub task: Cow<'static, str>,
    /// Its arguments, a JSON array.
    pub args: Box<RawValue>,
    /// When it was ordered for; `None` for what was queued.
    pub when: Option<When>,
    /// When it was due. For what was queued: when it was put there.
    pub due: Timestamp,
    /// Where it came from, if whoever ordered it said so.
    pub source: Option<String>,
    /// Attempts that failed.
    pub attempts: u32,
    /// Why it was given up: a stable code.
    pub code: String,
    /// Why, in words.
    pub reason: String,
    /// When it was given up.
    pub at: Timestamp,
}

impl Serialize for DeadLetter {
    /// In the words of [`super::Schedule`].
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("callback", &self.task)?;
        map.serialize_entry("payload", &payload(&self.args))?;
        map.serialize_entry("args", &self.args)?;
        map.serialize_entry("type", ScheduleKind::of(self.when.as_ref()).as_str())?;
        map.serialize_entry("time", &self.due.as_second())?;
        if let Some(source) = &self.source {
            map.serialize_entry("source", source)?;
        }
        map.serialize_entry("attempts", &self.attempts)?;
        map.serialize_entry("code", &self.code)?;
        map.serialize_entry("reason", &self.reason)?;
        map.serialize_entry("at", &self.at)?;
        map.end()
    }
}
