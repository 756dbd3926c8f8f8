//! `hostel approvals`: the tools that wait for somebody's yes, and the answers to them.

use std::process::ExitCode;

use hostel_client::{Options, Target, http};
use serde_json::{Value, json};

use crate::cli::{ApprovalsArgs, ApprovalsCommand, WhichApproval};
use crate::door::encoded;
use crate::failure::Refused;
use crate::output::{self, harmless};

pub(super) async fn run(args: &ApprovalsArgs) -> anyhow::Result<ExitCode> {
    let agent = args.agent.as_str();
    match &args.command {
        None => list(args).await,
        Some(ApprovalsCommand::Approve(which)) => answer(agent, which, json!({"approve": true})).await,
        Some(ApprovalsCommand::Always(which)) => answer(agent, which, json!({"approve": true, "always": true})).await,
        Some(ApprovalsCommand::Deny(which)) => answer(agent, which, json!({"approve": false})).await,
    }
}

async fn list(args: &ApprovalsArgs) -> anyhow::Result<ExitCode> {
    let (target, options) = (args.server.target(&args.agent)?.below("approvals"), args.server.options());
    let answer = granted(&http::get(&target, &options).await?)?;
    if args.json {
        output::line(&answer.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let waiting = answer["approvals"].as_array().map(Vec::as_slice).unwrap_or_default();
    for approval in waiting {
        for line in lines(approval) {
            output::line(&harmless(&line))?;
        }
    }
    if waiting.is_empty() {
        output::note("Nothing waits for a yes.")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One approval: its id and tool, then what it would do, and the input whole, because that is what a yes is for.
fn lines(approval: &Value) -> Vec<String> {
    let text = |key: &str| approval[key].as_str().unwrap_or_default();
    let until = approval["expiresAt"].as_str().map(|until| format!(", until {until}")).unwrap_or_default();
    let by = approval["askedBy"].as_str().map(|by| format!(" for {by}")).unwrap_or_default();
    // One that works below the agent asks.
    let below = approval["agent"].as_str().map(|agent| format!(" by {agent}")).unwrap_or_default();
    let head = format!("{}  {}  asked {}{below}{by}{until}", text("id"), text("tool"), text("askedAt"));
    let mut lines = vec![head];
    lines.extend(shown(&approval["preview"]));
    lines.push(format!("    {}", approval["input"]));
    lines
}

/// What it would do, as far as the agent knows.
fn shown(preview: &Value) -> Vec<String> {
    let text = |key: &str| preview[key].as_str().unwrap_or_default();
    let mut lines: Vec<String> = text("command").lines().map(|line| format!("    $ {line}")).collect();
    lines.extend(text("text").lines().chain(text("diff").lines()).map(|line| format!("    {line}")));
    if let Some(always) = preview["always"].as_str() {
        lines.push(format!("    \"always\" would allow: {always}"));
    }
    if preview["eachTime"] == true {
        lines.push("    \"always\" would be forgotten: it is asked each time".to_owned());
    }
    lines
}

/// The first answer counts; who comes later is told which that was, and ends with 1.
async fn answer(agent: &str, which: &WhichApproval, mut body: Value) -> anyhow::Result<ExitCode> {
    let (target, options): (Target, Options) = (which.server.target(agent)?, which.server.options());
    if let Some(reason) = &which.reason {
        body["reason"] = reason.as_str().into();
    }
    let target = target.below(&format!("approvals/{}", encoded(&which.id)));
    let answer = granted(&http::post_json(&target, &body, &options).await?)?;
    let (line, accepted) = told(&answer);
    if accepted {
        output::line(&harmless(&line))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::note(&harmless(&line))?;
    Ok(ExitCode::FAILURE)
}

fn told(answer: &Value) -> (String, bool) {
    let approval = &answer["approval"];
    let text = |key: &str| approval[key].as_str().unwrap_or_default();
    let by = approval["answeredBy"].as_str().map(|by| format!(" by {by}")).unwrap_or_default();
    match answer["accepted"] == true {
        true => (format!("{} is {}.", text("tool"), text("state")), true),
        false => (format!("{} was {}{by} before; that stands.", text("tool"), text("state")), false),
    }
}

fn granted(answer: &http::Answer) -> anyhow::Result<Value> {
    if !(200..300).contains(&answer.status) {
        return Err(Refused::answer(answer).into());
    }
    let foreign = || Refused::plain("The server answers in a way that this version does not know.");
    Ok(answer.json().ok_or_else(foreign)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approval_shows_the_whole_input() {
        let approval = json!({"id": "a1", "tool": "refund", "input": {"order": 7, "note": "x".repeat(900)},
            "askedAt": "2026-11-22T08:00:00Z", "askedBy": "ann"});
        let lines = lines(&approval);
        assert_eq!(lines[0], "a1  refund  asked 2026-11-22T08:00:00Z for ann");
        let below =
            json!({"id": "a2", "tool": "pay", "askedAt": "2026-11-22T08:00:00Z", "agent": "coder/x/sub/coder/left"});
        assert_eq!(super::lines(&below)[0], "a2  pay  asked 2026-11-22T08:00:00Z by coder/x/sub/coder/left");
        assert!(lines[1].contains(&"x".repeat(900)), "{lines:?}");
    }

    #[test]
    fn what_a_call_would_do_stands_before_its_input() {
        let preview =
            json!({"command": "cargo test", "text": "In the sandbox.", "diff": "-a\n+b", "always": "cargo test"});
        let approval = json!({"id": "a1", "tool": "run_command", "input": {}, "askedAt": "now", "preview": preview});
        let expected = ["    $ cargo test", "    In the sandbox.", "    -a", "    +b"];
        assert_eq!(lines(&approval)[1..5], expected);
        assert_eq!(lines(&approval)[5..], ["    \"always\" would allow: cargo test", "    {}"]);
        let each_time = json!({"id": "a2", "tool": "x", "input": {}, "preview": {"eachTime": true}});
        assert_eq!(lines(&each_time)[1], "    \"always\" would be forgotten: it is asked each time");
    }

    #[test]
    fn who_comes_later_hears_who_was_first() {
        let approval = json!({"tool": "refund", "state": "denied", "answeredBy": "ann"});
        let (line, accepted) = told(&json!({"accepted": false, "approval": approval}));
        assert_eq!((line.as_str(), accepted), ("refund was denied by ann before; that stands.", false));
        assert!(told(&json!({"accepted": true, "approval": approval})).1);
    }
}
