//! Async work of an agent: polled at once, in order, then beside the turns.

use std::{
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Waker},
};

use futures_util::FutureExt;
use hostel_core::{BoxFuture, Result, event::Event, event::Output, handler::Mode};
use tokio::task::AbortHandle;

use super::{Cell, turn::Turn};
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
        self.0.touch();
        self.0.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Cell {
    /// Runs async work of the agent, and `then` with its outcome. Its first stretch runs here and now, so that calls
    /// start in the order they came, and work that does not wait needs no task.
    pub(super) fn start_task(
        &self,
        work: BoxFuture<Result<Output>>,
        then: impl FnOnce(&Cell, Result<Output>) + Send + 'static,
    ) -> Option<AbortHandle> {
        let busy = Busy::new(self.arc());
        let mut work = Box::pin(AssertUnwindSafe(work).catch_unwind());
        if let Poll::Ready(outcome) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            then(self, outcome.unwrap_or_else(|panic| Err(self.panicked(&*panic))));
            return None;
        }
        let task = self.node.spawn(async move {
            let outcome = work.await;
            let cell = &busy.0;
            then(cell, outcome.unwrap_or_else(|panic| Err(cell.panicked(&*panic))));
        });
        Some(task)
    }

    /// Runs a hook in whatever mode it has, and hands the outcome on.
    pub(super) fn run_hook(
        &self,
        event: Event,
        peer: Option<&Arc<Peer>>,
        then: impl FnOnce(&Cell, Result<Output>) + Send + 'static,
    ) {
        let Some(mode) = self.class.mode(&event) else { return then(self, Ok(Output::Unit)) };
        let origin = self.origin(peer);
        if mode == Mode::Task {
            self.start_task(self.class.task(origin, event), then);
            return;
        }
        let notify = !matches!(event, Event::StateChanged(_));
        let turn = Turn { notify, ..Turn::own(mode) };
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
        let busy = Busy::new(self.arc());
        self.node.spawn(async move {
            let outcome = AssertUnwindSafe(pin!(work)).catch_unwind().await;
            if let Err(panic) = outcome {
                busy.0.panicked(&*panic);
            }
        });
    }
}
