//! Waits: for a moment, an event, an answer.

use hostel_core::{
    Result, RunStatus, StepState,
    run::{Place, RunHost, Wait, Waited},
};
use hostel_store::{AgentDb, RunRow, StepRow, TaskRow};
use jiff::Timestamp;

use super::{
    super::{
        Cell,
        tasks::{Spec, after},
    },
    put,
    scope::Scope,
    status,
    steps::mismatch,
};
use crate::storage;

/// What a wait for a moment on the calendar is called. Nothing moves it.
const MOMENT: &str = "moment";
const PAUSE: &str = "pause";

fn kind(wait: &Wait) -> &'static str {
    match wait {
        Wait::While(_) => PAUSE,
        Wait::Until(_) => MOMENT,
        Wait::Event(..) => "event",
        Wait::Approval(..) => "approval",
    }
}

impl Scope {
    pub(super) fn wait_now(&self, place: &Place, wait: &Wait) -> Result<Waited> {
        if let Wait::Approval(payload, _) = wait {
            self.cell.check_kept_size("What approval is asked for", payload)?;
        }
        let waited = self.with(|db, run| {
            let row = match self.look_up(db, &run, place, kind(wait))? {
                Some(row) => row,
                None => self.begin_wait(db, &run, place, wait)?,
            };
            if let Wait::Approval(payload, _) = wait
                && row.detail != Some(self.cell.without_secrets(payload.clone()))
            {
                return Err(mismatch(&row, place, "approval of something else"));
            }
            let waited = self.stands(db, row)?;
            // One that is paused is not looked at before it is resumed.
            Ok(if self.is_paused(&run) { Waited::Still(None) } else { waited })
        })?;
        let at = (place.lane.clone(), place.position);
        match waited {
            Waited::Still(_) => self.waits.lock().insert(at),
            Waited::Over(_) => self.waits.lock().remove(&at),
        };
        Ok(waited)
    }

    fn begin_wait(&self, db: &mut AgentDb, run: &RunRow, place: &Place, wait: &Wait) -> Result<StepRow> {
        let row = self.step_row(place, kind(wait), StepState::Waiting, None);
        let row = match wait {
            Wait::While(until) | Wait::Until(until) => StepRow { until_ms: Some(until.as_millisecond()), ..row },
            Wait::Approval(payload, until) => {
                let until_ms = until.map(Timestamp::as_millisecond);
                StepRow { detail: Some(self.cell.without_secrets(payload.clone())), until_ms, ..row }
            }
            Wait::Event(name, until) => {
                let row = StepRow { until_ms: until.map(Timestamp::as_millisecond), ..row };
                match db.take_run_event(&run.id, name).map_err(storage::error)? {
                    Some(value) => ended(row, StepState::Done, Some(value), self.now()),
                    None => row,
                }
            }
        };
        db.put_step(&row).map_err(storage::error)?;
        Ok(row)
    }

    /// How a wait stands by now.
    fn stands(&self, db: &mut AgentDb, row: StepRow) -> Result<Waited> {
        let now = self.now();
        match StepState::read(&row.state) {
            Some(StepState::Done) => Ok(Waited::Over(row.value)),
            Some(StepState::Waiting) => match row.until_ms {
                Some(until) if until <= now => {
                    let state = if is_rest(&row.kind) { StepState::Done } else { StepState::Expired };
                    db.put_step(&ended(row, state, None, now)).map_err(storage::error)?;
                    self.track().note_advance();
                    Ok(Waited::Over(None))
                }
                until => Ok(Waited::Still(until.map(Timestamp::from_millisecond).transpose()?)),
            },
            _ => Ok(Waited::Over(None)),
        }
    }

    fn now(&self) -> i64 {
        self.cell.node.clock.now().as_millisecond()
    }
}

fn is_rest(kind: &str) -> bool {
    matches!(kind, PAUSE | MOMENT)
}

/// Whether a step that was kept as the one may go on as the other: both are waits for nothing but time.
pub(super) fn is_alike(kept: &str, now: &str) -> bool {
    kept == now || (is_rest(kept) && is_rest(now))
}

impl Cell {
    /// The time of day went back: waits that are as long as they are end after that long from now at the latest.
    pub(in super::super) fn shorten_waits(&self, db: &mut AgentDb, now: i64) -> Result<()> {
        let waiting = db.steps_begun_after(now, StepState::Waiting.as_str()).map_err(storage::error)?;
        for step in waiting.into_iter().filter(|step| step.kind != MOMENT) {
            let until = step.until_ms.map(|until| until.saturating_sub(step.begun_ms).saturating_add(now));
            let step = StepRow { until_ms: until, begun_ms: now, ..step };
            db.put_step(&step).map_err(storage::error)?;
            self.wake_no_later(db, &step, now)?;
        }
        Ok(())
    }

    /// The same for a run that waits for none of these, but to be run at all, again, or because something has come for it.
    pub(in super::super) fn hurry_run(&self, db: &mut AgentDb, row: &TaskRow, now: i64) -> Result<()> {
        let Some(spec) = Spec::read(&row.spec).filter(|spec| spec.run && row.due_ms > now) else { return Ok(()) };
        let Some(mut run) = db.run(&row.id).map_err(storage::error)? else { return Ok(()) };
        let status = status(&run)?;
        let latest = match status {
            RunStatus::Queued if row.attempts > 0 => after(now, spec.retry.longest_ms()),
            RunStatus::Queued => now,
            RunStatus::Waiting => {
                let waiting = db.steps_in(&run.id, StepState::Waiting.as_str()).map_err(storage::error)?;
                let is_its = waiting.iter().any(|step| step.until_ms == Some(row.due_ms));
                if is_its { row.due_ms } else { now }
            }
            _ => return Ok(()),
        };
        if row.due_ms > latest {
            put(db, &mut run, status, Some(latest), now)?;
        }
        Ok(())
    }

    /// Has a run that waits go on when this wait of it ends. Looking too early does no harm.
    fn wake_no_later(&self, db: &mut AgentDb, step: &StepRow, now: i64) -> Result<()> {
        let run = db.run(&step.run).map_err(storage::error)?.filter(|run| !self.running.has(&run.id));
        let Some(mut run) = run else { return Ok(()) };
        let is_later = run.wake_ms.zip(step.until_ms).is_some_and(|(wake, until)| wake > until);
        if status(&run)? == RunStatus::Waiting && is_later {
            put(db, &mut run, RunStatus::Waiting, step.until_ms, now)?;
        }
        Ok(())
    }
}

/// A wait that is over.
pub(super) fn ended(row: StepRow, state: StepState, value: Option<String>, now: i64) -> StepRow {
    StepRow { state: state.as_str().to_owned(), value, ended_ms: Some(now), ..row }
}
