//! The low-level wake-up: at least once, never lost.
//!
//! The agent's own database says when it wants to be woken; the node's register says when to look. An earlier wake-up is
//! registered before the turn commits, a later one once the turn is durable. So the register may be early, and never late.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use hostel_core::{Error, Result, event::Event, handler::Mode};
use jiff::Timestamp;

use super::{
    Awake, Cell, NO_ALARM, cause,
    tasks::Moments,
    turn::{Turn, asleep},
};
use crate::{gate::Delivery, node::Seat, storage};

/// Delay of the first repetition of a failing `on_alarm`; it doubles up to [`LONGEST_RETRY_MS`].
const FIRST_RETRY_MS: i64 = 2_000;
const LONGEST_RETRY_MS: i64 = 300_000;

/// Keeps a cell in the registry while a wake-up of its agent is moved later: another cell of the agent would not know of
/// it, and what that one registers might be overwritten.
#[derive(Debug)]
pub(crate) struct Moving(Arc<Cell>);

impl Moving {
    pub(crate) fn new(cell: Arc<Cell>) -> Self {
        cell.moving.fetch_add(1, Ordering::AcqRel);
        Self(cell)
    }

    pub(crate) fn cell(&self) -> &Cell {
        &self.0
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        let was_last = self.0.moving.fetch_sub(1, Ordering::AcqRel) == 1;
        if was_last && !self.0.is_awake() {
            self.0.tidy_up();
        }
    }
}

/// When a turn wants the agent to be woken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    number: u64,
    pub(crate) at: Option<i64>,
}

/// The wake-up as of the last commit, or [`NO_ALARM`]; or an earlier one that the turn under way wants.
#[derive(Debug)]
pub(super) struct Wanted {
    at: AtomicI64,
    /// How often it was set.
    wishes: AtomicU64,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { at: AtomicI64::new(NO_ALARM), wishes: AtomicU64::new(0) }
    }
}

impl Wanted {
    fn set(&self, at: Option<i64>) -> Wish {
        let number = self.wishes.fetch_add(1, Ordering::AcqRel) + 1;
        self.at.store(at.unwrap_or(NO_ALARM), Ordering::Relaxed);
        Wish { number, at }
    }

    fn set_no_later(&self, at: i64) {
        self.wishes.fetch_add(1, Ordering::AcqRel);
        self.at.fetch_min(at, Ordering::Relaxed);
    }

    /// What the database has. If that is what the last turn wished, its wish stands.
    fn confirm(&self, at: Option<i64>) {
        if self.get() != at.unwrap_or(NO_ALARM) {
            self.set(at);
        }
    }

    fn get(&self) -> i64 {
        self.at.load(Ordering::Relaxed)
    }

    /// Whether no turn has wished since: an equal wish of a later turn need not be durable yet, and one between the two may
    /// be all that is.
    fn is_last(&self, wish: Wish) -> bool {
        self.wishes.load(Ordering::Acquire) == wish.number
    }
}

impl Cell {
    /// Registers a wake-up that is earlier than the registered one, durably, before the turn commits.
    pub(super) fn register_earlier(&self, at: Option<i64>) -> Result<()> {
        let Some(at) = at else { return Ok(()) };
        match self.node.queue_earlier(self, at) {
            None => Ok(()),
            Some(queued) => self.node.block(|| self.node.settle_earlier(self, at, queued)),
        }
    }

    /// The turn that asked for these has committed: sets the timer, and says what to do with the register once
    /// the turn is durable. Failing at that is harmless: we look too early.
    pub(super) fn moments_committed(&self, Moments { wake, look }: Moments) -> Delivery {
        let wish = self.note_wanted(wake);
        self.node.set_timer(&self.id, look);
        let cell = self.arc();
        Delivery::resolve(move |durable| {
            if durable.is_ok() && !cell.is_registered(wake) {
                cell.shared().move_alarm_later(cell, wish);
            }
        })
    }

