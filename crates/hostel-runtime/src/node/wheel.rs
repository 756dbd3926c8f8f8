//! The node's timer: one durable register, one wheel in memory for all agents, and a bounded number woken at a time.
//!
//! An earlier wake-up is registered before its turn commits, a later one after: the register may be early, never late. What
//! is due is given out in the order of time; whoever is woken holds one of a few seats until what it did is durable, so
//! that a hundred thousand at the same minute pass through without all being in memory.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
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
    cell::{Cell, Job},
    options::Options,
    storage,
};

/// Wake-ups taken out of the wheel at a time.
const AT_ONCE: usize = 64;
/// More than this at a time are spread over the threads.
const FEW: usize = 1;

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
}

/// Wake-ups to be moved back in the register, which nobody waits for.
#[derive(Debug, Default)]
struct Later {
    moves: Vec<(Arc<Cell>, Option<i64>)>,
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
    /// Reads the register.
    pub(super) fn set_stored_alarms(&self) -> Result<()> {
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
    pub(crate) fn move_alarm_later(self: &Arc<Self>, cell: Arc<Cell>, at: Option<i64>) {
        let mut later = self.wheel.later.lock();
        if later.closed {
            return;
        }
        later.moves.push((cell, at));
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
                let still = moves.into_iter().filter(|(cell, at)| cell.still_wants(*at));
                still.map(|(cell, at)| (self.queue_later(&cell, at), cell)).collect()
            };
            for (queued, cell) in queued {
                if let Err(error) = queued.settle() {
                    tracing::warn!(agent = %cell.id, error = %error, "a wake-up could not be moved; the agent will be woken early");
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
