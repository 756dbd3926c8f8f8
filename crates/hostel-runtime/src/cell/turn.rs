//! A turn: one indivisible step of an agent. Everything it changes commits together, or nothing does.

use std::{
    any::Any,
    cell::Cell as StdCell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use hostel_core::{
    Connection, Error, Message, Result, Source,
    connection::{ConnectionChange, ConnectionRecord},
    erased::{Instance, Origin},
    event::Event,
    handler::Mode,
    host::Effect,
};
use hostel_protocol::{connection::close, refusal::Code};
use hostel_store::{Author, Cause, Kept};

use super::{Cell, cause, group, task::Spawned};
use crate::{
    gate::{Delivery, Then, Written},
    peer::Peer,
    storage,
};

thread_local! {
    /// The token of the cell whose turn runs on this thread, or 0.
    static IN_TURN: StdCell<u64> = const { StdCell::new(0) };
}

/// An agent in memory.
pub(crate) struct Awake {
    pub(super) instance: Box<dyn Instance>,
    /// The state as of the last commit, as JSON; `None` until there is one.
    pub(super) state: Option<Arc<str>>,
}

/// What the turn under way has asked for, to be done when it commits.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(super) effects: Vec<Effect>,
    pub(super) undo: Vec<(Arc<ConnectionRecord>, ConnectionChange)>,
    pub(super) alarm: Option<Option<i64>>,
    /// What is on order has changed.
    pub(super) orders: bool,
    pub(super) push_state: bool,
    /// What the sender of a state frame has is not what was stored: it is sent the state like everybody else.
    pub(super) correct_sender: bool,
    pub(super) destroy: bool,
    /// What it has decided about agents under this one.
    pub(super) kin: Vec<super::family::Kin>,
    /// Work that begins when the turn has committed.
    pub(super) spawned: Vec<Spawned>,
    /// Until when the turn's SQL may run.
    pub(super) sql_deadline: Option<Instant>,
}

/// The circumstances of a turn.
pub(crate) struct Turn<'a> {
    /// May it change the state?
    pub(super) mode: Mode,
    /// Who changes it.
    pub(super) source: Source,
    /// On whose behalf; a read-only connection may not change the state.
    pub(super) caller: Option<&'a Arc<ConnectionRecord>>,
    /// A client set the state as a whole: store and show it even if it is equal.
    pub(super) replaces_state: bool,
    /// The socket whose state frame this is; it is not sent its own state back.
    pub(super) sender: Option<&'a Arc<Peer>>,
    /// Whether `on_state_changed` hears of it.
    pub(super) notify: bool,
    /// Why it runs, for the journal.
    pub(super) cause: Cause<'a>,
}

/// What follows a turn, once its lock is free.
#[derive(Default)]
struct After {
    changed: bool,
    destroyed: bool,
    spawned: Vec<Spawned>,
}

/// A turn that has committed.
struct Done<R> {
    value: R,
    changed: bool,
    kept: Kept,
    /// What the wake-up it set, if it did, needs once it is durable.
    alarm: Option<Delivery>,
}

/// Whether this thread is inside a turn of any agent.
pub(super) fn inside_any() -> bool {
    IN_TURN.get() != 0
}

impl Turn<'_> {
    /// A turn of the agent's own accord.
    pub(super) fn own(mode: Mode) -> Self {
        Self {
            mode,
            source: Source::Server,
            caller: None,
            replaces_state: false,
            sender: None,
            notify: true,
            cause: cause::OWN,
        }
    }

    /// Whether it runs on behalf of a client that may not change the state.
    fn is_barred(&self) -> bool {
        self.caller.is_some_and(|caller| caller.readonly())
    }
}

/// Clears the thread's mark when the turn ends, however it ends.
struct InTurn;

impl InTurn {
    fn enter(token: u64) -> Self {
        IN_TURN.set(token);
        Self
    }
}

impl Drop for InTurn {
    fn drop(&mut self) {
        IN_TURN.set(0);
    }
}

impl Cell {
    /// Whether this thread is inside a turn of this agent.
    pub(super) fn in_turn(&self) -> bool {
        IN_TURN.get() == self.token
    }

