//! Running tools: once, within their time, and only what somebody allowed.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::{
    FutureExt,
    future::{Either, select, try_join_all},
};
use hostel::Result;
use hostel::protocol::chat::Chunk;
use serde_json::{Value, json};

use super::{Job, LOST};
use crate::{
    approval::{Approval, Ruling, digest},
    engine::{Engine, shorten::shorten},
    tool::{Bound, CallInfo, Does, Preview},
};

/// How many bytes of an output are kept for people.
const KEPT: usize = 4 * 1024 * 1024;
const UNCERTAIN: &str = "The server stopped while this was running, so it may or may not have happened. Find out before you \
    do it again.";
const ASKS: &str =
    "It was not run: meanwhile the rules have changed, and it needs somebody's yes. Call it again to ask for that.";

impl Engine {
    /// Runs them in their order; those that are repeatable and stand side by side run at once.
    pub(super) async fn carry_out(&self, jobs: Vec<Job>) -> Result<()> {
        let repeatable = |job: &Job| self.tool(&job.call.tool).is_some_and(|tool| tool.repeatable);
        for group in jobs.chunk_by(|one, two| repeatable(one) && repeatable(two)) {
            try_join_all(group.iter().map(|job| self.job(job))).await?;
        }
        Ok(())
    }

    async fn job(&self, job: &Job) -> Result<()> {
        let chunk = match self.outcome(job).await? {
            Ok(output) => Chunk::tool_output_available(&job.call.id, kept(output)),
            Err(why) => Chunk::tool_output_error(&job.call.id, &shorten(why, KEPT)),
        };
        self.turn.emit(vec![chunk])?;
        match &job.approval {
            Some(approval) => self.desk.settle(&approval.id),
            None => Ok(()),
        }
    }

    /// Runs the tool. What it does wrong is an answer for the model.
    async fn outcome(&self, job: &Job) -> Result<Result<Value, String>> {
        let call = &job.call;
        let Some(tool) = self.tool(&call.tool) else { return Ok(Err(self.no_such_tool(&call.tool))) };
        let Does::Run(run) = &tool.does else { return Ok(Err(LOST.to_owned())) };
        if let Some(why) = job.approval.as_ref().and_then(|approval| differs(approval, tool)) {
            return Ok(Err(why));
        }
        if let Err(error) = tool.check(&call.input) {
            return Ok(Err(error.message().to_owned()));
        }
        let again = self.has_begun(&call.id)?;
        // Calls before this one may have taken long: the rules are those of now.
        if !again && let Some(why) = self.forbidden(job, tool)? {
            return Ok(Err(why));
        }
        if again && !(tool.repeatable || tool.resumable) {
            return Ok(Err(UNCERTAIN.to_owned()));
        }
        let started = json!({"call": call.id, "tool": call.tool, "sha256": digest(&call.input)});
        self.turn.note("tool-started", started)?;
        self.turn.durable().await?;
        let previewed = job.approval.as_ref().and_then(|approval| approval.preview.clone());
        let info = self.info(&call.id, again, previewed);
        // Both what makes the future and the future may panic; neither is to take the conversation with it.
        let (run, input) = (run.clone(), call.input.clone());
        let work = AssertUnwindSafe(async move { run(info, input).await }).catch_unwind();
        let work = std::pin::pin!(work);
        Ok(match select(work, self.turn.sleep(tool.timeout)).await {
            Either::Left((Ok(Ok(output)), _)) => Ok(output),
            Either::Left((Ok(Err(error)), _)) => Err(failure(&error)),
            Either::Left((Err(_panic), _)) => Err("The tool crashed. That is a fault in the tool.".to_owned()),
            Either::Right(_) => Err(format!("The tool took longer than {:?} and was broken off.", tool.timeout)),
        })
    }

    /// Why a call may not run any more that once might.
    fn forbidden(&self, job: &Job, tool: &Bound) -> Result<Option<String>> {
        Ok(match self.desk.rule(self.turn.id(), tool, &job.call)? {
            Ruling::Refuse(why) => Some(why),
            Ruling::Ask if job.approval.is_none() => Some(ASKS.to_owned()),
            Ruling::Ask | Ruling::Run => None,
        })
    }

    fn has_begun(&self, call: &str) -> Result<bool> {
        Ok(self.turn.notes()?.iter().any(|(kind, note)| kind == "tool-started" && note["call"] == call))
    }

    pub(super) fn info(&self, call: &str, again: bool, previewed: Option<Preview>) -> CallInfo {
        let (turn, id) = (self.turn.clone(), call.to_owned());
        let progress =
            move |output| turn.emit(vec![Chunk::tool_output_available(&id, kept(output)).with("preliminary", true)]);
        CallInfo {
            turn: self.turn.id().to_owned(),
            call: call.to_owned(),
            again,
            previewed,
            progress: Arc::new(progress),
        }
    }

    fn no_such_tool(&self, name: &str) -> String {
        let there: Vec<&str> = self.ready.tools.iter().map(|tool| tool.spec.name.as_str()).collect();
        match there.is_empty() {
            true => format!("There is no tool {name:?}, and no other."),
            false => format!("There is no tool {name:?}. There are: {}.", there.join(", ")),
        }
    }
}

/// Why a yes does not hold for what would be run.
fn differs(approval: &Approval, tool: &Bound) -> Option<String> {
    if !approval.is_intact() {
        return Some("It was not run: its input is not the one that was asked about.".to_owned());
    }
    (approval.pin != tool.pin)
        .then(|| "It was not run: the tool has changed since somebody allowed it. Ask again.".to_owned())
}

pub(super) fn failure(error: &hostel::Error) -> String {
    match error.fix() {
        Some(fix) => format!("{} ({fix})", error.message()),
        None => error.message().to_owned(),
    }
}

/// An output that can be kept: what is far too long is cut.
fn kept(output: Value) -> Value {
    let text = match &output {
        Value::String(text) if text.len() > KEPT => text.clone(),
        Value::Object(_) | Value::Array(_) => {
            let text = output.to_string();
            if text.len() <= KEPT {
                return output;
            }
            text
        }
        _ => return output,
    };
    Value::String(shorten(text, KEPT))
}
