//! Async work of an agent: polled at once, in order, then beside the turns.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Waker},
};

use futures_util::FutureExt;
use hostel_core::{BoxFuture, Result, erased::Origin, event::Event, event::Output, handler::Mode};
use tokio::{task::AbortHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    By, Cell, Deeper, Job,
    cause::{Why, Work},
    group,
    turn::Turn,
};
use crate::peer::Peer;

/// Keeps the agent awake while it lives.
pub(super) struct Busy(Arc<Cell>);

impl Busy {
    pub(super) fn new(cell: Arc<Cell>) -> Self {
        cell.busy.fetch_add(1, Ordering::AcqRel);
        Self(cell)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.touch(Instant::now());
        let was_last = self.0.busy.fetch_sub(1, Ordering::AcqRel) == 1;
        if was_last && !self.0.is_awake() {
            // It outlived the agent, and the cell may have waited for it.
            self.0.tidy_up();
        }
    }
}

/// Work that nobody waits for, before it begins.
pub(super) struct Spawned {
    work: Work,
    broken_off: CancellationToken,
    future: BoxFuture<()>,
}

impl Cell {
    /// Runs the async handler of `event`, and `then` with its outcome. Its first stretch runs here and now, so that calls
    /// start in the order they came, and work that does not wait needs no task. `then` is dropped if the work is broken
    /// off.
    pub(super) fn start_task(
        &self,
        why: Why,
        origin: Origin,
        event: Event,
        then: impl FnOnce(&Cell, Result<Output>) + Send + 'static,
    ) -> Option<AbortHandle> {
        self.start_task_until(std::future::pending(), why, origin, event, then)
    }

    /// [`Cell::start_task`] that is broken off when `given_up` ends.
    pub(super) fn start_task_until(
        &self,
        given_up: impl Future<Output = ()> + Send + 'static,
        why: Why,
        origin: Origin,
        event: Event,
        then: impl FnOnce(&Cell, Result<Output>) + Send + 'static,
    ) -> Option<AbortHandle> {
        let work = self.begin_work(why);
        self.start_work(given_up, work, || self.class.task(origin, event), then)
    }

    /// Runs the future that `make` makes as `work`; see [`Cell::start_task`].
    pub(super) fn start_work(
        &self,
        given_up: impl Future<Output = ()> + Send + 'static,
        work: Work,
        make: impl FnOnce() -> BoxFuture<Result<Output>>,
        then: impl FnOnce(&Cell, Result<Output>) + Send + 'static,
    ) -> Option<AbortHandle> {
        // It may wait for the gate in its own way, or take long: nothing is held meanwhile.
        let _apart = group::Apart::enter();
        self.end_group();
        let busy = Busy::new(self.arc());
        let future = match catch_unwind(AssertUnwindSafe(make)) {
            Ok(future) => future,
            Err(panic) => {
                then(self, Err(self.panicked(&*panic)));
                return None;
            }
        };
        let work = work.scope(AssertUnwindSafe(future).catch_unwind());
        let mut work = Box::pin(work);
        // A hook that sets off itself, for ever, must not use up the stack.
        if let Some(_deeper) = Deeper::enter(super::DEEPEST_WORK)
            && let Poll::Ready(outcome) = work.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        {
            then(self, outcome.unwrap_or_else(|panic| Err(self.panicked(&*panic))));
            return None;
        }
        let broken_off = self.lifetime();
        let task = self.node.spawn(async move {
            tokio::select! {
                biased;
                () = broken_off.cancelled() => {}
                () = given_up => {}
                outcome = work => {
                    let cell = &busy.0;
                    then(cell, outcome.unwrap_or_else(|panic| Err(cell.panicked(&*panic))));
                }
            }
        });
        Some(task)
    }

    /// What kept the cell in the registry is over, perhaps as the last.
    pub(super) fn tidy_up(&self) {
        self.submit_first(Job::Tidy);
    }

    fn lifetime(&self) -> CancellationToken {
        self.lifetime.lock().get_or_insert_default().clone()
    }

    /// Ends all async work of the agent at its next wait.
    pub(super) fn break_off_tasks(&self) {
        let token = self.lifetime.lock().take();
        if let Some(token) = token {
            token.cancel();
        }
    }

    /// Runs a hook in whatever mode it has, and hands the outcome on.
    pub(super) fn run_hook(
        &self,
        event: Event,
        peer: Option<&Arc<Peer>>,
        then: impl FnOnce(&Cell, Result<Output>) + Send + 'static,
    ) {
        self.run_hook_for(None, event, peer, then);
    }

    /// [`Cell::run_hook`], set off by somebody the event does not name.
    pub(super) fn run_hook_for(
        &self,
        by: Option<By>,
        event: Event,
        peer: Option<&Arc<Peer>>,
        then: impl FnOnce(&Cell, Result<Output>) + Send + 'static,
    ) {
        let Some(mode) = self.class.mode(&event) else { return then(self, Ok(Output::Unit)) };
        let call = by.as_ref().and_then(By::incoming).cloned();
        let why = Why::hook(&event, peer, by);
        let mut origin = Origin { call, ..self.origin(peer) };
        if let Event::Request(request) | Event::BeforeSubAgent(request, _) = &event {
            origin.identity = request.extensions().get().cloned();
        }
        if mode == Mode::Task {
            self.start_task(why, origin, event, then);
            return;
        }
        let notify = !matches!(event, Event::StateChanged(_));
        let turn = Turn { notify, cause: why.cause(), ..Turn::own(mode) };
        let mut outcome = None;
        self.turn(&turn, |awake| awake.instance.run(&origin, event), |result, _| outcome = Some(result));
        then(self, outcome.expect("a turn always shows its result"));
    }

    /// Runs a hook nobody waits for; a failure goes to `on_error`.
    pub(super) fn hook(&self, event: Event, peer: Option<&Arc<Peer>>, name: &'static str) {
        self.run_hook(event, peer, move |cell, outcome| {
            if let Err(error) = outcome {
                cell.report(name, error);
            }
        });
    }

    /// Logs a failing hook and tells the agent's `on_error`.
    pub(super) fn report(&self, hook: &'static str, error: hostel_core::Error) {
        tracing::warn!(agent = %self.id, hook, error = ?error, "a hook failed");
        let event = Event::Error(error);
        if self.class.mode(&event).is_none() {
            return;
        }
        self.run_hook(event, None, |cell, outcome| {
            if let Err(error) = outcome {
                tracing::warn!(agent = %cell.id, error = ?error, "on_error failed itself");
            }
        });
    }

    /// Spawns work on behalf of the agent that nobody waits for.
    pub(super) fn spawn_busy(&self, work: BoxFuture<()>) {
        self.run_spawned(self.spawned(work));
    }

    /// Such work, which belongs to the agent as it is now, whenever it begins.
    pub(super) fn spawned(&self, future: BoxFuture<()>) -> Spawned {
        let work = self.current_work().map(Work::beside).unwrap_or_else(|| self.begin_work(Why::own()));
        Spawned { work, broken_off: self.lifetime(), future }
    }

    pub(super) fn run_spawned(&self, spawned: Spawned) {
        let busy = Busy::new(self.arc());
        self.node.spawn(async move {
            let Spawned { work, broken_off, future } = spawned;
            let outcome = tokio::select! {
                biased;
                () = broken_off.cancelled() => Ok(()),
                outcome = AssertUnwindSafe(work.scope(future)).catch_unwind() => outcome,
            };
            if let Err(panic) = outcome {
                busy.0.panicked(&*panic);
            }
        });
    }
}
