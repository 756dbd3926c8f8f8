//! What comes of a run: its end, another attempt, or a question.

use std::sync::Arc;

use hostel_core::{
    Error, Result, RunStatus, StepState, UncertainStep, Verdict,
    event::{Event, Output},
    handler::Mode,
    run::{Place as At, RunHost},
};
use hostel_protocol::refusal::Code;
use hostel_store::{AgentDb, RunRow, StepRow, TaskRow};

use super::{
    super::{
        Cell,
        tasks::{Place, Spec},
        turn::{Awake, Turn},
    },
    put,
    scope::Scope,
    show, status,
};
use crate::{ids, storage};

/// How a run ends.
pub(super) struct End {
    pub(super) status: RunStatus,
    pub(super) result: Option<String>,
    pub(super) code: Option<String>,
    pub(super) error: Option<String>,
}

impl End {
    pub(super) fn failed(status: RunStatus, code: &str, error: impl Into<String>) -> Self {
        Self { status, result: None, code: Some(code.to_owned()), error: Some(error.into()) }
    }
}

impl Cell {
    pub(super) fn run_completed(&self, scope: &Scope, output: Output) {
        let result = match output {
            Output::Reply(reply) => reply.as_json().map(str::to_owned),
            _ => None,
        };
        if let Some(Err(error)) = result.as_ref().map(|json| self.check_kept_size("The result of the run", json)) {
            return self.run_failed(scope, error);
        }
        let end = End { status: RunStatus::Completed, result, code: None, error: None };
        self.own_turn(&scope.row, |_| self.with_db(|db| self.end_if_going_on(db, scope, end)));
    }

    fn end_if_going_on(&self, db: &mut AgentDb, scope: &Scope, end: End) -> Result<()> {
        match db.run(&scope.row.id).map_err(storage::error)? {
            Some(run) if status(&run)?.is_over() => Ok(()),
            Some(run) => self.end_run(db, run, end),
            // It was forgotten.
            None => db.remove_task(&scope.row.id).map(drop).map_err(storage::error),
        }
    }

    /// The run is over. If its class wants to hear of it, its task stays until it has.
    pub(super) fn end_run(&self, db: &mut AgentDb, run: RunRow, end: End) -> Result<()> {
        let now = self.node.clock.now().as_millisecond();
        let End { status, result, code, error } = end;
        let result = result.map(|result| self.without_secrets(result));
        let error = error.map(|error| self.without_secrets(error));
        let mut run = RunRow { ended_ms: Some(now), attempts: 0, result, code, error, ..run };
        put(db, &mut run, status, self.wants_to_hear().then_some(now), now)?;
        run.wake_ms = None;
        db.put_run(&run).map_err(storage::error)?;
        db.remove_run_events(&run.id).map_err(storage::error)?;
        self.forget_stale_runs(db, now)
    }

    fn wants_to_hear(&self) -> bool {
        self.class.info().hears_of_runs
    }

    /// Tries again later, or ends the run.
    pub(super) fn run_failed(&self, scope: &Scope, error: Error) {
        // An attempt that came further is not held against the run.
        let attempts = if scope.track().has_advanced() { 1 } else { scope.row.attempts + 1 };
        let wait = scope.spec.retry.retry().wait_after(attempts, ids::random()).filter(|_| !is_final(&error));
        let Some(wait) = wait else {
            let code = error.label().unwrap_or(Code::TaskFailed.as_str()).to_owned();
            let message = match error.fix() {
                Some(fix) => format!("{} ({fix})", error.message()),
                None => error.message().to_owned(),
            };
            tracing::error!(agent = %self.id, task = scope.row.task, run = scope.row.id, attempts, error = ?error, "a run has failed");
            let end = End::failed(RunStatus::Failed, &code, message);
            self.own_turn(&scope.row, |_| self.with_db(|db| self.end_if_going_on(db, scope, end)));
            return self.report("a run", error);
        };
        tracing::warn!(agent = %self.id, task = scope.row.task, run = scope.row.id, attempts, error = ?error, wait = ?wait, "a run failed and is tried again");
        let now = self.node.clock.now().as_millisecond();
        let due = now.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        self.own_turn(&scope.row, |_| {
            self.with_db(|db| {
                let Some(mut run) = db.run(&scope.row.id).map_err(storage::error)? else { return Ok(()) };
                if !matches!(status(&run)?, RunStatus::Queued | RunStatus::Waiting) {
                    return Ok(());
                }
                run.attempts = attempts;
                put(db, &mut run, RunStatus::Queued, Some(due), now)
            })
        });
    }

