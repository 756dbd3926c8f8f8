//! Runs as agents and operators see them.

use std::borrow::Cow;

use hostel_core::{
    Error, Result, RunId, RunInfo, RunPage, RunQuery, RunStatus, StepInfo, StepState,
    run::{RunAnswer, RunAsk},
};
use hostel_protocol::refusal::Code;
use hostel_store::{AgentDb, RunFilter, RunRow, StepRow};
use jiff::Timestamp;
use serde_json::value::RawValue;

use super::{super::Cell, status};
use crate::storage;

/// Runs on a page, if nobody says how many.
const PAGE: usize = 50;
/// And at most.
const LARGEST_PAGE: usize = 1_000;

impl Cell {
    /// What is asked by those who only look.
    pub(in super::super) fn look_at_runs(&self, db: &AgentDb, ask: &RunAsk) -> Result<RunAnswer> {
        Shown(&|id| self.running.has(id)).look(db, ask)
    }

    pub(super) fn run_with_steps(&self, row: RunRow, steps: Vec<StepRow>) -> Result<RunInfo> {
        Shown(&|id| self.running.has(id)).with_steps(row, steps)
    }
}

/// What only looks at runs, in a database that nobody works on.
pub(in super::super) fn stored(db: &AgentDb, ask: &RunAsk) -> Result<RunAnswer> {
    Shown(&|_| false).look(db, ask)
}

/// Shows runs. Those that are being run are marked in memory alone: whoever has that says which.
struct Shown<'a>(&'a dyn Fn(&str) -> bool);

impl Shown<'_> {
    fn look(&self, db: &AgentDb, ask: &RunAsk) -> Result<RunAnswer> {
        match ask {
            RunAsk::List(query) => self.list(db, query.clone()).map(RunAnswer::Page),
            RunAsk::ByKey(key) => self.one(db, db.run_by_key(key)),
            RunAsk::Get(id) => self.one(db, db.run(id.as_str())),
            _ => Err(Error::coded(Code::Internal, "this changes something")),
        }
    }

    fn list(&self, db: &AgentDb, query: RunQuery) -> Result<RunPage> {
        let limit = query.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
        let stored = query.status.filter(|status| *status != RunStatus::Running);
        let filter = RunFilter {
            status: stored.map(|status| status.as_str().to_owned()),
            task: query.task,
            before: query.before,
            limit: if query.status == Some(RunStatus::Running) { LARGEST_PAGE } else { limit },
        };
        let rows = db.runs(&filter).map_err(storage::error)?;
        let next = (rows.len() == filter.limit).then(|| rows.last().map(|row| row.seq)).flatten();
        let mut runs = rows.into_iter().map(|row| self.info(row)).collect::<Result<Vec<_>>>()?;
        runs.retain(|run| query.status.is_none_or(|status| run.status == status));
        runs.truncate(limit);
        Ok(RunPage { runs, next })
    }

    fn one(&self, db: &AgentDb, found: std::result::Result<Option<RunRow>, hostel_store::Error>) -> Result<RunAnswer> {
        let Some(row) = found.map_err(storage::error)? else { return Ok(RunAnswer::Run(None)) };
        let steps = db.steps(&row.id).map_err(storage::error)?;
        Ok(RunAnswer::Run(Some(Box::new(self.with_steps(row, steps)?))))
    }

    fn with_steps(&self, row: RunRow, steps: Vec<StepRow>) -> Result<RunInfo> {
        let steps = steps.into_iter().map(step_info).collect::<Result<_>>()?;
        Ok(RunInfo { steps, ..self.info(row)? })
    }

    fn info(&self, row: RunRow) -> Result<RunInfo> {
        let mut now = status(&row)?;
        if matches!(now, RunStatus::Queued | RunStatus::Waiting) && (self.0)(&row.id) {
            now = RunStatus::Running;
        }
        Ok(RunInfo {
            id: RunId::new(row.id),
            number: row.seq,
            task: Cow::Owned(row.task),
            args: RawValue::from_string(row.args)?,
            key: row.key,
            status: now,
            attempts: row.attempts,
            wakes_at: row.wake_ms.map(Timestamp::from_millisecond).transpose()?,
            created_at: Timestamp::from_millisecond(row.created_ms)?,
            updated_at: Timestamp::from_millisecond(row.updated_ms)?,
            ended_at: row.ended_ms.map(Timestamp::from_millisecond).transpose()?,
            result: row.result.map(RawValue::from_string).transpose()?,
            code: row.code,
            error: row.error,
            stash: row.stash.map(RawValue::from_string).transpose()?,
            progress: row.progress.map(RawValue::from_string).transpose()?,
            steps: Vec::new(),
        })
    }
}

pub(super) fn step_info(row: StepRow) -> Result<StepInfo> {
    let state = StepState::read(&row.state)
        .ok_or_else(|| Error::msg(format!("the step {} of the run {} cannot be read", row.name, row.run)))?;
    Ok(StepInfo {
        name: row.name,
        occurrence: row.occurrence,
        branch: row.lane.trim_end_matches('/').to_owned(),
        kind: row.kind,
        state,
        value: row.value.map(RawValue::from_string).transpose()?,
        payload: row.detail.map(RawValue::from_string).transpose()?,
        until: row.until_ms.map(Timestamp::from_millisecond).transpose()?,
        begun_at: Timestamp::from_millisecond(row.begun_ms)?,
        ended_at: row.ended_ms.map(Timestamp::from_millisecond).transpose()?,
    })
}

pub(super) fn one_step(db: &AgentDb, run: &str, state: StepState) -> Result<Option<StepRow>> {
    Ok(db.steps_in(run, state.as_str()).map_err(storage::error)?.into_iter().next())
}