    pub(super) fn origin(&self, peer: Option<&Arc<Peer>>) -> Origin {
        let host = self.arc();
        let connection = peer.map(|peer| Connection::new(Arc::clone(&peer.record), host.clone()));
        Origin { host, connection, call: None, identity: None, back: None }
    }

    /// Runs `work` as one turn. `show` then adds what follows the turn's own effects, a reply for instance; it sees the
    /// final result, after the commit, and runs before any other turn can.
    pub(super) fn turn<R>(
        &self,
        turn: &Turn<'_>,
        work: impl FnOnce(&mut Awake) -> Result<R>,
        show: impl FnOnce(Result<R>, &mut Vec<Delivery>),
    ) {
        if inside_any() {
            return self.show_failure(nested(), show);
        }
        let after = {
            let mut core = self.lock_core();
            let Some(awake) = core.as_mut() else {
                drop(core);
                return self.show_failure(asleep(self), show);
            };
            self.end_group_of_others();
            let (result, kept, mut deliveries, after) = self.turn_on(awake, turn, work);
            let ended = if after.destroyed { self.end(&mut core, &mut deliveries) } else { Ok(()) };
            show(ended.and(result), &mut deliveries);
            self.pass_gate(kept, deliveries);
            after
        };
        after.spawned.into_iter().for_each(|work| self.run_spawned(work));
        if after.destroyed {
            return self.submit_first(super::Job::Tidy);
        }
        if after.changed && turn.notify {
            self.tell_state_changed(turn.source.clone());
        }
    }

    /// There was no turn; whoever waits for its result is told so all the same.
    fn show_failure<R>(&self, error: Error, show: impl FnOnce(Result<R>, &mut Vec<Delivery>)) {
        let mut deliveries = Vec::new();
        show(Err(error), &mut deliveries);
        self.release(deliveries);
    }

