//! Tasks: methods that an agent has run later, once or again and again, and what is known of those that wait.

mod letter;
mod query;
mod retry;

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, ser::SerializeMap};
use serde_json::value::RawValue;

pub use self::{
    letter::DeadLetter,
    query::{ScheduleKind, ScheduleQuery},
    retry::{Retry, retry, retry_when},
};
use crate::{
    args::Args,
    error::Result,
    handler::Handler,
    host::Host,
    reply::Reply,
    run::{RunAnswer, RunAsk, Started},
    schedule::{Cron, Missed, When},
};

/// One task of an agent class: a method that is open to the agent itself and to its clock, not to clients.
pub struct Task<A> {
    /// Its name, as schedules and their tools show it, e.g. `sendReminder`.
    pub name: &'static str,
    /// The doc comment.
    pub doc: &'static str,
    /// How it runs.
    pub handler: Handler<A, Args, Reply>,
    /// When it runs without anybody asking.
    pub declared: &'static [Declared],
    /// How long a run that waits may take before it is broken off and counts as failed.
    pub timeout: Duration,
}

impl<A> Task<A> {
    /// How long a run may take if its class says nothing else.
    pub const TIMEOUT: Duration = Duration::from_secs(15 * 60);
}

impl<A> fmt::Debug for Task<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A schedule that a class declares: kept in step with the declaration whenever the agent starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declared {
    /// Again and again.
    Every {
        /// From the end of one run to the next.
        period: Duration,
        /// What becomes of missed runs.
        missed: Missed,
    },
    /// By a cron expression.
    Cron {
        /// The expression.
        text: &'static str,
        /// The IANA name of the time zone; UTC without.
        zone: Option<&'static str>,
        /// What becomes of missed runs.
        missed: Missed,
    },
}

impl Declared {
    /// When it is due, and what becomes of missed runs.
    ///
    /// # Errors
    /// `invalid_arguments` if the expression or the zone cannot be read.
    pub fn when(&self) -> Result<(When, Missed)> {
        match self {
            Self::Every { period, missed } => Ok((When::Every(*period), *missed)),
            Self::Cron { text, zone, missed } => Ok((When::Cron(Box::new(Cron::parse(text, *zone)?)), *missed)),
        }
    }
}

/// A run that is asked for. Inside an agent `cx.tasks()` makes them; from outside it is made by name:
///
/// ```
/// use hostel_core::task::Order;
///
/// let order = Order { source: Some("webhook github".into()), ..Order::new("noteWebhook", &("push", 7))? };
/// assert_eq!(order.args, r#"["push",7]"#);
/// # Ok::<(), hostel_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Order {
    /// The task's name.
    pub task: Cow<'static, str>,
    /// A JSON array.
    pub args: String,
    /// When; `None` puts it at the end of the queue.
    pub when: Option<When>,
    /// With the same key it takes the place of the one before.
    pub key: Option<String>,
    /// Whether an equal one that waits already is kept instead of adding another. By default it is for what repeats.
    pub idempotent: Option<bool>,
    /// Whether what is queued waits for everything queued before it.
    pub ordered: bool,
    /// What becomes of missed runs.
    pub missed: Missed,
    /// What becomes of failed runs.
    pub retry: Retry,
    /// Where it comes from, for those who look at what waits and what was given up.
    pub source: Option<String>,
}

impl Order {
    /// A run of `task` at the end of the queue; `args` must serialise to a JSON array, as a tuple does.
    ///
    /// # Errors
    /// If the arguments cannot be written as JSON.
    pub fn new(task: impl Into<Cow<'static, str>>, args: &impl Serialize) -> Result<Self> {
        Ok(Self {
            task: task.into(),
            args: serde_json::to_string(args)?,
            when: None,
            key: None,
            idempotent: None,
            ordered: true,
            missed: Missed::default(),
            retry: Retry::default(),
            source: None,
        })
    }
}

/// The name of a schedule or a queued run, unique within its agent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScheduleId(String);

impl ScheduleId {
    /// Made by hosts.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ScheduleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something that waits for its time.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Its name.
    pub id: ScheduleId,
    /// The task.
    pub task: Cow<'static, str>,
    /// Its arguments, a JSON array.
    pub args: Box<RawValue>,
    /// When; `None` for what is queued.
    pub when: Option<When>,
    /// When it is due next. For what is queued: when it was put there.
    pub due: Timestamp,
    /// The key it was given.
    pub key: Option<String>,
    /// Whether its class declares it.
    pub declared: bool,
    /// Attempts at the run that is due.
    pub attempts: u32,
    /// It is running.
    pub running: bool,
    /// How a failing run is repeated.
    pub retry: Retry,
    /// Where it comes from, if whoever ordered it said so.
    pub source: Option<String>,
}

