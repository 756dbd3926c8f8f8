//! `hostel dead-letters`: the runs of an agent that were given up, with their reasons.

use std::process::ExitCode;

use hostel_server::offline::Offline;
use serde::Deserialize;
use serde_json::{Value, json};

use super::schedules::output_of;
use crate::cli::{LettersArgs, LettersCommand, ServerArgs};
use crate::door::Door;
use crate::output::{self, harmless};
use crate::past::When;
use crate::place::{Who, on_order, only_looks};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Letters {
    dead_letters: Vec<Letter>,
}

#[derive(Debug, Deserialize)]
struct Letter {
    id: String,
    callback: String,
    payload: Value,
    source: Option<String>,
    attempts: u32,
    code: String,
    reason: String,
    at: jiff::Timestamp,
}

pub(super) async fn run(args: &LettersArgs) -> anyhow::Result<ExitCode> {
    if args.command.is_some() {
        only_looks(&args.look.place)?;
    }
    match &args.command {
        None => list(args).await?,
        Some(LettersCommand::Retry { id, args: changed, server }) => {
            let mut body = json!({"id": id});
            if let Some(changed) = changed {
                body["args"] = changed.clone();
            }
            tell(&args.agent, "retry", body, server).await?;
            output::line(&format!("{id} is run again."))?;
        }
        Some(LettersCommand::Discard { id, server }) => {
            tell(&args.agent, "discard", json!({"id": id}), server).await?;
            output::line(&format!("{id} is forgotten."))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn tell(agent: &str, what: &str, body: Value, server: &ServerArgs) -> anyhow::Result<Value> {
    let who = Who::parse(agent, server)?;
    Door::to(agent, server)?.post(&who.door(&format!("dead-letters/{what}")), body).await
}

async fn list(args: &LettersArgs) -> anyhow::Result<()> {
    let look = |dir: &Offline, who: &Who| dir.dead_letters(&who.class, &who.name);
    let (who, answer) = on_order(&args.agent, &args.look.place, "dead-letters", look).await?;
    if args.look.json {
        return Ok(output::line(&answer.to_string())?);
    }
    let Letters { dead_letters } = serde_json::from_value(answer)?;
    if dead_letters.is_empty() {
        return Ok(output::note(&format!("No run of {who} was given up."))?);
    }
    let when = When::new(args.look.utc);
    for letter in &dead_letters {
        for line in letter.lines(&when) {
            output::line(&line)?;
        }
    }
    Ok(())
}

impl Letter {
    fn lines(&self, when: &When) -> [String; 2] {
        let source = self.source.as_ref().map_or_else(String::new, |source| format!(" ({source})"));
        let tried = if self.attempts == 1 { "once".to_owned() } else { format!("{} times", self.attempts) };
        let at = when.show(self.at.as_millisecond());
        let first = format!("{}  {at}  {} {}{source}, tried {tried}", self.id, self.callback, output_of(&self.payload));
        [harmless(&first), harmless(&format!("    {}: {}", self.code, self.reason))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_was_given_up_is_shown_with_its_reason_below() {
        let letter = json!({"id": "a@1", "callback": "send", "payload": "x", "args": ["x"], "type": "queued", "time": 0,
            "source": "webhook github", "attempts": 3, "code": "task_failed", "reason": "no\u{1b} answer", "at": "2026-11-22T08:00:00Z"});
        let letter: Letter = serde_json::from_value(letter).unwrap();
        assert_eq!(
            letter.lines(&When::new(true)),
            [
                "a@1  2026-11-22T08:00:00Z  send \"x\" (webhook github), tried 3 times",
                "    task_failed: no\\u{1b} answer"
            ]
        );
    }
}