    /// When the wake-up is to be rung: not while it is, and not too soon after it has failed.
    pub(super) fn alarm_to_ring(&self, stored: Option<i64>) -> Option<i64> {
        if self.ringing.load(Ordering::Relaxed) {
            return None;
        }
        stored.map(|at| at.max(self.alarm_not_before.load(Ordering::Relaxed)))
    }

    /// The register says it is time. The agent's database has the last word.
    pub(super) fn alarm_due(&self, seat: Seat) {
        self.look_and_do(&seat);
        // Not before all of it is durable may the agent leave memory again.
        let cell = self.arc();
        self.release(vec![Delivery::resolve(move |_| {
            cell.node.sleepers.let_go(&cell, &cell.node.options);
            drop(seat);
        })]);
    }

    fn look_and_do(&self, seat: &Seat) {
        let now = self.node.clock.now().as_millisecond();
        if self.node.went_back_for(&self.id)
            && let Err(error) = self.shorten_delays(now)
        {
            tracing::warn!(agent = %self.id, error = ?error, "delays could not be shortened after the clock went back");
        }
        let mut seen = Ok(Moments::default());
        // Within a turn, so that no other turn sets a new wake-up meanwhile.
        self.turn(
            &Turn::own(Mode::Read),
            |_| self.moments_now(),
            |moments, deliveries| {
                seen = moments.inspect(|moments| deliveries.extend(self.not_due(*moments, now)));
            },
        );
        match seen {
            Ok(moments) if moments.is_due(now) => self.do_what_is_due(now, seat),
            Ok(_) => {}
            Err(error) => self.retry_alarm(&error),
        }
    }

    fn do_what_is_due(&self, now: i64, seat: &Seat) {
        let begun = self.stored_alarm().and_then(|stored| {
            if let (Some(at), true) = (stored, self.alarm_to_ring(stored).is_some_and(|at| at <= now)) {
                self.ring(at);
            }
            self.run_due(now, seat)
        });
        match begun.and_then(|()| self.moments_now()) {
            Ok(moments) => self.node.set_timer(&self.id, moments.look),
            // It may have been put out of memory by what it did.
            Err(_) if !self.is_awake() => self.look_again(),
            Err(error) => self.retry_alarm(&error),
        }
    }

    /// Looked too early: sets the timer and the register right.
    fn not_due(&self, moments: Moments, now: i64) -> Option<Delivery> {
        if moments.is_due(now) {
            return None;
        }
        let wish = self.note_wanted(moments.wake);
        self.node.set_timer(&self.id, moments.look);
        let cell = self.arc();
        Some(Delivery::resolve(move |durable| {
            if durable.is_ok() {
                cell.shared().move_alarm_later(cell, wish);
            }
        }))
    }

    pub(crate) fn note_wanted(&self, at: Option<i64>) -> Wish {
        self.wanted.set(at)
    }

    /// A turn that has not committed yet wants this: until it has, nothing later than either may be registered.
    pub(crate) fn note_also_wanted(&self, at: i64) {
        self.wanted.set_no_later(at);
    }

    pub(crate) fn is_registered_by(&self, at: i64) -> bool {
        self.registered_alarm.load(Ordering::Relaxed) <= at
    }

    pub(crate) fn note_registered(&self, at: Option<i64>) {
        self.registered_alarm.store(at.unwrap_or(NO_ALARM), Ordering::Relaxed);
    }

    fn is_registered(&self, at: Option<i64>) -> bool {
        self.registered_alarm.load(Ordering::Relaxed) == at.unwrap_or(NO_ALARM)
    }

    pub(crate) fn still_wishes(&self, wish: Wish) -> bool {
        self.wanted.is_last(wish)
    }

    /// What the database says, as the agent comes into memory.
    pub(super) fn moments_loaded(&self, moments: Moments) {
        self.wanted.confirm(moments.wake);
        self.note_registered(moments.wake);
        if let Some(at) = moments.look {
            self.node.ring_no_later(&self.id, at);
        }
    }

    /// Nothing is under way: the agent comes into memory.
    pub(super) fn nothing_under_way(&self) {
        self.ringing.store(false, Ordering::Relaxed);
        self.running.clear();
        self.declared.store(false, Ordering::Relaxed);
    }

