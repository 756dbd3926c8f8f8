//! Into memory and out of it.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
};

use hostel_core::{Error, Result, erased::Origin, event::Event, handler::Mode};
use hostel_protocol::{connection::close, refusal::Code};
use hostel_store::{AgentDb, Commit};
use tokio::time::Instant;

use super::{
    Cell, Job,
    cause::{START, Why},
    job::Ready,
    turn::{Awake, Turn},
};
use crate::{gate::Delivery, storage};

impl Cell {
    /// Brings the agent into memory if it is not, `on_start` included.
    pub(super) fn ensure_awake(&self, job: Job) -> Ready {
        if self.is_awake() {
            return Ready::Go(job);
        }
        if let Err(error) = self.node.quarantine.check(&self.id) {
            return Ready::Refused(job, error);
        }
        if let Err(error) = self.load(matches!(job, Job::Admit)) {
            return Ready::Refused(job, self.load_failed(error));
        }
        self.start(job)
    }

    /// Opens the database and reads the state. Runs no code of the agent but its deserialisation.
    fn load(&self, admitted: bool) -> Result<()> {
        let mut core = self.lock_core();
        if self.inbox.lock().retired {
            return Err(Error::coded(Code::ShuttingDown, "The server is restarting.").with_fix("come back in a moment"));
        }
        self.node.rebuild_if_due(&self.id)?;
        let mut db = self.node.open_db(&self.id)?;
        let stored = db.state().map_err(storage::error)?;
        self.check_family(&db)?;
        let made = self.make_if_admitted(&mut db, admitted)?;
        self.nothing_under_way();
        let moments = self.moments(&db)?;
        let awake = self.guarded(|| self.instantiate(stored))?;
        self.gate.heal();
        self.moments_loaded(moments);
        *self.store.lock() = Some(db);
        self.note_state(awake.state.as_ref());
        *core = Some(awake);
        self.pass_gate(made.into(), Vec::new());
        drop(core);
        self.awake.store(true, Ordering::Release);
        self.metrics.wakes.increment(1);
        self.metrics.awake.increment(1.0);
        self.node.note_awake(&self.arc());
        Ok(())
    }

    /// A sub-agent comes into being only when its parent lets somebody in; otherwise it was deleted meanwhile.
    fn make_if_admitted(&self, db: &mut AgentDb, admitted: bool) -> Result<Option<Commit>> {
        if !self.id.is_sub_agent() || db.is_created() {
            return Ok(None);
        }
        if !admitted {
            return Err(Error::coded(Code::AgentNotFound, format!("There is no agent {} any more.", self.id))
                .with_fix("reach it by way of its parent to have a new one made"));
        }
        db.create().map_err(storage::error)?;
        db.set_cause(START);
        db.commit().map_err(storage::error)
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
        let json = instance.to_json()?;
        let mut awake = Awake { instance, state: None };
        // What was stored before there was a mask, or before it knew the secret.
        awake.state = Some(self.masked_state(&mut awake, json)?.into());
        Ok(awake)
    }

    fn unreadable(&self, error: &Error) -> Error {
        let class = &self.class.info().class;
        let message = format!("The stored state does not have the shape of {class} any more: {}", error.message());
        Error::coded(Code::AgentStartFailed, message).with_fix(format!(
            "give new fields of {class} a #[serde(default)], or accept the old ones with #[serde(alias)]"
        ))
    }

    /// Runs `on_start`; the job follows when it is done.
    fn start(&self, job: Job) -> Ready {
        self.keep_declared_at_start();
        let event = Event::Start;
        match self.class.mode(&event) {
            None => self.is_started(job),
            Some(Mode::Task) => self.start_async(job, event),
            Some(mode) => {
                let origin = self.origin(None);
                let why = Why::hook(&event, None, None);
                let mut outcome = Ok(());
                let work = |awake: &mut Awake| awake.instance.run(&origin, event);
                let turn = Turn { cause: why.cause(), ..Turn::own(mode) };
                self.turn(&turn, work, |result, _| outcome = result.map(|_| ()));
                match outcome {
                    Ok(()) => self.is_started(job),
                    Err(error) => Ready::Refused(job, self.abandon_start(error)),
                }
            }
        }
    }

    fn is_started(&self, job: Job) -> Ready {
        self.node.quarantine.started(&self.id);
        Ready::Go(job)
    }

    fn start_async(&self, job: Job, event: Event) -> Ready {
        let origin = Origin { call: Some(self.starting(job.incoming())), ..self.origin(None) };
        let job = job.before_a_wait();
        {
            let mut inbox = self.inbox.lock();
            inbox.starting = true;
            inbox.queue.push_front(job);
        }
        let mut starting = Starting(Some(self.arc()));
        let why = Why::hook(&event, None, None);
        self.start_task(why, origin, event, move |_, outcome| starting.end(outcome.map(|_| ())));
        Ready::Later
    }

