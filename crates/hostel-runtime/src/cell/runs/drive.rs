//! The code of a run in memory: polled until it ends, or until it need not be in memory.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hostel_core::{BoxFuture, Error, Result, RunStatus, event::Event, event::Output};
use hostel_protocol::refusal::Code;

use super::{
    super::{Cell, cause::Why, tasks::Place},
    put,
    scope::{Scope, Stop},
    status,
};
use crate::storage;

impl Cell {
    /// Runs the code of an async task; what comes of it is written down when `place` is free again.
    pub(in super::super) fn begin_attempt(
        &self,
        why: Why,
        event: Event,
        scope: Arc<Scope>,
        place: Place,
        timeout: Duration,
    ) {
        let work = self.begin_work(why).in_run(Arc::clone(&scope));
        let origin = self.origin(None);
        let make = {
            let scope = Arc::clone(&scope);
            move || driven(self.class.task(origin, event), scope, self.node.clock.sleep(timeout))
        };
        self.start_work(std::future::pending(), work, make, move |cell, outcome| {
            cell.attempt_ended(&scope, place, outcome, timeout)
        });
    }

    fn attempt_ended(&self, scope: &Arc<Scope>, place: Place, outcome: Result<Output>, timeout: Duration) {
        let stopped = scope.stopped().filter(|_| matches!(&outcome, Err(error) if is_mark(error)));
        if let Some(Stop::Uncertain(step, why)) = &stopped {
            return self.ask_about(scope, place, step, why);
        }
        drop(place);
        let now = self.node.clock.now().as_millisecond();
        let (row, spec) = (&scope.row, &scope.spec);
        match stopped {
            Some(Stop::TimedOut) => self.attempt_failed(scope, super::super::tasks::timed_out(row, timeout)),
            Some(_) => self.settle(scope),
            None => match outcome {
                Ok(output) if scope.is_touched() => self.run_completed(scope, output),
                Ok(_) => self.cross_off(row, spec, now),
                Err(error) => self.attempt_failed(scope, error),
            },
        }
    }

    fn attempt_failed(&self, scope: &Scope, error: Error) {
        match scope.is_touched() {
            true => self.run_failed(scope, error),
            false => self.task_failed(&scope.row, &scope.spec, error),
        }
    }

    /// The code of a run is out of memory, and nothing is wrong: says when it goes on.
    fn settle(&self, scope: &Scope) {
        self.own_turn(&scope.row, |_| {
            let now = self.node.clock.now().as_millisecond();
            self.with_db(|db| {
                let Some(mut run) = db.run(&scope.row.id).map_err(storage::error)? else { return Ok(()) };
                if !matches!(status(&run)?, RunStatus::Queued | RunStatus::Waiting) {
                    return Ok(());
                }
                let seen = std::mem::take(&mut *scope.waits.lock());
                let waiting = db.steps_in(&run.id, hostel_core::StepState::Waiting.as_str()).map_err(storage::error)?;
                let still: Vec<_> =
                    waiting.iter().filter(|step| seen.contains(&(step.lane.clone(), step.position))).collect();
                // Something may have come since it was looked at.
                let wake = if still.len() < seen.len() {
                    Some(now)
                } else {
                    still.iter().filter_map(|step| step.until_ms).min()
                };
                run.attempts = 0;
                put(db, &mut run, RunStatus::Waiting, wake, now)
            })
        });
    }
}

/// Polls `work` until it ends, or has to go. It is gone, destructors and all, when this ends.
fn driven(
    work: BoxFuture<Result<Output>>,
    scope: Arc<Scope>,
    mut deadline: BoxFuture<()>,
) -> BoxFuture<Result<Output>> {
    let mut work = Some(work);
    Box::pin(poll_fn(move |cx: &mut Context<'_>| {
        scope.listen(cx.waker());
        if let Some(running) = work.as_mut().filter(|_| !scope.is_to_stop()) {
            if let Poll::Ready(outcome) = running.as_mut().poll(cx) {
                work = None;
                return Poll::Ready(outcome);
            }
            if deadline.as_mut().poll(cx).is_ready() {
                scope.stop(Stop::TimedOut);
            }
            if !scope.is_to_stop() {
                return Poll::Pending;
            }
        }
        work = None;
        Poll::Ready(Err(mark()))
    }))
}

/// What stands for the outcome of code that was taken out of memory.
fn mark() -> Error {
    Error::coded(Code::RunBusy, MARK)
}

const MARK: &str = "the run is out of memory";

fn is_mark(error: &Error) -> bool {
    error.code() == Some(Code::RunBusy) && error.message() == MARK
}
