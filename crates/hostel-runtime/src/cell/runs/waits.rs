//! Waits: for a moment, an event, an answer.

use hostel_core::{
    Result, StepState,
    run::{Place, RunHost, Wait, Waited},
};
use hostel_store::{AgentDb, RunRow, StepRow};
use jiff::Timestamp;

use super::{scope::Scope, steps::mismatch};
use crate::storage;

fn kind(wait: &Wait) -> &'static str {
    match wait {
        Wait::Until(_) => "pause",
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
            Wait::Until(until) => StepRow { until_ms: Some(until.as_millisecond()), ..row },
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
                    let state = if row.kind == "pause" { StepState::Done } else { StepState::Expired };
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

/// A wait that is over.
pub(super) fn ended(row: StepRow, state: StepState, value: Option<String>, now: i64) -> StepRow {
    StepRow { state: state.as_str().to_owned(), value, ended_ms: Some(now), ..row }
}