    /// An async `on_start` has ended. Whoever waits is served, or refused with its error.
    fn started(&self, outcome: Result<()>) {
        let failed = outcome.err().map(|error| self.abandon_start(error));
        if failed.is_none() {
            self.node.quarantine.started(&self.id);
        }
        let (refused, resume): (VecDeque<Job>, bool) = {
            let mut inbox = self.inbox.lock();
            inbox.starting = false;
            let waiting = std::mem::take(&mut inbox.queue);
            let (kept, refused) = waiting.into_iter().partition(|job| failed.is_none() || job.needs_no_start());
            inbox.queue = kept;
            let resume = !inbox.running && !inbox.queue.is_empty();
            inbox.running |= resume;
            if failed.is_some() {
                self.retire_if_unneeded(&mut inbox);
            }
            (refused, resume)
        };
        self.less_crowded.notify_waiters();
        if let Some(error) = failed {
            for job in refused {
                self.refuse(job, crate::reply::share(&error));
            }
        }
        if resume {
            self.run();
        }
    }

    /// Gives an `on_start` up that waits for something.
    pub(crate) fn break_off_start(&self) {
        if self.inbox.lock().starting {
            self.break_off_tasks();
        }
    }

    fn abandon_start(&self, error: Error) -> Error {
        self.unload();
        self.start_failed(error)
    }

    /// The state could not be read. What storage says is for the operator to mend, and may pass at any moment; what the
    /// class says counts as a failed start.
    fn load_failed(&self, error: Error) -> Error {
        match error.code() {
            Some(Code::AgentStartFailed | Code::TurnPanicked) | None => self.start_failed(error),
            Some(Code::AgentNotFound | Code::AgentUnavailable) => error,
            Some(_) => {
                tracing::error!(agent = %self.id, error = ?error, "an agent could not be loaded");
                error
            }
        }
    }

    /// Counts a failed start. What the caller sees names the reason; the whole chain is in the log.
    fn start_failed(&self, error: Error) -> Error {
        self.metrics.start_failures.increment(1);
        tracing::error!(agent = %self.id, error = ?error, "an agent could not be started");
        match error.code() {
            Some(code) if is_of_storage(code) => error,
            code => {
                // A panic was counted where it was caught.
                if code != Some(Code::TurnPanicked) {
                    self.node.quarantine.record(&self.id, error.message(), true);
                }
                refused_start(error)
            }
        }
    }

    /// Puts the agent out of memory, as it is. Only between turns.
    fn unload(&self) {
        let (awake, scratch) = {
            let mut core = self.lock_core();
            self.awake.store(false, Ordering::Release);
            let awake = core.take();
            self.note_state(None);
            self.forget_memory();
            self.hand_over_held();
            if let Some(db) = self.store.lock().take()
                && let Err(error) = db.close()
            {
                tracing::warn!(agent = %self.id, error = %error, "an agent's database did not close cleanly");
            }
            (awake, std::mem::take(&mut *self.scratch.lock()))
        };
        if awake.is_some() {
            self.metrics.awake.decrement(1.0);
        }
        self.drop_guarded((awake, scratch));
    }

    /// What the class's extension keeps in memory goes with the agent.
    fn forget_memory(&self) {
        if self.class.info().extension.is_some() {
            self.node.memories.forget(self);
        }
    }