impl Serialize for Schedule {
    /// As clients of the Agents SDK know it (agents-protocol, 6.1), with what else there is beside it.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("callback", &self.task)?;
        map.serialize_entry("payload", &payload(&self.args))?;
        match &self.when {
            None => {
                map.serialize_entry("type", self.kind().as_str())?;
                map.serialize_entry("createdAt", &self.due.as_second())?;
            }
            Some(when) => {
                map.serialize_entry("type", self.kind().as_str())?;
                map.serialize_entry("time", &self.due.as_second())?;
                self.detail(when, &mut map)?;
            }
        }
        if self.retry != Retry::default() {
            map.serialize_entry("retry", &self.retry.shown())?;
        }
        for (name, text) in [("key", &self.key), ("source", &self.source)] {
            if let Some(text) = text {
                map.serialize_entry(name, text)?;
            }
        }
        map.end()
    }
}

impl Schedule {
    /// What kind it is.
    pub fn kind(&self) -> ScheduleKind {
        ScheduleKind::of(self.when.as_ref())
    }

    fn detail<M: SerializeMap>(&self, when: &When, map: &mut M) -> std::result::Result<(), M::Error> {
        match when {
            When::After(delay) => map.serialize_entry("delayInSeconds", &seconds(*delay)),
            When::At(_) => Ok(()),
            When::Every(period) => map.serialize_entry("intervalSeconds", &seconds(*period)),
            When::Cron(cron) => {
                map.serialize_entry("cron", cron.text())?;
                cron.zone().map_or(Ok(()), |zone| map.serialize_entry("timeZone", zone))
            }
        }
    }
}

/// What clients know as the payload: the one argument, or all of them.
pub(crate) fn payload(args: &RawValue) -> serde_json::Value {
    match serde_json::from_str(args.get()).unwrap_or_default() {
        serde_json::Value::Array(mut args) if args.len() == 1 => args.remove(0),
        serde_json::Value::Array(args) if args.is_empty() => serde_json::Value::Null,
        args => args,
    }
}

fn seconds(duration: Duration) -> serde_json::Number {
    let whole = (duration.subsec_nanos() == 0).then(|| duration.as_secs().into());
    whole.or_else(|| serde_json::Number::from_f64(duration.as_secs_f64())).unwrap_or_else(|| 0.into())
}

/// What generated `cx.tasks()` wraps: it makes orders, one method a task.
#[derive(Clone)]
pub struct TaskOrders(Arc<dyn Host>);

impl TaskOrders {
    /// For the agent of this host.
    pub fn new(host: Arc<dyn Host>) -> Self {
        Self(host)
    }

    /// A run of `task`; `args` must serialise to a JSON array. Nothing is kept before its time is chosen.
    pub fn order(&self, task: &'static str, args: &impl Serialize) -> Run {
        Run { host: Arc::clone(&self.0), order: Order::new(task, args), zone: None }
    }
}

impl fmt::Debug for TaskOrders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskOrders").field(self.0.id()).finish()
    }
}

/// A run of a task whose time has not been chosen yet.
///
/// ```no_run
/// # use std::time::Duration;
/// # fn demo(run: impl Fn() -> hostel_core::task::Run) -> hostel_core::Result<()> {
/// let in_ten_minutes = run().after(Duration::from_secs(600))?;
/// let every_morning = run().key("morning").in_zone("Europe/Berlin").cron("0 9 * * *")?;
/// let behind_what_is_queued = run().now()?;
/// # Ok(()) }
/// ```
#[must_use = "a run is kept only when its time is chosen: `.after(..)`, `.at(..)`, `.every(..)`, `.cron(..)` or `.now()`"]
pub struct Run {
    host: Arc<dyn Host>,
    order: Result<Order>,
    zone: Option<String>,
}

