//! The node's timer: one durable register, one wheel in memory for all agents, and a bounded number woken at a time.
//!
//! An earlier wake-up is registered before its turn commits, a later one after: the register may be early, never late. What
//! is due is given out in the order of time; whoever is woken holds one of a few seats until what it did is durable, so
//! that a hundred thousand at the same minute pass through without all being in memory.

use std::{
    collections::HashSet,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use hostel_core::{AgentId, Result};
use hostel_store::QueuedAlarm;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::shared::{Shared, key_of};
use crate::{
    alarms::Alarms,
    cell::{Cell, Job, Moving, Wish},
    options::Options,
    storage,
};

/// Wake-ups taken out of the wheel at a time.
const AT_ONCE: usize = 64;
/// More than this at a time are spread over the threads.
const FEW: usize = 1;
/// How often the time is noted for the next start, in milliseconds.
const NOTED_EVERY_MS: i64 = 20_000;
/// By how much the time of day has to go back to count as a jump: less is what time servers do all the time.
const JUMP_MS: i64 = 1_000;

/// A seat among those that are woken; free again when the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Seat(#[expect(dead_code, reason = "held for what its drop does")] Option<Arc<OwnedSemaphorePermit>>);

impl Seat {
    /// The same without holding anybody up.
    pub(crate) fn given_back() -> Self {
        Self(None)
    }
}

/// When which agent is to be looked at.
#[derive(Debug)]
pub(super) struct Wheel {
    alarms: Alarms,
    /// Held while it is decided what goes into the register, so that a late "later" cannot overtake an "earlier".
    order: Mutex<()>,
    seats: Arc<Semaphore>,
    later: Mutex<Later>,
    /// Agents that are about to be given what is due.
    ringing: AtomicUsize,
    /// The time of day when it was last looked at.
    seen: AtomicI64,
    /// The time that is noted for the next start.
    noted: AtomicI64,
    went_back: WentBack,
}

/// Agents that are to look at their delays because the time of day went back.
#[derive(Debug, Default)]
struct WentBack {
    any: AtomicBool,
    agents: Mutex<HashSet<AgentId>>,
}

/// Wake-ups to be moved back in the register, which nobody waits for.
#[derive(Debug, Default)]
struct Later {
    moves: Vec<(Moving, Wish)>,
    /// Somebody is at it.
    busy: bool,
    /// The node is gone. What is in here holds it, so nothing may stay.
    closed: bool,
}

impl Wheel {
    pub(super) fn new(options: &Options) -> Self {
        let seats = Arc::new(Semaphore::new(options.wakes_at_once.clamp(1, Semaphore::MAX_PERMITS)));
        Self {
            alarms: Alarms::default(),
            order: Mutex::new(()),
            seats,
            later: Mutex::default(),
            ringing: AtomicUsize::new(0),
            seen: AtomicI64::new(i64::MIN),
            noted: AtomicI64::new(i64::MIN),
            went_back: WentBack::default(),
        }
    }

    /// The node goes: wake-ups that were to be moved later stay where they are, which is early.
    pub(super) fn close(&self) {
        let moves = {
            let mut later = self.later.lock();
            later.closed = true;
            std::mem::take(&mut later.moves)
        };
        drop(moves);
        self.wake();
    }

    /// Has whoever waits look again.
    pub(super) fn wake(&self) {
        self.alarms.wake();
    }

    /// Whether nothing is due and every agent has what was.
    pub(super) fn is_at_rest(&self, now: i64) -> bool {
        self.ringing.load(Ordering::Acquire) == 0 && self.alarms.next().is_none_or(|at| at > now)
    }

    /// A seat, once one is free.
    pub(super) async fn seat(&self) -> Option<Seat> {
        let permit = Arc::clone(&self.seats).acquire_owned().await.ok()?;
        Some(Seat(Some(Arc::new(permit))))
    }
}

impl Shared {
    /// Reads the register. `noted` is the time when the last node of this directory looked: if the time of day went back meanwhile,
    /// this one sees it.
    pub(super) fn set_stored_alarms(&self, noted: Option<i64>) -> Result<()> {
        if let Some(noted) = noted {
            self.wheel.seen.store(noted, Ordering::Release);
            self.wheel.noted.store(noted, Ordering::Release);
        }
        for (key, at) in self.store.alarms().map_err(storage::error)? {
            self.wheel.alarms.set(&AgentId::from_stored(key.namespace(), key.name()), at);
        }
        Ok(())
    }

    /// Sets the timer of an agent, or takes it back.
    pub(crate) fn set_timer(&self, id: &AgentId, at: Option<i64>) {
        match at {
            Some(at) => self.wheel.alarms.set(id, at),
            None => self.wheel.alarms.remove(id),
        }
    }

    pub(crate) fn ring_no_later(&self, id: &AgentId, at: i64) {
        self.wheel.alarms.set_no_later(id, at);
    }

    /// Queues a wake-up to be registered, unless one is that comes no later.
    pub(crate) fn queue_earlier(&self, cell: &Cell, at: i64) -> Option<QueuedAlarm> {
        let _order = self.wheel.order.lock();
        // From here on nobody moves it later on behalf of an earlier turn.
        cell.note_also_wanted(at);
        (!cell.is_registered_by(at)).then(|| self.store.queue_alarm(&key_of(&cell.id), Some(at)))
    }

    /// Makes a queued wake-up durable. Blocks, and shares the sync with whoever does the same.
    pub(crate) fn settle_earlier(&self, cell: &Cell, at: i64, queued: QueuedAlarm) -> Result<()> {
        queued.settle().map_err(storage::error)?;
        cell.note_registered(Some(at));
        self.wheel.alarms.set_no_later(&cell.id, at);
        Ok(())
    }

    /// Moves a wake-up in the register back, or clears it, unless the agent wants another by then.
    pub(crate) fn move_alarm_later(self: &Arc<Self>, cell: Arc<Cell>, wish: Wish) {
        let moving = Moving::new(cell);
        let mut later = self.wheel.later.lock();
        if later.closed {
            drop(later);
            return drop(moving);
        }
        later.moves.push((moving, wish));
        if std::mem::replace(&mut later.busy, true) {
            return;
        }
        drop(later);
        let node = Arc::clone(self);
        self.spawn_blocking(move || node.move_all_later());
    }

    /// As many at a time as have come while the last were synced.
    fn move_all_later(&self) {
        loop {
            let moves = {
                let mut later = self.wheel.later.lock();
                later.busy = !later.moves.is_empty();
                if !later.busy {
                    return;
                }
                std::mem::take(&mut later.moves)
            };
            let queued: Vec<_> = {
                let _order = self.wheel.order.lock();
                let queue = |cell: &Cell, wish: Wish| cell.still_wishes(wish).then(|| self.queue_later(cell, wish.at));
                moves.into_iter().map(|(moving, wish)| (queue(moving.cell(), wish), moving)).collect()
            };
            for (queued, moving) in queued {
                if let Some(Err(error)) = queued.map(QueuedAlarm::settle) {
                    let agent = &moving.cell().id;
                    tracing::warn!(agent = %agent, error = %error, "a wake-up could not be moved; the agent will be woken early");
                }
            }
        }
    }

    /// Queues a move back, with `order` held. It counts from here on: a turn that wants an earlier one while this is synced
    /// has to register it again, and is written after it.
    fn queue_later(&self, cell: &Cell, at: Option<i64>) -> QueuedAlarm {
        cell.note_registered(at);
        self.store.queue_alarm(&key_of(&cell.id), at)
    }

    /// Takes a destroyed agent's wake-up out of the register. Blocks.
    pub(crate) fn clear_alarm(&self, cell: &Cell) -> Result<()> {
        let queued = {
            let _order = self.wheel.order.lock();
            self.wheel.alarms.remove(&cell.id);
            cell.note_wanted(None);
            self.queue_later(cell, None)
        };
        queued.settle().map_err(storage::error)
    }

    /// Looks at the time of day. If it went back, delays that are counted from before would take too long: every agent that
    /// waits for something is looked at.
    pub(super) fn note_time(&self, now: i64) {
        let seen = self.wheel.seen.swap(now, Ordering::AcqRel);
        if seen == i64::MIN || seen.saturating_sub(now) < JUMP_MS {
            return;
        }
        let mut agents = self.wheel.went_back.agents.lock();
        agents.extend(self.wheel.alarms.bring_forward(now));
        self.wheel.went_back.any.store(!agents.is_empty(), Ordering::Release);
        let by = Duration::from_millis(u64::try_from(seen.saturating_sub(now)).unwrap_or(0));
        tracing::warn!(by = ?by, agents = agents.len(), "the time of day went back; agents with delays are looked at");
    }

    /// Notes the time for the next start, now and then, or `at_once`, if anybody waits for anything. While agents have yet to
    /// look at their delays what was noted stays: after a crash they are looked at again.
    pub(super) fn keep_time(&self, now: i64, at_once: bool) {
        let noted = self.wheel.noted.load(Ordering::Acquire);
        let is_fresh = (noted..noted.saturating_add(NOTED_EVERY_MS)).contains(&now) && !at_once;
        if is_fresh || self.wheel.went_back.any.load(Ordering::Acquire) || self.wheel.alarms.next().is_none() {
            return;
        }
        self.wheel.noted.store(now, Ordering::Release);
        if let Err(error) = self.block(|| self.store.note_time(now)) {
            tracing::warn!(error = %error, "the time could not be noted for the next start");
        }
    }

    /// Whether the agent is one of those that look at their delays because the time of day went back. It is asked once.
    pub(crate) fn went_back_for(&self, id: &AgentId) -> bool {
        if !self.wheel.went_back.any.load(Ordering::Acquire) {
            return false;
        }
        let mut agents = self.wheel.went_back.agents.lock();
        let was_one = agents.remove(id);
        self.wheel.went_back.any.store(!agents.is_empty(), Ordering::Release);
        was_one
    }

    fn ring(self: &Arc<Self>, id: &AgentId, seat: Seat) {
        if let Err(error) = self.give(id, Job::Alarm(seat)) {
            tracing::error!(agent = %id, error = ?error, "a wake-up is due, and its agent cannot be reached");
        }
        self.wheel.ringing.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Gives every due wake-up to its agent, until the node is dropped.
pub(super) async fn turn(node: Weak<Shared>) {
    loop {
        let Some(shared) = node.upgrade().filter(|shared| !shared.is_stopping()) else { return };
        let now = shared.clock.now().as_millisecond();
        shared.note_time(now);
        shared.keep_time(now, false);
        let due = shared.wheel.alarms.due(now, AT_ONCE);
        if !due.is_empty() {
            give_out(&shared, due).await;
            continue;
        }
        // Wall-clock time may jump, so no wait is longer than this.
        let longest = shared.clock.longest_wait();
        let wait = shared.wheel.alarms.next().map_or(longest, |at| until(at, now).min(longest));
        tokio::select! {
            () = shared.clock.sleep(wait) => {}
            () = shared.wheel.alarms.changed() => {}
        }
    }
}

async fn give_out(shared: &Arc<Shared>, due: Vec<AgentId>) {
    let few = due.len() <= FEW;
    for id in due {
        let Some(seat) = shared.wheel.seat().await else { return };
        shared.wheel.ringing.fetch_add(1, Ordering::AcqRel);
        if few {
            shared.ring(&id, seat);
            continue;
        }
        let node = Arc::clone(shared);
        shared.spawn(async move { node.ring(&id, seat) });
    }
}

fn until(at: i64, now: i64) -> Duration {
    Duration::from_millis(u64::try_from(at.saturating_sub(now)).unwrap_or(0))
}