    /// Destructors of the author's run outside every lock, and their panics end here.
    pub(super) fn drop_guarded<T>(&self, of_the_author: T) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(of_the_author))) {
            self.panicked(&*panic);
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

    /// Has an agent that stays awake without turns copy what it has written into its file: it would else hold back a part of
    /// the journal for as long as it does nothing.
    pub(crate) fn keep_up(&self) {
        if !self.claim(true) {
            return;
        }
        {
            let _in_a_turn = self.lock_core();
            if let Some(Err(error)) = self.store.lock().as_mut().map(hostel_store::AgentDb::keep_up) {
                tracing::warn!(agent = %self.id, %error, "what an agent has written stays in the journal");
            }
        }
        self.leave_registry_if_unused();
    }

    /// Takes the inbox for itself if nothing is going on.
    fn claim_idle(&self) -> bool {
        self.claim(false)
    }

    /// Takes the inbox for itself if there is no turn and nothing waits; `working`: even if async work is under way.
    fn claim(&self, working: bool) -> bool {
        let mut inbox = self.inbox.lock();
        let idle = !inbox.running && !inbox.starting && inbox.queue.is_empty() && (working || !self.has_work());
        let idle = idle && self.gate.is_quiet() && self.core.try_lock().is_some_and(|core| core.is_some());
        inbox.running |= idle;
        idle
    }

    /// Gives the inbox back; a cell that nobody needs leaves the registry for good.
    fn leave_registry_if_unused(&self) {
        let resume = {
            let mut inbox = self.inbox.lock();
            inbox.running = !inbox.queue.is_empty();
            self.retire_if_unneeded(&mut inbox);
            inbox.running
        };
        if resume {
            self.run();
        }
    }

    /// Puts the agent out of memory after a failure; the next event starts it again, unless it is held back.
    pub(super) fn evict(&self) {
        if let Err(error) = self.node.quarantine.check(&self.id) {
            let reason = self.told(&error, Code::AgentQuarantined).close_reason();
            self.peers.lock().values().for_each(|peer| peer.outbox.close(close::TRY_AGAIN_LATER, &reason));
        }
        // What is on order begins anew with the agent, so no attempt from before may go on beside it. Whoever hears that
        // its work was broken off finds the agent out of memory.
        let work = self.end_era();
        self.node.block(|| self.unload());
        self.look_again();
        drop(work);
    }

    /// [`Cell::evict`], as soon as whatever runs now has ended.
    pub(super) fn evict_later(&self) {
        let cell = self.arc();
        self.node.spawn(async move { cell.submit_first(Job::Evict) });
    }

    /// Puts the agent out of memory because its parent wants that: whatever it waits for is broken off.
    pub(super) fn abort(&self) {
        drop(self.end_era());
        if self.is_awake() {
            self.node.block(|| self.unload());
            self.look_again();
        }
    }

    /// Tells every client that the server goes.
    pub(crate) fn farewell(&self, reason: &str) {
        self.peers.lock().values().for_each(|peer| peer.outbox.close(close::SERVICE_RESTART, reason));
    }

    /// Puts the agent out of memory for good, whatever it is doing: the node stops.
    pub(crate) fn put_out(&self) {
        let waiting = {
            let mut inbox = self.inbox.lock();
            inbox.retired = true;
            std::mem::take(&mut inbox.queue)
        };
        for job in waiting {
            self.refuse(job, Error::coded(Code::ShuttingDown, "The server is restarting."));
        }
        self.break_off_tasks();
        self.unload();
    }

    /// The node is gone.
    pub(crate) fn let_go(&self) {
        self.gate.let_go();
    }

    /// How long nothing has happened, in milliseconds.
    pub(crate) fn idle_ms(&self) -> u64 {
        self.node.uptime_ms(Instant::now()).saturating_sub(self.last_active.load(Ordering::Relaxed))
    }

    /// Deletes what the agent stored, within the turn that asked for it; the next event finds a new agent. Its sockets
    /// are on their way out, and nothing of theirs reaches that one, nor does async work. Durable when it returns.
    /// If others are under it, that is decided, and follows once they are gone: the delivery begins with it.
    pub(super) fn destroy_stored(&self, core: &mut Option<Awake>) -> Result<Option<Delivery>> {
        self.awake.store(false, Ordering::Release);
        self.metrics.awake.decrement(1.0);
        self.note_state(None);
        self.forget_memory();
        let work = self.end_era();
        let destroyed = (core.take(), self.store.lock().take());
        let peers: Vec<_> = self.peers.lock().values().cloned().collect();
        peers.iter().for_each(|peer| self.forget(peer));
        if destroyed.1.as_ref().is_some_and(|db| db.is_ending().unwrap_or(false)) {
            let ended = destroyed.1.map_or(Ok(None), |db| self.node.block(|| self.end_after_children(db)).map(Some));
            self.drop_guarded(destroyed.0);
            return ended;
        }
        let gone = destroyed.1.map_or(Ok(()), |db| self.node.block(|| self.destroy_db(db)));
        match &gone {
            // It is there still, and so is what it wants to be woken for.
            Err(error) => tracing::error!(agent = %self.id, error = ?error, "an agent's files could not be deleted"),
            Ok(()) => {
                if let Err(error) = self.node.block(|| self.node.clear_alarm(self)) {
                    tracing::warn!(agent = %self.id, error = ?error, "a destroyed agent's wake-up could not be cleared");
                }
            }
        }
        self.drop_guarded(destroyed.0);
        drop(work);
        gone?;
        self.note_destroyed();
        Ok(None)
    }

    /// Deletes the database, once those who keep something else of the agent know that it goes.
    pub(super) fn destroy_db(&self, db: AgentDb) -> Result<()> {
        self.node.options.belongings.iter().try_for_each(|kept| kept.ending(&self.id))?;
        db.destroy().map_err(storage::error)
    }

    /// Tells whoever keeps something elsewhere on the agent's behalf.
    pub(super) fn note_destroyed(&self) {
        self.node.options.belongings.iter().for_each(|kept| kept.ended(&self.id));
        self.node.options.on_destroyed.iter().for_each(|told| told.0(&self.id));
    }
}

/// An async `on_start` under way. However it ends, whoever waits for it hears of it.
struct Starting(Option<Arc<Cell>>);

impl Starting {
    fn end(&mut self, outcome: Result<()>) {
        if let Some(cell) = self.0.take() {
            cell.started(outcome);
        }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.end(Err(
            Error::coded(Code::StorageFailed, "The agent was stopped while it started.").with_fix("try again")
        ));
    }
}

fn is_of_storage(code: Code) -> bool {
    use Code as C;
    matches!(
        code,
        C::StorageCorrupt
            | C::StorageFull
            | C::StorageReadOnly
            | C::StorageFailed
            | C::StorageSchema
            | C::StorageLocked
            | C::ShuttingDown
    )
}

fn refused_start(error: Error) -> Error {
    if error.code() == Some(Code::AgentStartFailed) {
        return error;
    }
    Error::coded(Code::AgentStartFailed, format!("on_start failed: {}", error.message()))
        .with_fix("mend on_start; the server's log has the whole error")
}
