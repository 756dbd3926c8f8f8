//! Durable runs: async tasks whose steps are kept, so that they go on where they were.
//!
//! A run is a row of its own beside the row of its task: the task's row says when its code is to be run next, and is gone while
//! only an answer can have it go on. [`scope`] is what the code sees of its run, [`drive`] runs it and puts it out of memory,
//! [`operate`] is what others do with it.

mod drive;
mod ended;
mod operate;
mod scope;
mod show;
mod start;
mod steps;
mod waits;

use hostel_core::{
    Error, Result, RunStatus,
    run::{RunAnswer, RunAsk},
};
use hostel_protocol::refusal::Code;
use hostel_store::{AgentDb, Queued, RunRow, TaskRow};

use super::Cell;
use crate::storage;

pub(super) use scope::Scope;
pub(super) use show::stored;

/// Ended runs that are kept of one agent, however young.
const KEPT_RUNS: usize = 1_000;
/// Runs forgotten in one go.
const FORGOTTEN_AT_ONCE: usize = 50;

impl Cell {
    /// What is asked about runs, within a turn.
    pub(super) fn runs_now(&self, ask: RunAsk) -> Result<RunAnswer> {
        let id = match ask {
            RunAsk::Start(order) => return self.start_now(order).map(RunAnswer::Started),
            RunAsk::Answer(id, request, answer) => {
                return self.answer_now(&id, &request, answer).map(RunAnswer::Answered);
            }
            RunAsk::Send(id, event, value) => self.send_now(&id, &event, &value).map(|()| id)?,
            RunAsk::Resolve(id, verdict) => self.resolve_now(&id, verdict).map(|()| id)?,
            RunAsk::Cancel(id, reason) => self.cancel_run_now(&id, reason.as_deref()).map(|()| id)?,
            RunAsk::Pause(id) => self.pause_now(&id).map(|()| id)?,
            RunAsk::Resume(id) => self.resume_now(&id).map(|()| id)?,
            RunAsk::Restart(id) => self.restart_now(&id).map(|()| id)?,
            RunAsk::Delete(id) => return self.delete_now(&id).map(|()| RunAnswer::Run(None)),
            looks => return self.in_db(|db| self.look_at_runs(db, &looks)),
        };
        self.in_db(|db| self.look_at_runs(db, &RunAsk::Get(id)))
    }

    /// Forgets what ended long ago.
    fn forget_stale_runs(&self, db: &mut AgentDb, now: i64) -> Result<()> {
        let keep = i64::try_from(self.node.options.run_retention.as_millis()).unwrap_or(i64::MAX);
        let stale = db.stale_runs(now.saturating_sub(keep), KEPT_RUNS, FORGOTTEN_AT_ONCE).map_err(storage::error)?;
        stale.iter().try_for_each(|id| db.remove_run(id).map_err(storage::error))
    }

    /// Refuses JSON that is larger than a run may keep.
    fn check_kept_size(&self, what: &str, json: &str) -> Result<()> {
        let limit = self.node.options.step_bytes;
        if json.len() <= limit {
            return Ok(());
        }
        let message = format!("{what} has {} bytes; a run keeps at most {limit} in one piece.", json.len());
        Err(Error::coded(Code::StepTooLarge, message).with_fix("keep it elsewhere, and a name for it here"))
    }
}

/// The run, which must be there.
fn existing(db: &AgentDb, id: &str) -> Result<RunRow> {
    let found = db.run(id).map_err(storage::error)?;
    found.ok_or_else(|| {
        Error::coded(Code::RunUnknown, format!("There is no run {id:?}.")).with_fix(
            "`cx.runs().list(..)` and `hostel runs` show those there are; one that has ended is kept for a while",
        )
    })
}

fn status(row: &RunRow) -> Result<RunStatus> {
    RunStatus::read(&row.status).ok_or_else(|| Error::msg(format!("the run {} cannot be read", row.id)))
}

/// The run, which must not be over.
fn going_on(db: &AgentDb, id: &str) -> Result<RunRow> {
    let row = existing(db, id)?;
    if status(&row)?.is_over() {
        let message = format!("The run {id:?} is over: {}.", row.status);
        return Err(Error::coded(Code::RunOver, message).with_fix("start another one, or restart it"));
    }
    Ok(row)
}

/// Writes a run, and when its code is to be run next; `None`: not before somebody says so.
fn put(db: &mut AgentDb, row: &mut RunRow, to: RunStatus, wake_ms: Option<i64>, now: i64) -> Result<()> {
    row.status = to.as_str().to_owned();
    row.wake_ms = wake_ms;
    row.updated_ms = now;
    db.put_run(row).map_err(storage::error)?;
    schedule(db, row, wake_ms)
}

/// Has the task of a run run then.
fn schedule(db: &mut AgentDb, row: &RunRow, at: Option<i64>) -> Result<()> {
    db.remove_task(&row.id).map_err(storage::error)?;
    let Some(due_ms) = at else { return Ok(()) };
    let task = TaskRow {
        id: row.id.clone(),
        task: row.task.clone(),
        args: row.args.clone(),
        due_ms,
        queued: Queued::AnyOrder,
        spec: row.spec.clone(),
        key: None,
        declared: false,
        attempts: row.attempts,
    };
    db.put_task(&task).map_err(storage::error)
}