impl Run {
    /// Names it: ordering under the same key again replaces it.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        if let Ok(order) = &mut self.order {
            order.key = Some(key.into());
        }
        self
    }

    /// Whether an equal one that waits already (task, arguments, period or expression) is kept, instead of adding another.
    /// By default `.every` and `.cron` do so, and the others do not.
    pub fn idempotent(mut self, on: bool) -> Self {
        if let Ok(order) = &mut self.order {
            order.idempotent = Some(on);
        }
        self
    }

    /// What becomes of runs that were missed, while the server was down for instance.
    pub fn missed(mut self, missed: Missed) -> Self {
        if let Ok(order) = &mut self.order {
            order.missed = missed;
        }
        self
    }

    /// How a failing run is repeated.
    pub fn retry(mut self, retry: Retry) -> Self {
        if let Ok(order) = &mut self.order {
            order.retry = retry;
        }
        self
    }

    /// With [`Run::now`]: it does not wait for what is queued before it, and a failing run before it does not hold it up.
    pub fn in_any_order(mut self) -> Self {
        if let Ok(order) = &mut self.order {
            order.ordered = false;
        }
        self
    }

    /// The time zone of a cron expression, by its IANA name.
    pub fn in_zone(mut self, zone: impl Into<String>) -> Self {
        self.zone = Some(zone.into());
        self
    }

    /// Runs it once, this long from now.
    ///
    /// # Errors
    /// As [`Run::at`].
    pub fn after(self, delay: Duration) -> Result<ScheduleId> {
        self.keep(Some(When::After(delay)))
    }

    /// Runs it once, at `at`; at once if that has passed.
    ///
    /// # Errors
    /// `invalid_arguments` if the arguments or the time cannot be kept, or a storage code.
    pub fn at(self, at: Timestamp) -> Result<ScheduleId> {
        self.keep(Some(When::At(at)))
    }

    /// Runs it again and again, `period` after the end of each run.
    ///
    /// # Errors
    /// As [`Run::at`].
    pub fn every(self, period: Duration) -> Result<ScheduleId> {
        self.keep(Some(When::Every(period)))
    }

    /// Runs it by a cron expression; see [`Cron`] for the dialect.
    ///
    /// # Errors
    /// As [`Run::at`].
    pub fn cron(self, text: &str) -> Result<ScheduleId> {
        let cron = Cron::parse(text, self.zone.as_deref())?;
        self.keep(Some(When::Cron(Box::new(cron))))
    }

    /// Puts it at the end of the agent's queue, which runs one after the other.
    ///
    /// # Errors
    /// As [`Run::at`].
    pub fn now(self) -> Result<ScheduleId> {
        self.keep(None)
    }

    /// Starts a durable run of an async task. Under a [key](Run::key) there is one run: starting another hands out the one
    /// there is, as long as it is kept.
    ///
    /// ```no_run
    /// # fn demo(run: impl Fn() -> hostel_core::task::Run) -> hostel_core::Result<()> {
    /// let order = run().key("order 17").start()?;
    /// assert_eq!(run().key("order 17").start()?.id, order.id);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `invalid_arguments` if the task is not async, `idempotency_conflict` if the key belongs to a run of another task or
    /// with other arguments, or a storage code.
    pub fn start(self) -> Result<Started> {
        match self.host.runs(RunAsk::Start(self.order?))? {
            RunAnswer::Started(started) => Ok(started),
            _ => Err(crate::run::mixed_up()),
        }
    }

    fn keep(self, when: Option<When>) -> Result<ScheduleId> {
        self.host.order(Order { when, ..self.order? })
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Run").field(&self.order).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schedule(when: Option<When>, args: &str) -> Schedule {
        Schedule {
            id: ScheduleId::new("FkA-VoiI-"),
            task: "onTick".into(),
            args: RawValue::from_string(args.to_owned()).unwrap(),
            when,
            due: Timestamp::from_second(1_795_324_858).unwrap(),
            key: None,
            declared: false,
            attempts: 0,
            running: false,
            retry: Retry::default(),
            source: None,
        }
    }

    #[test]
    fn clients_see_schedules_as_the_sdk_shows_them() {
        let shown = |when, args| serde_json::to_value(schedule(Some(when), args)).unwrap();
        assert_eq!(
            shown(When::After(Duration::from_secs(1)), r#"[{"k":1}]"#),
            json!({"id": "FkA-VoiI-", "callback": "onTick", "payload": {"k": 1}, "type": "delayed", "time": 1_795_324_858, "delayInSeconds": 1})
        );
        assert_eq!(shown(When::At(Timestamp::UNIX_EPOCH), "[]")["type"], "scheduled");
        assert_eq!(shown(When::Every(Duration::from_secs(3600)), "[1,2]")["intervalSeconds"], 3600);
        let cron = When::Cron(Box::new(Cron::parse("0 9 * * *", Some("Europe/Berlin")).unwrap()));
        let shown = shown(cron, "[1,2]");
        assert_eq!(
            (&shown["cron"], &shown["timeZone"], &shown["payload"]),
            (&json!("0 9 * * *"), &json!("Europe/Berlin"), &json!([1, 2]))
        );
    }
}
