//! What others do with a run: send, answer, resolve, end, put off, begin anew.

use hostel_core::{Answer, Answered, Error, Result, RunId, RunStatus, StepState, Verdict};
use hostel_protocol::refusal::Code;
use hostel_store::{AgentDb, RunRow, StepRow};

use super::{super::Cell, ended::End, existing, going_on, put, scope::Stop, show::one_step, status, waits::ended};
use crate::storage;

/// Events that wait for a run.
const MOST_EVENTS: u32 = 1_000;

impl Cell {
    pub(super) fn send_now(&self, id: &RunId, event: &str, value: &str) -> Result<()> {
        self.check_kept_size("The event", value)?;
        let value = &self.without_secrets(value.to_owned());
        let now = self.now_ms();
        self.with_db(|db| {
            let run = going_on(db, id.as_str())?;
            let waiting = db.steps_in(&run.id, StepState::Waiting.as_str()).map_err(storage::error)?;
            let wanted = |step: &&StepRow| step.kind == "event" && step.name == event && !is_late(step, now);
            match waiting.iter().find(wanted) {
                Some(step) => {
                    let step = ended(step.clone(), StepState::Done, Some(value.to_owned()), now);
                    db.put_step(&step).map_err(storage::error)?;
                    self.go_on(db, run)
                }
                None => keep_event(db, &run, event, value, now),
            }
        })
    }

    pub(super) fn answer_now(&self, id: &RunId, request: &str, answer: Answer) -> Result<Answered> {
        let now = self.now_ms();
        self.with_db(|db| {
            let run = existing(db, id.as_str())?;
            let steps = db.steps(&run.id).map_err(storage::error)?;
            let asked = || steps.iter().filter(|step| step.kind == "approval" && step.name == request);
            let open = asked().find(|step| step.state == StepState::Waiting.as_str() && !is_late(step, now));
            if let (Some(step), false) = (open, status(&run)?.is_over()) {
                let value = self.without_secrets(serde_json::to_string(&answer)?);
                db.put_step(&ended(step.clone(), StepState::Done, Some(value), now)).map_err(storage::error)?;
                self.go_on(db, run)?;
                return Ok(Answered { accepted: true, answer });
            }
            match asked().rev().find_map(|step| step.value.as_deref()) {
                Some(first) => Ok(Answered { accepted: false, answer: serde_json::from_str(first)? }),
                None => Err(not_asked(&run, request, asked().next().is_some())),
            }
        })
    }

    pub(super) fn resolve_now(&self, id: &RunId, verdict: Verdict) -> Result<()> {
        if let Verdict::Done(json) = &verdict {
            self.check_kept_size("The result", json)?;
            serde_json::from_str::<serde::de::IgnoredAny>(json)?;
        }
        self.with_db(|db| {
            let run = existing(db, id.as_str())?;
            if status(&run)? != RunStatus::Uncertain {
                let message = format!("The run {id} does not ask about a step; it is {}.", run.status);
                return Err(Error::coded(Code::NotAsked, message));
            }
            self.apply(db, run, verdict)
        })
    }

    /// Does what was said about the step that the run asks about.
    pub(super) fn apply(&self, db: &mut AgentDb, run: RunRow, verdict: Verdict) -> Result<()> {
        let now = self.now_ms();
        let step = one_step(db, &run.id, StepState::Uncertain)?;
        match (verdict, step) {
            (Verdict::Ask, _) => return Ok(()),
            (Verdict::Fail(reason), _) => {
                return self.end_run(db, run, End::failed(RunStatus::Failed, Code::StepUncertain.as_str(), reason));
            }
            (Verdict::Again, Some(step)) => {
                db.remove_step(&step.run, &step.lane, step.position).map_err(storage::error)?;
            }
            (Verdict::Done(value), Some(step)) => {
                let value = self.without_secrets(value);
                db.put_step(&ended(step, StepState::Done, Some(value), now)).map_err(storage::error)?;
            }
            (_, None) => {}
        }
        let mut run = RunRow { code: None, error: None, ..run };
        put(db, &mut run, RunStatus::Queued, Some(now), now)
    }

    pub(super) fn cancel_run_now(&self, id: &RunId, reason: Option<&str>) -> Result<()> {
        self.with_db(|db| {
            let run = going_on(db, id.as_str())?;
            let why = reason.unwrap_or("It was ended.");
            self.end_run(db, run, End::failed(RunStatus::Cancelled, Code::RunCancelled.as_str(), why))
        })?;
        self.stop_code(id, Stop::Over);
        Ok(())
    }

