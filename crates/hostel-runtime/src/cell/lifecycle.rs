//! Into memory and out of it.

use std::sync::{Arc, atomic::Ordering};

use hostel_core::{Error, Result, event::Event, handler::Mode};
use hostel_protocol::{connection::close, refusal::Code};

use super::{
    Cell, Job, NO_ALARM,
    job::Ready,
    turn::{Awake, Turn},
};
use crate::storage;

impl Cell {
    /// Brings the agent into memory if it is not, `on_start` included.
    pub(super) fn ensure_awake(&self, job: Job) -> Ready {
        if self.is_awake() {
            return Ready::Go(job);
        }
        if let Err(error) = self.node.quarantine.check(&self.id).and_then(|()| self.load()) {
            return Ready::Refused(job, self.start_failed(error));
        }
        self.start(job)
    }

    /// Opens the database and reads the state. Runs no code of the agent but its deserialisation.
    fn load(&self) -> Result<()> {
        self.node.rebuild_if_due(&self.id)?;
        let db = self.node.store.agent(self.id.namespace(), self.id.name()).map_err(storage::error)?;
        let stored = db.state().map_err(storage::error)?;
        let alarm = db.alarm().map_err(storage::error)?;
        let awake = self.instantiate(stored)?;
        self.registered_alarm.store(alarm.unwrap_or(NO_ALARM), Ordering::Relaxed);
        *self.store.lock() = Some(db);
        self.gate.mend();
        *self.core.lock() = Some(awake);
        self.metrics.wakes.increment(1);
        self.metrics.awake.increment(1.0);
        self.node.note_awake(&self.arc());
        Ok(())
    }

    fn instantiate(&self, stored: Option<Arc<str>>) -> Result<Awake> {
        let Some(state) = stored else {
            let instance = self.class.fresh();
            let json = instance.to_json()?;
            let state = (json != "null").then(|| json.into());
            return Ok(Awake { instance, state });
        };
        let instance = self.class.load(&state).map_err(|error| self.unreadable(&error))?;
        // What the class makes of the stored text is the state from now on: new fields have their defaults.
        let state = Some(instance.to_json()?.into());
        Ok(Awake { instance, state })
    }

    fn unreadable(&self, error: &Error) -> Error {
        let class = self.class.info().class;
        let message = format!("The stored state does not have the shape of {class} any more: {}", error.message());
        Error::coded(Code::AgentStartFailed, message).with_fix(format!(
            "give new fields of {class} a #[serde(default)], or accept the old ones with #[serde(alias)]"
        ))
    }

    /// Runs `on_start`; the job follows when it is done.
    fn start(&self, job: Job) -> Ready {
        let event = Event::Start;
        match self.class.mode(&event) {
            None => Ready::Go(job),
            Some(Mode::Task) => self.start_async(job, event),
            Some(mode) => {
                let origin = self.origin(None);
                let mut outcome = Ok(());
                let work = |awake: &mut Awake| awake.instance.run(&origin, event);
                self.turn(&Turn::own(mode), work, |result, _| outcome = result.map(|_| ()));
                match outcome {
                    Ok(()) => Ready::Go(job),
                    Err(error) => Ready::Refused(job, self.abandon_start(error)),
                }
            }
        }
    }

    fn start_async(&self, job: Job, event: Event) -> Ready {
        {
            let mut inbox = self.inbox.lock();
            inbox.starting = true;
            inbox.queue.push_front(job);
        }
        let work = self.class.task(self.origin(None), event);
        self.start_task(work, |cell, outcome| cell.started(outcome.map(|_| ())));
        Ready::Later
    }

    /// An async `on_start` has ended. Whoever waits is served, or refused with its error.
    fn started(&self, outcome: Result<()>) {
        let failed = outcome.err().map(|error| self.abandon_start(error));
        let (refused, resume) = {
            let mut inbox = self.inbox.lock();
            inbox.starting = false;
            let refused = if failed.is_some() { std::mem::take(&mut inbox.queue) } else { Default::default() };
            let resume = !inbox.running && !inbox.queue.is_empty();
            inbox.running |= resume;
            (refused, resume)
        };
        if let Some(error) = failed {
            for job in refused {
                self.refuse(job, crate::reply::share(&error));
            }
        }
        if resume {
            self.run();
        }
    }