    /// The agent was put out of memory in the middle of something: what it wanted to be woken for is looked at again.
    pub(super) fn look_again(&self) {
        let wanted = self.wanted.get();
        if wanted != NO_ALARM {
            let soon = self.node.clock.now().as_millisecond().saturating_add(FIRST_RETRY_MS);
            self.node.ring_no_later(&self.id, wanted.max(soon));
        }
    }

    pub(super) fn stored_alarm(&self) -> Result<Option<i64>> {
        match self.store.lock().as_ref() {
            Some(db) => db.alarm().map_err(storage::error),
            None => Err(asleep(self)),
        }
    }

    /// Runs `on_alarm`, and clears the wake-up when that has succeeded, unless the hook set a new one.
    fn ring(&self, at: i64) {
        if self.class.mode(&Event::Alarm).is_none() {
            tracing::warn!(agent = %self.id, "a wake-up is due, and the class has no on_alarm; it is dropped");
            return self.clear_rung(at);
        }
        self.alarm_renewed.store(false, Ordering::Relaxed);
        self.ringing.store(true, Ordering::Relaxed);
        self.run_hook(Event::Alarm, None, move |cell, outcome| {
            cell.ringing.store(false, Ordering::Relaxed);
            match outcome {
                Ok(_) => cell.clear_rung(at),
                Err(error) => {
                    cell.retry_alarm(&error);
                    cell.report("on_alarm", error);
                }
            }
        });
    }

    fn clear_rung(&self, at: i64) {
        self.alarm_failures.store(0, Ordering::Relaxed);
        self.alarm_not_before.store(i64::MIN, Ordering::Relaxed);
        let mut cleared = Ok(());
        let clear = |_: &mut Awake| {
            let stored = self.stored_alarm()?;
            if !self.alarm_renewed.load(Ordering::Relaxed) && stored == Some(at) {
                self.alarm_set(None);
            }
            // If the hook asked to be woken again, the timer that has gone off is set anew.
            self.scratch.lock().orders = true;
            Ok(())
        };
        let turn = Turn { cause: cause::ALARM, ..Turn::own(Mode::Read) };
        self.turn(&turn, clear, |outcome, _| cleared = outcome);
        if let Err(error) = cleared {
            self.retry_alarm(&error);
        }
    }

    /// Looks again later, ever less often. The wake-up stays stored and registered.
    pub(super) fn retry_alarm(&self, error: &Error) {
        let failures = self.alarm_failures.fetch_add(1, Ordering::Relaxed).min(16);
        let delay = (FIRST_RETRY_MS << failures).min(LONGEST_RETRY_MS);
        tracing::warn!(agent = %self.id, error = ?error, delay_ms = delay, "a wake-up failed and is tried again");
        let at = self.node.clock.now().as_millisecond().saturating_add(delay);
        self.alarm_not_before.store(at, Ordering::Relaxed);
        self.node.ring_no_later(&self.id, at);
    }

    pub(super) fn alarm_set(&self, at: Option<Timestamp>) {
        self.scratch.lock().alarm = Some(at.map(|at| at.as_millisecond()));
    }

    pub(super) fn alarm_seen(&self) -> Result<Option<i64>> {
        let pending = self.scratch.lock().alarm;
        match pending {
            Some(pending) => Ok(pending),
            None => self.stored_alarm(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_over_when_another_came_even_if_the_last_is_equal_to_it() {
        let wanted = Wanted::default();
        let first = wanted.set(Some(9));
        assert!(wanted.is_last(first));
        let between = wanted.set(Some(3));
        let last = wanted.set(Some(9));
        assert!(!wanted.is_last(first) && !wanted.is_last(between) && wanted.is_last(last));
        wanted.confirm(Some(9));
        assert!(wanted.is_last(last));
        wanted.set_no_later(20);
        assert!(!wanted.is_last(last), "a turn under way wants something, too");
        assert_eq!(wanted.get(), 9);
    }
}
