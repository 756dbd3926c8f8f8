//! `hostel schedules`: what an agent has on order, one run a line.

use std::process::ExitCode;

use hostel_server::offline::Offline;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::{SchedulesArgs, SchedulesCommand, ServerArgs};
use crate::door::Door;
use crate::output::{self, harmless, table};
use crate::past::When;
use crate::place::{Who, on_order, only_looks};

#[derive(Debug, Deserialize)]
struct Schedules {
    schedules: Vec<Schedule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Schedule {
    id: String,
    callback: String,
    payload: Value,
    #[serde(rename = "type")]
    kind: String,
    due: jiff::Timestamp,
    cron: Option<String>,
    time_zone: Option<String>,
    interval_seconds: Option<f64>,
    #[serde(default)]
    declared: bool,
    #[serde(default)]
    attempts: u32,
    #[serde(default)]
    running: bool,
    source: Option<String>,
}

pub(super) async fn run(args: &SchedulesArgs) -> anyhow::Result<ExitCode> {
    if args.command.is_some() {
        only_looks(&args.look.place)?;
    }
    match &args.command {
        Some(SchedulesCommand::Cancel { id, server }) => cancel(&args.agent, id, server).await?,
        None => list(args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(args: &SchedulesArgs) -> anyhow::Result<()> {
    let look = |dir: &Offline, who: &Who| dir.schedules(&who.class, &who.name);
    let (who, answer) = on_order(&args.agent, &args.look.place, "schedules", look).await?;
    if args.look.json {
        return Ok(output::line(&answer.to_string())?);
    }
    let Schedules { schedules } = serde_json::from_value(answer)?;
    if schedules.is_empty() {
        return Ok(output::note(&format!("Nothing waits for {who}."))?);
    }
    for line in lines(&schedules, &When::new(args.look.utc)) {
        output::line(&line)?;
    }
    Ok(())
}

async fn cancel(agent: &str, id: &str, server: &ServerArgs) -> anyhow::Result<()> {
    let who = Who::parse(agent, server)?;
    Door::to(agent, server)?.post(&who.door("schedules/cancel"), json!({"id": id})).await?;
    Ok(output::line(&format!("{id} is cancelled."))?)
}

fn lines(schedules: &[Schedule], when: &When) -> Vec<String> {
    let head = ["ID", "DUE", "TASK", "WHEN", "", "PAYLOAD"].map(str::to_owned).to_vec();
    let row = |schedule: &Schedule| {
        let cells = [
            schedule.id.clone(),
            when.show(schedule.due.as_millisecond()),
            schedule.callback.clone(),
            schedule.kind(),
            schedule.notes(),
            output_of(&schedule.payload),
        ];
        cells.iter().map(|cell| harmless(cell)).collect()
    };
    table(&std::iter::once(head).chain(schedules.iter().map(row)).collect::<Vec<_>>())
}

impl Schedule {
    fn kind(&self) -> String {
        match (&self.cron, &self.time_zone, self.interval_seconds) {
            (Some(cron), Some(zone), _) => format!("{cron} ({zone})"),
            (Some(cron), None, _) => cron.clone(),
            (None, _, Some(seconds)) => format!("every {seconds} s"),
            _ => self.kind.clone(),
        }
    }

    fn notes(&self) -> String {
        let failed = (self.attempts > 0).then(|| format!("failed {}×", self.attempts));
        let notes = [
            self.running.then(|| "running".to_owned()),
            failed,
            self.declared.then(|| "declared".to_owned()),
            self.source.clone(),
        ];
        notes.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// A payload in one line of bearable length.
pub(super) fn output_of(payload: &Value) -> String {
    const MOST: usize = 60;
    let text = payload.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_a_line_with_when_it_is_due_and_what_is_special_about_it() {
        let answer = json!({"schedules": [
            {"id": "a", "callback": "tidy", "payload": null, "type": "cron", "time": 0, "cron": "0 9 * * *", "timeZone": "Europe/Berlin",
             "due": "2026-11-22T08:00:00Z", "declared": true, "attempts": 0, "running": false},
            {"id": "b", "callback": "send", "payload": {"to": "x"}, "type": "queued", "createdAt": 0, "source": "webhook github",
             "due": "2026-11-22T08:00:00Z", "declared": false, "attempts": 2, "running": true},
        ]});
        let Schedules { schedules } = serde_json::from_value(answer).unwrap();
        let lines = lines(&schedules, &When::new(true));
        assert_eq!(
            lines[1],
            "a   2026-11-22T08:00:00Z  tidy  0 9 * * * (Europe/Berlin)  declared                            null"
        );
        assert!(
            lines[2].ends_with("  queued                     running, failed 2×, webhook github  {\"to\":\"x\"}"),
            "{lines:?}"
        );
    }

    #[test]
    fn a_long_payload_is_cut() {
        assert_eq!(output_of(&json!("é".repeat(100))).chars().count(), 61);
    }
}
