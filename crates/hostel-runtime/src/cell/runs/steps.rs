//! Steps: looked up, begun and kept.

use hostel_core::{
    Error, Result, RunStatus, StepState,
    run::{Begin, Begun, Place, RunHost},
};
use hostel_protocol::refusal::Code;
use hostel_store::{AgentDb, RunRow, StepRow};

use super::{
    scope::{Scope, Stop},
    waits::is_alike,
};
use crate::storage;

impl Scope {
    pub(super) fn begin_step(&self, place: &Place, how: Begin) -> Result<Begun> {
        let kind = kind(how);
        self.with(|db, run| {
            let Some(row) = self.look_up(db, &run, place, kind)? else {
                if self.is_paused(&run) && how != Begin::Turn {
                    return Ok(Begun::Parked);
                }
                if how == Begin::Once {
                    self.put_step(db, place, kind, StepState::Begun, None)?;
                }
                return Ok(Begun::Go);
            };
            match StepState::read(&row.state) {
                Some(StepState::Done) => Ok(Begun::Done(row.value.unwrap_or_else(|| "null".to_owned()))),
                // Its code says by now that doing it again does no harm.
                _ if how != Begin::Once => Ok(Begun::Go),
                _ => {
                    self.stop(Stop::Uncertain(
                        place.clone(),
                        "it was under way when the run was broken off".to_owned(),
                    ));
                    Ok(Begun::Parked)
                }
            }
        })
    }

    pub(super) fn finish_step(&self, place: &Place, how: Begin, result: &str) -> Result<()> {
        self.cell.check_kept_size(&format!("The result of the step {:?}", place.name), result)?;
        self.with(|db, run| {
            self.check_going_on(&run)?;
            self.put_step(db, place, kind(how), StepState::Done, Some(result.to_owned()))?;
            self.track().note_advance();
            Ok(())
        })
    }

    /// What is kept of a step. One that is new must be allowed for.
    pub(super) fn look_up(&self, db: &mut AgentDb, run: &RunRow, place: &Place, kind: &str) -> Result<Option<StepRow>> {
        self.check_going_on(run)?;
        let found = db.step(&run.id, &place.lane, place.position).map_err(storage::error)?;
        match &found {
            Some(row) if row.name != place.name || !is_alike(&row.kind, kind) => {
                return Err(mismatch(row, place, kind));
            }
            Some(_) => {}
            None => self.check_count(db, run)?,
        }
        Ok(found)
    }

    fn check_going_on(&self, run: &RunRow) -> Result<()> {
        if !RunStatus::read(&run.status).is_none_or(RunStatus::is_over) {
            return Ok(());
        }
        self.stop(Stop::Over);
        Err(Error::coded(Code::RunCancelled, format!("The run {} was ended: {}.", run.id, run.status)))
    }

    fn check_count(&self, db: &AgentDb, run: &RunRow) -> Result<()> {
        let limit = self.cell.node.options.steps_per_run;
        if db.step_count(&run.id).map_err(storage::error)? < limit {
            return Ok(());
        }
        let message = format!("The run {} has {limit} steps, and may not have more.", run.id);
        Err(Error::coded(Code::TooManySteps, message)
            .with_fix("do more in one step, or have the run start another that goes on"))
    }

    pub(super) fn put_step(
        &self,
        db: &mut AgentDb,
        place: &Place,
        kind: &str,
        state: StepState,
        value: Option<String>,
    ) -> Result<()> {
        let value = value.map(|value| self.cell.without_secrets(value));
        db.put_step(&self.step_row(place, kind, state, value)).map_err(storage::error)
    }

    pub(super) fn step_row(&self, place: &Place, kind: &str, state: StepState, value: Option<String>) -> StepRow {
        let now = self.cell.node.clock.now().as_millisecond();
        StepRow {
            run: self.row.id.clone(),
            lane: place.lane.clone(),
            position: place.position,
            name: place.name.clone(),
            occurrence: place.occurrence,
            kind: kind.to_owned(),
            state: state.as_str().to_owned(),
            value,
            detail: None,
            until_ms: None,
            begun_ms: now,
            ended_ms: (state == StepState::Done).then_some(now),
        }
    }
}

fn kind(how: Begin) -> &'static str {
    if how == Begin::Turn { "turn" } else { "step" }
}

pub(super) fn mismatch(row: &StepRow, place: &Place, kind: &str) -> Error {
    let at = match place.lane.trim_end_matches('/') {
        "" => format!("step {}", place.position + 1),
        branch => format!("step {} of the branch {branch:?}", place.position + 1),
    };
    let message = format!(
        "As {at} the run has done the {} {:?}, and its code now comes to the {kind} {:?} there.",
        row.kind, row.name, place.name
    );
    Error::coded(Code::StepMismatch, message).with_fix(
        "put the code back as it was and resume the run, or restart the run; what depends on time, chance or the agent's \
         state belongs into a step",
    )
}
