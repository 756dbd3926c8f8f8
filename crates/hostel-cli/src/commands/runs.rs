//! `hostel runs`: the durable runs of an agent, one a line, and what can be done with them.

use std::process::ExitCode;

use hostel_server::offline::Offline;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::{AnswerArgs, Place, RunsArgs, RunsCommand, ServerArgs, VerdictArgs, WhichRun};
use crate::door::{Door, encoded};
use crate::output::{self, harmless, table};
use crate::past::When;
use crate::place::{Who, on_order, only_looks};

#[derive(Debug, Deserialize)]
struct Page {
    runs: Vec<Run>,
    next: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    id: String,
    task: String,
    status: String,
    key: Option<String>,
    wakes_at: Option<jiff::Timestamp>,
    updated_at: jiff::Timestamp,
    code: Option<String>,
    error: Option<String>,
}

pub(super) async fn run(args: &RunsArgs) -> anyhow::Result<ExitCode> {
    let agent = args.agent.as_str();
    if !matches!(args.command, None | Some(RunsCommand::Show(_))) {
        only_looks(&args.look.place)?;
    }
    match &args.command {
        None => list(args).await,
        Some(RunsCommand::Show(which)) => {
            let place = Place { data: args.look.place.data.clone(), server: which.server.clone() };
            let look = |dir: &Offline, who: &Who| dir.run(&who.class, &who.name, &which.run);
            let (_, answer) = on_order(agent, &place, &path(&which.run, ""), look).await?;
            output::line(&serde_json::to_string_pretty(&answer)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(RunsCommand::Approve(answer)) => answered(agent, answer, true).await,
        Some(RunsCommand::Deny(answer)) => answered(agent, answer, false).await,
        Some(command) => {
            let (which, what, body) = told(command);
            let answer = tell(agent, which, what, body).await?;
            let status = answer["status"].as_str().unwrap_or("gone");
            output::line(&harmless(&format!("{} is {status}.", which.run)))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What a command says to the server.
fn told(command: &RunsCommand) -> (&WhichRun, &'static str, Value) {
    match command {
        RunsCommand::Cancel { which, reason } => (which, "cancel", json!({"reason": reason})),
        RunsCommand::Pause(which) => (which, "pause", json!({})),
        RunsCommand::Resume(which) => (which, "resume", json!({})),
        RunsCommand::Restart(which) => (which, "restart", json!({})),
        RunsCommand::Send { which, event, value } => (which, "send", json!({"event": event, "value": value})),
        RunsCommand::Resolve { which, verdict } => (which, "resolve", said(verdict)),
        RunsCommand::Delete(which) | RunsCommand::Show(which) => (which, "delete", json!({})),
        RunsCommand::Approve(answer) | RunsCommand::Deny(answer) => (&answer.which, "answer", json!({})),
    }
}

fn said(verdict: &VerdictArgs) -> Value {
    match (&verdict.done, &verdict.fail) {
        (Some(value), _) => json!({"verdict": "done", "value": value}),
        (_, Some(reason)) => json!({"verdict": "fail", "reason": reason}),
        _ => json!({"verdict": "again"}),
    }
}

fn path(run: &str, what: &str) -> String {
    format!("runs/{}{what}", encoded(run))
}

async fn tell(agent: &str, which: &WhichRun, what: &str, body: Value) -> anyhow::Result<Value> {
    let server: &ServerArgs = &which.server;
    let who = Who::parse(agent, server)?;
    Door::to(agent, server)?.post(&who.door(&path(&which.run, &format!("/{what}"))), body).await
}

/// The first answer counts; who comes later is told which that was, and ends with 1.
async fn answered(agent: &str, args: &AnswerArgs, approved: bool) -> anyhow::Result<ExitCode> {
    let AnswerArgs { which, request, by, reason } = args;
    let body = json!({"request": request, "approved": approved, "by": by, "reason": reason});
    let answer = tell(agent, which, "answer", body).await?;
    let counts = &answer["answer"];
    let word = if counts["approved"] == json!(true) { "approved" } else { "denied" };
    let by = counts["by"].as_str().map(|by| format!(" by {by}")).unwrap_or_default();
    if answer["accepted"] == json!(true) {
        output::line(&harmless(&format!("{request} is {word}{by}.")))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::note(&harmless(&format!("{request} was {word}{by} before; that stands.")))?;
    Ok(ExitCode::FAILURE)
}

async fn list(args: &RunsArgs) -> anyhow::Result<ExitCode> {
    let mut wanted = format!("runs?limit={}", args.limit);
    for (name, value) in [("status", &args.status), ("task", &args.task)] {
        wanted += &value.as_ref().map_or_else(String::new, |value| format!("&{name}={}", encoded(value)));
    }
    wanted += &args.before.map_or_else(String::new, |before| format!("&before={before}"));
    let query = json!({"limit": args.limit, "status": args.status, "task": args.task, "before": args.before});
    let look = |dir: &Offline, who: &Who| dir.runs(&who.class, &who.name, query);
    let (who, answer) = on_order(&args.agent, &args.look.place, &wanted, look).await?;
    if args.look.json {
        output::line(&answer.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let Page { runs, next } = serde_json::from_value(answer)?;
    for line in lines(&runs, &When::new(args.look.utc)) {
        output::line(&line)?;
    }
    match next {
        Some(next) => output::note(&format!("… older: --before {next}"))?,
        None if runs.is_empty() => output::note(&format!("{who} has no such runs."))?,
        None => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(runs: &[Run], when: &When) -> Vec<String> {
    if runs.is_empty() {
        return Vec::new();
    }
    let head = ["ID", "STATUS", "TASK", "CHANGED", "GOES ON", "KEY", "WHY"].map(str::to_owned).to_vec();
    let row = |run: &Run| {
        let why = [&run.code, &run.error].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(": ");
        let cells = [
            run.id.clone(),
            run.status.clone(),
            run.task.clone(),
            when.show(run.updated_at.as_millisecond()),
            run.wakes_at.map_or_else(String::new, |at| when.show(at.as_millisecond())),
            run.key.clone().unwrap_or_default(),
            why,
        ];
        cells.iter().map(|cell| harmless(cell)).collect()
    };
    table(&std::iter::once(head).chain(runs.iter().map(row)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_a_line_with_how_it_stands_and_why() {
        let page = json!({"runs": [{"id": "a", "number": 1, "task": "order", "args": [], "status": "uncertain", "attempts": 0,
            "createdAt": "2026-11-22T08:00:00Z", "updatedAt": "2026-11-22T08:00:00Z", "code": "step_uncertain",
            "error": "Nobody\u{1b} knows."}]});
        let Page { runs, .. } = serde_json::from_value(page).unwrap();
        let lines = lines(&runs, &When::new(true));
        assert!(lines[1].starts_with("a   uncertain  order  2026-11-22T08:00:00Z"), "{lines:?}");
        assert!(lines[1].ends_with("step_uncertain: Nobody\\u{1b} knows."), "{lines:?}");
    }
}