    pub(super) fn pause_now(&self, id: &RunId) -> Result<()> {
        let now = self.now_ms();
        self.with_db(|db| {
            let mut run = going_on(db, id.as_str())?;
            put(db, &mut run, RunStatus::Paused, None, now)
        })?;
        self.stop_code(id, Stop::Paused);
        Ok(())
    }

    pub(super) fn resume_now(&self, id: &RunId) -> Result<()> {
        let now = self.now_ms();
        self.with_db(|db| {
            let run = existing(db, id.as_str())?;
            match status(&run)? {
                RunStatus::Paused | RunStatus::Failed => {
                    let mut run = RunRow { ended_ms: None, attempts: 0, code: None, error: None, ..run };
                    put(db, &mut run, RunStatus::Queued, Some(now), now)
                }
                RunStatus::Completed | RunStatus::Cancelled => going_on(db, id.as_str()).map(drop),
                RunStatus::Uncertain => {
                    let message = format!("The run {id} asks whether a step was done.");
                    Err(Error::coded(Code::RunBusy, message).with_fix("say so: resolve it"))
                }
                RunStatus::Queued | RunStatus::Running | RunStatus::Waiting => Ok(()),
            }
        })
    }

    pub(super) fn restart_now(&self, id: &RunId) -> Result<()> {
        let now = self.now_ms();
        self.with_db(|db| {
            let run = existing(db, id.as_str())?;
            if self.running.has(&run.id) {
                let message = format!("The run {id} is running.");
                return Err(Error::coded(Code::RunBusy, message).with_fix("end or pause it first"));
            }
            db.remove_steps(&run.id).map_err(storage::error)?;
            db.remove_run_events(&run.id).map_err(storage::error)?;
            let mut run = RunRow {
                attempts: 0,
                ended_ms: None,
                result: None,
                code: None,
                error: None,
                stash: None,
                progress: None,
                ..run
            };
            put(db, &mut run, RunStatus::Queued, Some(now), now)
        })
    }

    pub(super) fn delete_now(&self, id: &RunId) -> Result<()> {
        self.with_db(|db| {
            let run = existing(db, id.as_str())?;
            if !status(&run)?.is_over() {
                let message = format!("The run {id} is not over; it is {}.", run.status);
                return Err(Error::coded(Code::RunBusy, message).with_fix("end it first"));
            }
            db.remove_task(&run.id).map_err(storage::error)?;
            db.remove_run(&run.id).map_err(storage::error)
        })
    }

    /// Something has come for a run: its code looks at it, in memory or when it is run again, which is now.
    fn go_on(&self, db: &mut AgentDb, mut run: RunRow) -> Result<()> {
        let now = self.now_ms();
        let id = RunId::new(&*run.id);
        if status(&run)? == RunStatus::Waiting {
            put(db, &mut run, RunStatus::Waiting, Some(now), now)?;
        }
        if let Some(scope) = self.running.scope(id.as_str()) {
            self.after_turn(async move { scope.nudge() });
        }
        Ok(())
    }

    fn stop_code(&self, id: &RunId, why: Stop) {
        if let Some(scope) = self.running.scope(id.as_str()) {
            self.after_turn(async move { scope.stop(why) });
        }
    }

    /// Done when the turn under way has committed, and not if it fails.
    fn after_turn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let work = self.spawned(Box::pin(work));
        self.scratch.lock().spawned.push(work);
    }

    fn now_ms(&self) -> i64 {
        self.node.clock.now().as_millisecond()
    }
}

fn is_late(step: &StepRow, now: i64) -> bool {
    step.until_ms.is_some_and(|until| until <= now)
}

fn keep_event(db: &mut AgentDb, run: &RunRow, event: &str, value: &str, now: i64) -> Result<()> {
    if db.run_event_count(&run.id).map_err(storage::error)? >= MOST_EVENTS {
        let message = format!("{MOST_EVENTS} events wait for the run {} already.", run.id);
        return Err(Error::coded(Code::TooManyEvents, message).with_fix("send no more before it has taken some"));
    }
    db.push_run_event(&run.id, event, value, now).map_err(storage::error)
}

fn not_asked(run: &RunRow, request: &str, was: bool) -> Error {
    let message = match was {
        true => format!("Nobody answered {request:?} in time, or the run {} is over: it is {}.", run.id, run.status),
        false => format!("The run {} does not ask for approval of {request:?}.", run.id),
    };
    Error::coded(Code::NotAsked, message).with_fix("the run lists what it asks for among its steps")
}
