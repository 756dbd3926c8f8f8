//! When a task is due: in flat fields, of which exactly one is given.

use std::time::Duration;

use hostel::{Cron, Cx, Error, JsonSchema, Result, ScheduleId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{CoderAgent, tools::refused};

/// A task for later, or for when a webhook comes. Exactly one of `delay`, `time`, `cron` and `webhook` is given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ScheduleTask {
    /// What is to be done then, in words.
    pub description: String,
    /// Once, so many seconds from now.
    #[serde(alias = "delayInSeconds", alias = "delaySeconds", skip_serializing_if = "Option::is_none")]
    pub delay: Option<u64>,
    /// Once, at this moment, such as 2026-12-24T18:00:00Z.
    #[serde(alias = "date", skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Again and again, by a cron expression, such as 0 3 * * *.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// The time zone of the cron expression, such as Europe/Berlin; UTC without.
    #[serde(alias = "timeZone", skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Whenever the server is sent this webhook for this agent, such as github.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
    /// Only if the webhook is about this event, such as push.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
}

impl ScheduleTask {
    /// Whether it is done once and is over then.
    pub(crate) fn is_once(&self) -> bool {
        self.cron.is_none() && self.webhook.is_none()
    }

    /// Whether it is due when something comes in by this webhook.
    pub(crate) fn waits_for(&self, hook: &str, event: Option<&str>) -> bool {
        self.webhook.as_deref().is_some_and(|name| name == hook || name == "*")
            && self.event.as_deref().is_none_or(|wanted| Some(wanted) == event)
    }

    /// What is wrong with it.
    pub(crate) fn check(&self) -> Result<()> {
        if self.description.trim().is_empty() {
            return Err(refused("What is to be done is missing.", "say it in description"));
        }
        let given = [self.delay.is_some(), self.time.is_some(), self.cron.is_some(), self.webhook.is_some()];
        match given.iter().filter(|given| **given).count() {
            1 => {}
            0 => return Err(refused("When is missing.", "give one of delay (seconds), time, cron, or webhook")),
            _ => {
                return Err(refused("Only one of delay, time, cron and webhook can be given.", "leave the others out"));
            }
        }
        if let Some(cron) = &self.cron {
            Cron::parse(cron, self.zone.as_deref())?;
        }
        self.moment().map(drop)
    }

    fn moment(&self) -> Result<Option<Timestamp>> {
        let Some(time) = &self.time else { return Ok(None) };
        let parsed = time.parse::<Timestamp>();
        parsed.map(Some).map_err(|_| {
            refused(format!("{time:?} is no moment."), "write it with its offset, such as 2026-12-24T18:00:00Z")
        })
    }

    /// Orders the run of the task with this number. What waits for a webhook has none.
    pub(crate) fn order(&self, cx: &Cx<CoderAgent>, id: i64) -> Result<Option<ScheduleId>> {
        let run = cx.tasks().task_due(id).key(key(id)).in_any_order();
        if let Some(delay) = self.delay {
            return run.after(Duration::from_secs(delay)).map(Some);
        }
        if let Some(at) = self.moment()? {
            return run.at(at).map(Some);
        }
        let Some(cron) = &self.cron else { return Ok(None) };
        let run = self.zone.iter().fold(run, |run, zone| run.in_zone(zone));
        run.cron(cron).map(Some)
    }

    /// In a few words.
    pub(crate) fn in_words(&self) -> String {
        match (self.delay, &self.time, &self.cron, &self.webhook) {
            (Some(delay), ..) => format!("once, {delay} seconds after it was scheduled"),
            (_, Some(time), ..) => format!("once, at {time}"),
            (_, _, Some(cron), _) => format!("{cron} ({})", self.zone.as_deref().unwrap_or("UTC")),
            (_, _, _, Some(hook)) => match &self.event {
                Some(event) => format!("whenever the webhook {hook} comes with {event}"),
                None => format!("whenever the webhook {hook} comes"),
            },
            _ => "never".to_owned(),
        }
    }
}

/// The key of a task's run: one task has one.
pub(crate) fn key(id: i64) -> String {
    format!("coder-task-{id}")
}

/// Takes the run of a task back.
pub(crate) fn cancel(cx: &Cx<CoderAgent>, id: i64) -> Result<()> {
    let key = key(id);
    let ours = cx.schedules()?.into_iter().filter(|schedule| schedule.key.as_deref() == Some(&*key));
    for schedule in ours {
        cx.cancel(&schedule.id)?;
    }
    Ok(())
}

/// A number, also as a text: models write both.
pub(crate) fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(String),
    }
    match Either::deserialize(deserializer)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => {
            text.trim().parse().map_err(|_| serde::de::Error::custom(Error::msg("a number is wanted")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<()> {
        serde_json::from_str::<ScheduleTask>(json).unwrap().check()
    }

    #[test]
    fn exactly_one_when_is_taken_and_anything_else_is_told_in_words() {
        for fine in [
            r#"{"description":"a","delay":5}"#,
            r#"{"description":"a","time":"2026-12-24T18:00:00+01:00"}"#,
            r#"{"description":"a","cron":"0 3 * * *","zone":"Europe/Berlin"}"#,
            r#"{"description":"a","webhook":"github","event":"push"}"#,
        ] {
            assert!(check(fine).is_ok(), "{fine}");
        }
        for (wrong, why) in [
            (r#"{"description":"a"}"#, "When is missing"),
            (r#"{"delay":5}"#, "What is to be done"),
            (r#"{"description":"a","delay":5,"cron":"0 3 * * *"}"#, "Only one"),
            (r#"{"description":"a","time":"tomorrow"}"#, "no moment"),
            (r#"{"description":"a","cron":"every day"}"#, "cron"),
        ] {
            let error = check(wrong).unwrap_err();
            assert!(error.message().contains(why), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_webhook_is_waited_for_by_name_and_event() {
        let push: ScheduleTask = serde_json::from_str(r#"{"webhook":"github","event":"push"}"#).unwrap();
        assert!(push.waits_for("github", Some("push")));
        assert!(!push.waits_for("github", Some("ping")) && !push.waits_for("shop", Some("push")));
    }
}