    /// Asks the class, and if it does not know, whoever comes.
    pub(super) fn ask_about(&self, scope: &Arc<Scope>, place: Place, at: &At, why: &str) {
        let found = self.look_into_db(|db| {
            let (run, step) = (db.run(&scope.row.id)?, db.step(&scope.row.id, &at.lane, at.position)?);
            Ok(run.zip(step).map(|(run, step)| (run, step, db.steps(&scope.row.id))))
        });
        let event = match found {
            Ok(Some((run, step, steps))) => steps.map_err(storage::error).and_then(|steps| {
                Ok(UncertainStep { run: self.run_with_steps(run, steps)?, step: show::step_info(step)? })
            }),
            _ => {
                drop(place);
                return self.park(scope, at, why, Verdict::Ask);
            }
        };
        let event = match event.map(Event::StepUncertain) {
            Ok(event) if self.class.mode(&event).is_some() => event,
            _ => {
                drop(place);
                return self.park(scope, at, why, Verdict::Ask);
            }
        };
        let (scope, at, why) = (Arc::clone(scope), at.clone(), why.to_owned());
        self.run_hook(event, None, move |cell, outcome| {
            drop(place);
            let verdict = match outcome {
                Ok(Output::Verdict(verdict)) => verdict,
                Ok(_) => Verdict::Ask,
                Err(error) => {
                    cell.report("on_step_uncertain", error);
                    Verdict::Ask
                }
            };
            cell.park(&scope, &at, &why, verdict);
        });
    }

    /// Holds the run, or does at once what `verdict` says.
    fn park(&self, scope: &Scope, at: &At, why: &str, verdict: Verdict) {
        self.own_turn(&scope.row, |_| {
            let now = self.node.clock.now().as_millisecond();
            self.with_db(|db| {
                let Some(mut run) = db.run(&scope.row.id).map_err(storage::error)? else { return Ok(()) };
                if !matches!(status(&run)?, RunStatus::Queued | RunStatus::Waiting) {
                    return Ok(());
                }
                if let Some(step) = db.step(&run.id, &at.lane, at.position).map_err(storage::error)? {
                    let step = StepRow { state: StepState::Uncertain.as_str().to_owned(), ..step };
                    db.put_step(&step).map_err(storage::error)?;
                }
                run.code = Some(Code::StepUncertain.as_str().to_owned());
                run.error = Some(format!("Nobody knows whether the step {:?} was done: {why}.", at.name));
                run.attempts = 0;
                put(db, &mut run, RunStatus::Uncertain, None, now)?;
                match verdict {
                    Verdict::Ask => {
                        tracing::warn!(agent = %self.id, run = run.id, step = at.name, why, "a run asks whether a step was done");
                        Ok(())
                    }
                    verdict => self.apply(db, run, verdict),
                }
            })
        });
    }

    /// The task of a run that is over is due: its class hears of it. `false` if the run is not over.
    pub(in super::super) fn tell_of_end(&self, row: &TaskRow, spec: &Spec) -> bool {
        let found = self.look_into_db(|db| match db.run(&row.id)? {
            None => Ok(None),
            Some(run) => Ok(Some((db.steps(&run.id)?, run))),
        });
        let run = match found {
            Ok(Some((_, run))) if !status(&run).is_ok_and(RunStatus::is_over) => return false,
            Ok(Some((steps, run))) => self.run_with_steps(run, steps),
            Ok(None) => Err(Error::msg("it was forgotten")),
            Err(error) => Err(error),
        };
        let Ok(run) = run else {
            self.strike_out(row);
            return true;
        };
        let event = Event::RunEnded(run);
        match self.class.mode(&event) {
            None => self.strike_out(row),
            Some(Mode::Task) => {
                let place = Place::take(self, &row.id, None);
                let (row, spec) = (row.clone(), spec.clone());
                self.run_hook(event, None, move |cell, outcome| {
                    drop(place);
                    match outcome {
                        Ok(_) => cell.strike_out(&row),
                        Err(error) => cell.task_failed(&row, &spec, error),
                    }
                });
            }
            Some(mode) => self.tell_in_turn(mode, event, row, spec),
        }
        true
    }

    /// The hook and the end of its task are one transaction.
    fn tell_in_turn(&self, mode: Mode, event: Event, row: &TaskRow, spec: &Spec) {
        let why = self.task_why(row);
        let origin = self.origin(None);
        let work = |awake: &mut Awake| {
            if self.look_into_db(|db| db.task(&row.id))?.is_none() {
                return Ok(());
            }
            awake.instance.run(&origin, event)?;
            self.with_db(|db| db.remove_task(&row.id).map(drop).map_err(storage::error))
        };
        let mut outcome = Ok(());
        self.turn(&Turn { cause: why.cause(), ..Turn::own(mode) }, work, |result, _| outcome = result);
        if let Err(error) = outcome {
            self.task_failed(row, spec, error);
        }
    }

    fn strike_out(&self, row: &TaskRow) {
        self.own_turn(row, |_| self.with_db(|db| db.remove_task(&row.id).map(drop).map_err(storage::error)));
    }
}

/// Whether trying again cannot help.
fn is_final(error: &Error) -> bool {
    use Code as C;
    matches!(
        error.code(),
        Some(
            C::StepMismatch
                | C::StepNested
                | C::StepTooLarge
                | C::TooManySteps
                | C::NotApproved
                | C::RunCancelled
                | C::NotARun
        )
    )
}
