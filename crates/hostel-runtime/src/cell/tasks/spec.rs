//! An order as text in the agent's database.

use std::{borrow::Cow, time::Duration};

use hostel_core::{
    Cron, Error, Missed, Result, Retry, When,
    task::{DeadLetter, Order, Schedule, ScheduleId},
};
use hostel_store::{Queued, TaskRow};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// When and how a run is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Spec {
    /// When; nothing for what is queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) when: Option<Kind>,
    #[serde(default)]
    missed: Policy,
    #[serde(default)]
    pub(in super::super) retry: Tries,
    /// For a repetition of a failed run: the moment that run was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) moment_ms: Option<i64>,
    /// It is a durable run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in super::super) run: bool,
    /// How many missed runs in a row have been made up for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) made_up: usize,
    /// Who ordered it, in their own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    AfterMs(u64),
    AtMs(i64),
    EveryMs(u64),
    Cron { text: String, zone: Option<String> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Policy {
    Skip,
    #[default]
    Once,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Tries {
    attempts: u32,
    first_ms: u64,
    longest_ms: u64,
}

impl Default for Tries {
    fn default() -> Self {
        Retry::default().into()
    }
}

impl From<Retry> for Tries {
    fn from(retry: Retry) -> Self {
        Self { attempts: retry.attempts, first_ms: millis(retry.first), longest_ms: millis(retry.longest) }
    }
}

impl Tries {
    /// The longest pause between two attempts.
    pub(in super::super) fn longest_ms(self) -> u64 {
        self.longest_ms
    }

    pub(in super::super) fn retry(self) -> Retry {
        let Self { attempts, first_ms, longest_ms } = self;
        Retry { attempts, first: Duration::from_millis(first_ms), longest: Duration::from_millis(longest_ms) }
    }
}

impl Spec {
    pub(in super::super) fn of(order: &Order) -> Self {
        let spec = Self::new(order.when.as_ref(), order.missed, order.retry);
        Self { source: order.source.clone(), ..spec }
    }

    pub(super) fn new(when: Option<&When>, missed: Missed, retry: Retry) -> Self {
        let missed = match missed {
            Missed::Skip => Policy::Skip,
            Missed::Once => Policy::Once,
            Missed::All => Policy::All,
        };
        let (when, retry) = (when.map(Kind::of), retry.into());
        Self { when, missed, retry, moment_ms: None, run: false, made_up: 0, source: None }
    }

    /// The same, for the run that is or was due at `moment_ms`.
    pub(super) fn at(&self, moment_ms: Option<i64>) -> Self {
        Self { moment_ms, ..self.clone() }
    }

    /// The same, for a durable run.
    pub(in super::super) fn as_run(&self) -> Self {
        Self { run: true, ..self.clone() }
    }

    /// The same for the next run, which makes up for one that was missed or does not.
    pub(super) fn following(&self, makes_up: bool) -> Self {
        Self { moment_ms: None, made_up: if makes_up { self.made_up + 1 } else { 0 }, ..self.clone() }
    }

    /// The same, once and now, whatever it was.
    pub(super) fn again(&self, now_ms: i64) -> Self {
        let when = self.when.as_ref().map(|_| Kind::AtMs(now_ms));
        Self { when, missed: Policy::Once, moment_ms: None, made_up: 0, ..self.clone() }
    }

    /// Whether it is due more than once.
    pub(in super::super) fn repeats(&self) -> bool {
        matches!(self.when, Some(Kind::EveryMs(_) | Kind::Cron { .. }))
    }

    /// When the run of `row` that is due was due first: a repetition of it has a later moment.
    pub(super) fn moment(&self, row: &TaskRow) -> i64 {
        self.moment_ms.unwrap_or(row.due_ms)
    }

    /// The name of the run of `row` that is due, the same for all attempts at it. What is due once has that of its order.
    pub(in super::super) fn run_id(&self, row: &TaskRow) -> String {
        if self.repeats() { format!("{}@{}", row.id, self.moment(row)) } else { row.id.clone() }
    }

    pub(in super::super) fn read(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    pub(in super::super) fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string(self)?)
    }

    pub(super) fn when(&self) -> Result<Option<When>> {
        self.when.as_ref().map(Kind::when).transpose()
    }

    pub(super) fn missed(&self) -> Missed {
        match self.missed {
            Policy::Skip => Missed::Skip,
            Policy::Once => Missed::Once,
            Policy::All => Missed::All,
        }
    }
}

impl Kind {
    fn of(when: &When) -> Self {
        match when {
            When::After(delay) => Self::AfterMs(millis(*delay)),
            When::At(at) => Self::AtMs(at.as_millisecond()),
            When::Every(period) => Self::EveryMs(millis(*period)),
            When::Cron(cron) => Self::Cron { text: cron.text().to_owned(), zone: cron.zone().map(str::to_owned) },
        }
    }

    fn when(&self) -> Result<When> {
        Ok(match self {
            Self::AfterMs(delay) => When::After(Duration::from_millis(*delay)),
            Self::AtMs(at) => When::At(Timestamp::from_millisecond(*at)?),
            Self::EveryMs(period) => When::Every(Duration::from_millis(*period)),
            Self::Cron { text, zone } => When::Cron(Box::new(Cron::parse(text, zone.as_deref())?)),
        })
    }
}

/// The row with an earlier moment, if it has more to go than it is long: nothing for what is queued, its delay, the longest pause
/// between two attempts. What has a moment on the calendar keeps it; for durable runs see `shorten_waits`.
pub(super) fn no_later(mut row: TaskRow, now_ms: i64) -> Option<TaskRow> {
    let spec = Spec::read(&row.spec).filter(|spec| !spec.run)?;
    let length = match &spec.when {
        _ if row.attempts > 0 => spec.retry.longest_ms(),
        None => 0,
        Some(Kind::AfterMs(delay) | Kind::EveryMs(delay)) => *delay,
        Some(Kind::AtMs(_) | Kind::Cron { .. }) => return None,
    };
    let latest = after(now_ms, length);
    let is_late = row.due_ms > latest;
    row.due_ms = latest;
    is_late.then_some(row)
}

/// That many milliseconds later.
pub(in super::super) fn after(now_ms: i64, length_ms: u64) -> i64 {
    now_ms.saturating_add(i64::try_from(length_ms).unwrap_or(i64::MAX))
}

/// A row as agents see it.
pub(super) fn schedule(row: TaskRow, is_running: impl FnOnce(&str) -> bool) -> Result<Schedule> {
    let spec = Spec::read(&row.spec).ok_or_else(|| Error::msg(format!("the order {} cannot be read", row.id)))?;
    let is_queued = row.queued != Queued::No;
    let due = if is_queued { spec.moment(&row) } else { row.due_ms };
    Ok(Schedule {
        running: is_running(&row.id),
        id: ScheduleId::new(row.id),
        task: Cow::Owned(row.task),
        args: RawValue::from_string(row.args)?,
        when: if is_queued { None } else { spec.when()? },
        due: Timestamp::from_millisecond(due)?,
        key: row.key,
        declared: row.declared,
        attempts: row.attempts,
        retry: spec.retry.retry(),
        source: spec.source,
    })
}

/// A run that was given up, as agents see it. One whose spec cannot be read is shown all the same.
pub(super) fn letter(stored: hostel_store::DeadLetter) -> Result<DeadLetter> {
    let spec = Spec::read(&stored.spec);
    Ok(DeadLetter {
        id: ScheduleId::new(stored.id),
        task: Cow::Owned(stored.task),
        args: RawValue::from_string(stored.args)?,
        when: spec.as_ref().and_then(|spec| spec.when().ok().flatten()),
        due: Timestamp::from_millisecond(stored.due_ms)?,
        source: spec.and_then(|spec| spec.source),
        attempts: stored.attempts,
        code: stored.code,
        reason: stored.reason,
        at: Timestamp::from_millisecond(stored.at_ms)?,
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over like this")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
