//! Which of an agent's schedules are meant.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Schedule, ScheduleId};
use crate::schedule::When;

/// What kind of schedule it is, by the word clients of the Agents SDK know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleKind {
    /// Once, after a while.
    Delayed,
    /// Once, at a moment.
    Scheduled,
    /// Again and again.
    Interval,
    /// By a cron expression.
    Cron,
    /// In the agent's queue.
    Queued,
}

impl ScheduleKind {
    pub(super) fn of(when: Option<&When>) -> Self {
        match when {
            None => Self::Queued,
            Some(When::After(_)) => Self::Delayed,
            Some(When::At(_)) => Self::Scheduled,
            Some(When::Every(_)) => Self::Interval,
            Some(When::Cron(_)) => Self::Cron,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delayed => "delayed",
            Self::Scheduled => "scheduled",
            Self::Interval => "interval",
            Self::Cron => "cron",
            Self::Queued => "queued",
        }
    }
}

/// Which schedules are meant: those that fit everything that is set. The default means all.
///
/// ```
/// use hostel_core::task::{ScheduleKind, ScheduleQuery};
///
/// let crons = ScheduleQuery { kind: Some(ScheduleKind::Cron), ..ScheduleQuery::default() };
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ScheduleQuery {
    /// This one.
    pub id: Option<ScheduleId>,
    /// Those of this task.
    pub task: Option<String>,
    /// Those of this kind.
    #[serde(rename = "type")]
    pub kind: Option<ScheduleKind>,
    /// Those due at this moment or later.
    pub from: Option<Timestamp>,
    /// Those due at this moment or earlier.
    pub to: Option<Timestamp>,
}

impl ScheduleQuery {
    /// Whether this one is meant.
    pub fn means(&self, schedule: &Schedule) -> bool {
        self.id.as_ref().is_none_or(|id| *id == schedule.id)
            && self.task.as_ref().is_none_or(|task| *task == schedule.task)
            && self.kind.is_none_or(|kind| kind == schedule.kind())
            && self.from.is_none_or(|from| from <= schedule.due)
            && self.to.is_none_or(|to| schedule.due <= to)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::value::RawValue;

    use super::{super::Retry, *};

    #[test]
    fn a_query_means_what_fits_everything_that_is_set() {
        let schedule = Schedule {
            id: ScheduleId::new("a"),
            task: "tick".into(),
            args: RawValue::from_string("[]".into()).unwrap(),
            when: Some(When::Every(Duration::from_secs(60))),
            due: Timestamp::from_second(100).unwrap(),
            key: None,
            declared: false,
            attempts: 0,
            running: false,
            retry: Retry::default(),
            source: None,
        };
        let read = |text: &str| serde_json::from_str::<ScheduleQuery>(text).unwrap().means(&schedule);
        assert!(read("{}") && read(r#"{"id": "a", "task": "tick", "type": "interval"}"#));
        assert!(!read(r#"{"id": "b"}"#) && !read(r#"{"task": "tock"}"#) && !read(r#"{"type": "cron"}"#));
        assert!(read(r#"{"from": "1970-01-01T00:01:40Z", "to": "1970-01-01T00:01:40Z"}"#));
        assert!(!read(r#"{"from": "1970-01-01T00:01:41Z"}"#) && !read(r#"{"to": "1970-01-01T00:01:39Z"}"#));
    }
}