    fn abandon_start(&self, error: Error) -> Error {
        self.unload();
        self.start_failed(error)
    }

    /// Counts a failed start. What the caller sees names the reason; the whole chain is in the log.
    fn start_failed(&self, error: Error) -> Error {
        if error.code() == Some(Code::AgentQuarantined) {
            return error;
        }
        self.metrics.start_failures.increment(1);
        tracing::error!(agent = %self.id, error = ?error, "an agent could not be started");
        match error.code() {
            Some(_) => error,
            None => {
                self.node.quarantine.record(&self.id, error.message());
                Error::coded(Code::AgentStartFailed, format!("on_start failed: {}", error.message()))
                    .with_fix("mend on_start; the server's log has the whole error")
            }
        }
    }

    /// Puts the agent out of memory, as it is. Only between turns.
    fn unload(&self) {
        let was_awake = self.core.lock().take().is_some();
        let db = self.store.lock().take();
        *self.scratch.lock() = super::turn::Scratch::default();
        if let Some(db) = db
            && let Err(error) = db.close()
        {
            tracing::warn!(agent = %self.id, error = %error, "an agent's database did not close cleanly");
        }
        if was_awake {
            self.metrics.awake.decrement(1.0);
        }
    }

    /// Puts an agent with nothing to do to sleep; its sockets stay. Returns whether it sleeps now.
    pub(crate) fn hibernate(&self) -> bool {
        if !self.claim_idle() {
            return false;
        }
        self.unload();
        self.leave_registry_if_unused();
        true
    }

    /// Takes the inbox for itself if nothing is going on.
    fn claim_idle(&self) -> bool {
        let mut inbox = self.inbox.lock();
        let idle = !inbox.running && !inbox.starting && inbox.queue.is_empty() && !self.has_work();
        let idle = idle && self.gate.is_quiet() && self.core.try_lock().is_some_and(|core| core.is_some());
        inbox.running |= idle;
        idle
    }

    /// Gives the inbox back; a cell that nobody needs leaves the registry for good.
    fn leave_registry_if_unused(&self) {
        let resume = {
            let mut inbox = self.inbox.lock();
            inbox.running = !inbox.queue.is_empty();
            let unused = !inbox.running && self.peers.lock().is_empty();
            if unused {
                inbox.retired = true;
                self.node.forget(&self.id, self.token);
            }
            inbox.running
        };
        if resume {
            self.run();
        }
    }

    /// Puts the agent out of memory after a failure; the next event starts it again.
    pub(crate) fn evict(&self) {
        self.node.block(|| self.unload());
    }

    /// Closes all sockets and puts the agent out of memory: it has failed too often.
    pub(crate) fn quarantine(&self) {
        let reason = match self.node.quarantine.check(&self.id) {
            Err(error) => error.to_refusal(Code::AgentQuarantined).close_reason(),
            Ok(()) => return,
        };
        self.peers.lock().values().for_each(|peer| peer.outbox.close(close::TRY_AGAIN_LATER, &reason));
        self.evict();
    }

    /// Tells every client that the server goes.
    pub(crate) fn farewell(&self, reason: &str) {
        self.peers.lock().values().for_each(|peer| peer.outbox.close(close::SERVICE_RESTART, reason));
    }

    /// Puts the agent out of memory for good, whatever it is doing: the node stops.
    pub(crate) fn put_out(&self) {
        self.inbox.lock().retired = true;
        self.unload();
    }

    /// How long nothing has happened, in milliseconds.
    pub(crate) fn idle_ms(&self) -> u64 {
        self.node.uptime_ms().saturating_sub(self.last_active.load(Ordering::Relaxed))
    }

    /// Deletes what the agent stored; the next event finds a new agent.
    pub(super) fn finish_destroy(&self) {
        let db = self.store.lock().take();
        if self.core.lock().take().is_some() {
            self.metrics.awake.decrement(1.0);
        }
        let Some(db) = db else { return };
        if let Err(error) = self.node.block(|| db.destroy()) {
            tracing::error!(agent = %self.id, error = %error, "an agent's files could not be deleted");
        }
        if let Err(error) = self.node.clear_alarm(&self.id) {
            tracing::warn!(agent = %self.id, error = ?error, "a destroyed agent's wake-up could not be cleared");
        }
    }
}
