//! Has the calls of a step answered: by the tools, by people who say no, or by a page, which has to be waited for.

mod ask;
mod work;

use hostel::Result;
use hostel::protocol::chat::{Chunk, UiMessage};
use serde_json::{Value, json};

use self::ask::{denial, question};
use super::{
    Engine,
    history::{is_tool, tool_name},
    place::Place,
    scribe::Call,
};
use crate::approval::{Approval, ApprovalState};

const LOST: &str = "It was broken off before it was run.";

/// Whether the model can go on.
pub(super) enum Settled {
    /// Every call has its answer.
    All,
    /// Somebody has to answer first.
    Waiting,
}

/// A call to be carried out.
struct Job {
    call: Call,
    approval: Option<Approval>,
}

impl Engine {
    /// Answers what can be answered; with the last answer the step is over.
    pub(super) async fn settle(&self, place: &mut Place) -> Result<Settled> {
        loop {
            let mut waiting = false;
            let mut jobs = self.approved(&mut waiting)?;
            self.called(place, &mut jobs, &mut waiting).await?;
            self.left_over(place, &mut waiting)?;
            let nothing_to_do = jobs.is_empty();
            self.carry_out(jobs).await?;
            if !waiting {
                break;
            }
            // Answers may have come while tools ran.
            if nothing_to_do && self.is_waiting()? {
                return Ok(Settled::Waiting);
            }
        }
        if place.step_open {
            self.turn.emit(vec![Chunk::finish_step()])?;
        }
        (place.step_open, place.calls) = (false, Vec::new());
        Ok(Settled::All)
    }

    /// What people have answered. Only what is kept with the question counts, not what a message says: clients write those.
    fn approved(&self, waiting: &mut bool) -> Result<Vec<Job>> {
        let message = self.turn.message()?;
        self.adopt(&message)?;
        let mut jobs = Vec::new();
        for approval in self.desk.open_in(&message.id)? {
            let call =
                Call { id: approval.tool_call_id.clone(), tool: approval.tool.clone(), input: approval.input.clone() };
            match approval.state {
                // A client may have taken the call out of the message: then there is nothing to answer.
                _ if is_answered(&message, &call.id) || part_of(&message, &call.id).is_none() => {
                    self.desk.settle(&approval.id)?;
                }
                ApprovalState::Waiting => *waiting = true,
                ApprovalState::Approved => jobs.push(Job { call, approval: Some(approval) }),
                ApprovalState::Denied | ApprovalState::Expired | ApprovalState::Withdrawn => {
                    self.turn.emit(vec![denial(&message, &approval)])?;
                    self.desk.settle(&approval.id)?;
                }
            }
        }
        Ok(jobs)
    }

    /// Pages of old answer within the messages they send. Whoever may send those may answer.
    fn adopt(&self, message: &UiMessage) -> Result<()> {
        for approval in self.desk.open_in(&message.id)?.iter().filter(|approval| approval.is_waiting()) {
            let Some(part) = part_of(message, &approval.tool_call_id) else { continue };
            match part["state"].as_str() {
                Some("approval-responded") => self.desk.adopt(&approval.id, part["approval"]["approved"] == true)?,
                Some("output-denied") => self.desk.adopt(&approval.id, false)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// What the model has just called.
    async fn called(&self, place: &Place, jobs: &mut Vec<Job>, waiting: &mut bool) -> Result<()> {
        let message = self.turn.message()?;
        let asked = self.desk.open_in(&message.id)?;
        for call in &place.calls {
            if is_answered(&message, &call.id) {
                continue;
            }
            if let Some(approval) = asked.iter().find(|approval| approval.tool_call_id == call.id) {
                // A crash may have come between keeping the question and showing it.
                if approval.is_waiting() && state_of(&message, &call.id) == Some("input-available") {
                    self.turn.emit(question(approval))?;
                }
                continue;
            }
            match self.tool(&call.tool) {
                Some(tool) if tool.is_client() => *waiting = true,
                Some(tool) if tool.check(&call.input).is_ok() => {
                    *waiting |= self.ruled(tool, call, &message, jobs).await?;
                }
                _ => jobs.push(Job { call: call.clone(), approval: None }),
            }
        }
        Ok(())
    }

    /// Calls that stand in the answer and that nothing is known of: a page's are waited for, ours are not run, because a
    /// client may have written them.
    fn left_over(&self, place: &Place, waiting: &mut bool) -> Result<()> {
        let message = self.turn.message()?;
        let asked = self.desk.open_in(&message.id)?;
        for part in &message.parts {
            let kind = part["type"].as_str().unwrap_or_default();
            let Some(id) = part["toolCallId"].as_str().filter(|_| is_tool(kind)) else { continue };
            let is_known = place.calls.iter().any(|call| call.id == id)
                || asked.iter().any(|approval| approval.tool_call_id == id);
            if is_known || is_answered(&message, id) {
                continue;
            }
            match self.tool(tool_name(part, kind)) {
                Some(tool) if tool.is_client() && part["state"] == "input-available" => *waiting = true,
                _ => self.turn.emit(vec![Chunk::tool_output_error(id, LOST)])?,
            }
        }
        Ok(())
    }

    /// Whether somebody still has to be waited for: the answer may have come while tools ran.
    fn is_waiting(&self) -> Result<bool> {
        let message = self.turn.message()?;
        let open = |part: &Value| {
            let kind = part["type"].as_str().unwrap_or_default();
            is_tool(kind) && part["toolCallId"].as_str().is_some_and(|id| !is_answered(&message, id))
        };
        Ok(message.parts.iter().any(open))
    }
}

fn part_of<'a>(message: &'a UiMessage, call: &str) -> Option<&'a Value> {
    message.parts.iter().rfind(|part| part["toolCallId"] == call)
}

fn state_of<'a>(message: &'a UiMessage, call: &str) -> Option<&'a str> {
    part_of(message, call)?["state"].as_str()
}

/// Whether a call has its answer.
fn is_answered(message: &UiMessage, call: &str) -> bool {
    match state_of(message, call) {
        Some("output-available") => part_of(message, call).is_some_and(|part| part["preliminary"] != json!(true)),
        state => matches!(state, Some("output-error" | "output-denied")),
    }
}