    pub(super) fn lock_core(&self) -> parking_lot::MutexGuard<'_, Option<Awake>> {
        // Another thread's turn is under way only when an async method changes the agent from outside the inbox.
        self.core.try_lock().unwrap_or_else(|| self.node.block(|| self.core.lock()))
    }

    fn turn_on<R>(
        &self,
        awake: &mut Awake,
        turn: &Turn<'_>,
        work: impl FnOnce(&mut Awake) -> Result<R>,
    ) -> (Result<R>, Kept, Vec<Delivery>, After) {
        self.metrics.turns.increment(1);
        let mut deliveries = Vec::new();
        let mut after = After::default();
        let (result, kept) = match self.attempt(awake, turn, work) {
            Ok(Done { value, changed, kept, alarm }) => {
                after = self.collect_effects(awake, turn, changed, &mut deliveries);
                deliveries.extend(alarm);
                (Ok(value), kept)
            }
            Err(error) => {
                self.roll_back(awake, turn.mode);
                (Err(error), Kept::Nothing)
            }
        };
        (result, kept, deliveries, after)
    }

    /// Runs the work and commits, with nothing shown yet.
    fn attempt<R>(
        &self,
        awake: &mut Awake,
        turn: &Turn<'_>,
        work: impl FnOnce(&mut Awake) -> Result<R>,
    ) -> Result<Done<R>> {
        let barred = turn.is_barred();
        let value = self.guarded(|| work(awake))?;
        // A turn may lift the flag before it changes the state, or set it afterwards.
        let new_state = self.changed_state(awake, turn, barred && turn.is_barred())?;
        let (kept, alarm) = self.commit(new_state.as_ref(), turn.cause)?;
        let changed = new_state.is_some();
        if let Some(state) = new_state {
            self.note_state(Some(&state));
            awake.state = Some(state);
        }
        Ok(Done { value, changed, kept, alarm })
    }

    /// Runs code of the agent's author: marked as inside the turn, and with its panics caught.
    pub(super) fn guarded<R>(&self, work: impl FnOnce() -> Result<R>) -> Result<R> {
        let _mark = InTurn::enter(self.token);
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(self.panicked(&*panic)))
    }

    fn commit(&self, new_state: Option<&Arc<str>>, cause: Cause<'_>) -> Result<(Kept, Option<Delivery>)> {
        let (alarm, mut orders, destroy) = {
            let scratch = self.scratch.lock();
            (scratch.alarm, scratch.orders, scratch.destroy)
        };
        let mut store = self.store.lock();
        let Some(db) = store.as_mut() else { return Err(asleep(self)) };
        if let Some(state) = new_state {
            db.set_state(state).map_err(storage::error)?;
        }
        if let Some(at) = alarm {
            db.set_alarm(at).map_err(storage::error)?;
            // A new wish is not held back by the failures of an old one.
            self.alarm_not_before.store(i64::MIN, Ordering::Relaxed);
        }
        if destroy {
            orders |= self.end_with_children(db)?;
        }
        if db.is_writing() {
            orders |= self.declare(db)?;
            let masked = self.masked_author(cause);
            let author = masked.as_deref().map_or(cause.author, Author::Connection);
            db.set_cause(Cause { author, ..cause });
        }
        // Registered earlier than it is committed.
        let moments = if alarm.is_some() || orders { Some(self.moments(db)?) } else { None };
        if let Some(moments) = moments {
            self.register_earlier(moments.wake)?;
        }
        let kept = self.commit_or_hold(db, !destroy && group::may_hold(self.token)).map_err(storage::error)?;
        drop(store);
        if let Some(alarm) = alarm {
            self.alarm_renewed.store(alarm.is_some(), Ordering::Relaxed);
        }
        Ok((kept, moments.map(|moments| self.moments_committed(moments))))
    }

    /// Undoes everything the turn did: rows, alarm, connection records, effects, and the instance itself.
    fn roll_back(&self, awake: &mut Awake, mode: Mode) {
        self.metrics.rollbacks.increment(1);
        if let Some(db) = self.store.lock().as_mut()
            && let Err(error) = db.rollback()
        {
            tracing::error!(agent = %self.id, error = %error, "a turn could not be rolled back");
        }
        let mut scratch = std::mem::take(&mut *self.scratch.lock());
        for (record, change) in scratch.undo.drain(..).rev() {
            let _redo = change.apply(&record);
        }
        let fresh = self.guarded(|| {
            drop(scratch);
            if mode == Mode::Read { Ok(()) } else { self.reload(awake) }
        });
        // Destructors of the author's may have asked for something more.
        *self.scratch.lock() = Scratch::default();
        self.declared.store(false, Ordering::Relaxed);
        if let Err(error) = fresh {
            tracing::error!(agent = %self.id, error = ?error, "the committed state could not be read back; the agent restarts");
            self.evict_later();
        }
    }

    fn reload(&self, awake: &mut Awake) -> Result<()> {
        awake.instance = match &awake.state {
            Some(state) => self.class.load(state)?,
            None => self.class.fresh(),
        };
        Ok(())
    }

    /// The turn's effects as deliveries: the state first, then the rest in order. Returns what follows the turn.
    fn collect_effects(&self, awake: &Awake, turn: &Turn<'_>, changed: bool, deliveries: &mut Vec<Delivery>) -> After {
        let mut scratch = self.scratch.lock();
        let scratch = std::mem::take(&mut *scratch);
        if (changed || scratch.push_state)
            && let Some(state) = &awake.state
        {
            let except = turn.sender.filter(|_| !scratch.correct_sender);
            deliveries.extend(self.state_frame(state, except));
            deliveries.extend(self.accepted(state, turn.sender));
            deliveries.extend(self.tell_watchers());
        }
        deliveries.extend(scratch.effects.into_iter().filter_map(|effect| self.delivery(effect)));
        if !scratch.kin.is_empty() {
            deliveries.push(self.kin_delivery(scratch.kin));
        }
        After { changed, destroyed: scratch.destroy, spawned: scratch.spawned }
    }

    /// Who receives an effect is settled when it is made: later arrivals do not get what was said before them.
    pub(super) fn delivery(&self, effect: Effect) -> Option<Delivery> {
        match effect {
            Effect::Send { to, message } => Some(Delivery::Send(self.peer(to)?, message)),
            Effect::Close { to, code, reason } => Some(Delivery::Close(self.peer(to)?, code, reason)),
            Effect::Broadcast { message, except } => {
                let wanted = |peer: &&Arc<Peer>| !except.iter().any(|id| **id == *peer.record.id);
                let peers: Vec<_> = self.peers.lock().values().filter(wanted).cloned().collect();
                (!peers.is_empty()).then_some(Delivery::Fan { peers, message })
            }
            Effect::Multicast { to, message } => {
                let peers = self.peers.lock();
                let peers: Vec<_> = to.iter().filter_map(|key| peers.get(key).cloned()).collect();
                (!peers.is_empty()).then_some(Delivery::Fan { peers, message })
            }
            Effect::Tap { to, frame } => {
                let masked = frame.as_text().and_then(|text| self.masked(text, "frame of a stream"));
                let frame = masked.map_or(frame, Message::from);
                Some(Delivery::resolve(move |durable| {
                    if durable.is_ok() {
                        to.take(frame);
                    }
                }))
            }
            Effect::PushState => None,
        }
    }

    /// The agent's end. Nobody is told of it before it is durable.
    fn end(&self, core: &mut Option<Awake>, deliveries: &mut Vec<Delivery>) -> Result<()> {
        let peers: Vec<_> = self.peers.lock().values().cloned().collect();
        let ended = self.destroy_stored(core);
        let (code, reason) = match &ended {
            Ok(_) => (close::GOING_AWAY, "Durable Object destroyed".to_owned()),
            Err(error) => (close::TRY_AGAIN_LATER, error.to_refusal(Code::StorageFailed).close_reason()),
        };
        deliveries.extend(peers.into_iter().map(|peer| Delivery::Close(peer, code, reason.clone())));
        ended.map(|follows| deliveries.extend(follows))
    }

    pub(super) fn pass_gate(&self, kept: Kept, mut deliveries: Vec<Delivery>) {
        if matches!(kept, Kept::Nothing) && deliveries.is_empty() {
            return;
        }
        self.mask_deliveries(&mut deliveries);
        let written = match kept {
            Kept::Nothing => Written::Nothing,
            Kept::Held => Written::Held,
            Kept::Committed(commit) => {
                let durable = self.node.durability.is_durable(&commit);
                Written::Commit { commit, durable }
            }
        };
        if self.gate.push(written, deliveries) == Then::Sync {
            self.start_sync();
        }
    }

    /// Shows something that rests on no write of its own.
    pub(super) fn release(&self, deliveries: Vec<Delivery>) {
        self.pass_gate(Kept::Nothing, deliveries);
    }

    fn tell_state_changed(&self, source: Source) {
        let event = Event::StateChanged(source);
        if self.class.mode(&event).is_some() {
            self.hook(event, None, "on_state_changed");
        }
    }

    /// A panic is a failed turn, and counts against the agent.
    pub(super) fn panicked(&self, panic: &(dyn Any + Send)) -> Error {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
        self.metrics.panics.increment(1);
        tracing::error!(agent = %self.id, panic = text, "an agent's code panicked; its turn was rolled back");
        if self.node.quarantine.record(&self.id, &format!("panic: {text}"), false) {
            self.evict_later();
        }
        Error::coded(Code::TurnPanicked, "The agent's code panicked; nothing was changed.")
            .with_fix("see the server's log for the panic and its backtrace")
    }

    pub(super) fn has_work(&self) -> bool {
        self.busy.load(Ordering::Acquire) > 0
    }
}

pub(super) fn nested() -> Error {
    Error::coded(Code::NestedTurn, "A turn cannot begin inside a turn.").with_fix(
        "inside a `&self` or `&mut self` method change `self`; `cx.update` and `cx.read` are for async methods",
    )
}

pub(super) fn asleep(cell: &Cell) -> Error {
    Error::coded(Code::AgentUnavailable, format!("{} is not in memory; this context outlived it.", cell.id))
        .with_fix("reach the agent through `cx.agent::<..>(name)` instead of keeping its context")
}
