//! The low-level wake-up: at least once, never lost.
//!
//! The agent's own database says when it wants to be woken; the node's register says when to look. An earlier wake-up is
//! registered before the turn commits, a later one once the turn is durable. So the register may be early, and never late.

use std::sync::atomic::Ordering;

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
        self.note_wanted(wake);
        self.node.set_timer(&self.id, look);
        let cell = self.arc();
        Delivery::resolve(move |durable| {
            if durable.is_ok() && !cell.is_registered(wake) {
                cell.shared().move_alarm_later(cell, wake);
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
        self.release(vec![Delivery::resolve(move |_| drop(seat))]);
    }

    fn look_and_do(&self, seat: &Seat) {
        let now = self.node.clock.now().as_millisecond();
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
        self.note_wanted(moments.wake);
        self.node.set_timer(&self.id, moments.look);
        let cell = self.arc();
        Some(Delivery::resolve(move |durable| {
            if durable.is_ok() {
                cell.shared().move_alarm_later(cell, moments.wake);
            }
        }))
    }

    pub(crate) fn note_wanted(&self, at: Option<i64>) {
        self.wanted_alarm.store(at.unwrap_or(NO_ALARM), Ordering::Relaxed);
    }

    /// A turn that has not committed yet wants this: until it has, nothing later than either may be registered.
    pub(crate) fn note_also_wanted(&self, at: i64) {
        self.wanted_alarm.fetch_min(at, Ordering::Relaxed);
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

    pub(crate) fn still_wants(&self, at: Option<i64>) -> bool {
        self.wanted_alarm.load(Ordering::Relaxed) == at.unwrap_or(NO_ALARM)
    }

    /// What the database says, as the agent comes into memory.
    pub(super) fn moments_loaded(&self, moments: Moments) {
        self.note_wanted(moments.wake);
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
        let wanted = self.wanted_alarm.load(Ordering::Relaxed);
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
