//! The low-level wake-up: at least once, never lost.
//!
//! The agent's own database says when it wants to be woken; the node's register says when to look. An earlier wake-up is
//! registered before the turn commits, a later one once the turn is durable. So the register may be early, and never late.

use std::sync::atomic::Ordering;

use hostel_core::{Error, Result, event::Event, handler::Mode};
use jiff::Timestamp;

use super::{
    Awake, Cell, NO_ALARM, cause,
    turn::{Turn, asleep},
};
use crate::{gate::Delivery, storage};

/// Delay of the first repetition of a failing `on_alarm`; it doubles up to [`LONGEST_RETRY_MS`].
const FIRST_RETRY_MS: i64 = 2_000;
const LONGEST_RETRY_MS: i64 = 300_000;

impl Cell {
    /// Registers a wake-up that is earlier than the registered one, durably, before the turn commits.
    pub(super) fn register_earlier(&self, at: Option<i64>) -> Result<()> {
        let Some(at) = at else { return Ok(()) };
        if at >= self.registered_alarm.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.node.block(|| self.node.register_alarm(self, at))
    }

    /// The turn that asked for this wake-up has committed: sets the timer, and says what to do with the register once
    /// the turn is durable. Failing at that is harmless: we look too early.
    pub(super) fn alarm_committed(&self, at: Option<i64>) -> Delivery {
        self.alarm_renewed.store(at.is_some(), Ordering::Relaxed);
        self.note_wanted(at);
        self.node.set_timer(&self.id, at);
        let cell = self.arc();
        Delivery::resolve(move |durable| {
            if durable.is_ok() && !cell.is_registered(at) {
                cell.shared().move_alarm_later(cell, at);
            }
        })
    }

    /// The register says it is time. The agent's database has the last word.
    pub(super) fn alarm_due(&self) {
        if self.ringing.load(Ordering::Relaxed) {
            // When it ends it looks at what is stored by then.
            return;
        }
        let now = self.node.clock.now().as_millisecond();
        let mut due = Ok(None);
        // Within a turn, so that no other turn sets a new wake-up meanwhile.
        self.turn(
            &Turn::own(Mode::Read),
            |_| self.stored_alarm(),
            |stored, deliveries| {
                due = stored.map(|at| at.filter(|at| *at <= now).or_else(|| self.not_due(at, deliveries)));
            },
        );
        match due {
            Ok(Some(at)) => self.ring(at),
            Ok(None) => {}
            Err(error) => self.retry_alarm(&error),
        }
    }

    /// Looked too early: sets the timer and the register right.
    fn not_due(&self, at: Option<i64>, deliveries: &mut Vec<Delivery>) -> Option<i64> {
        self.note_wanted(at);
        self.node.set_timer(&self.id, at);
        let cell = self.arc();
        deliveries.push(Delivery::resolve(move |durable| {
            if durable.is_ok() {
                cell.shared().move_alarm_later(cell, at);
            }
        }));
        None
    }

    pub(crate) fn note_wanted(&self, at: Option<i64>) {
        self.wanted_alarm.store(at.unwrap_or(NO_ALARM), Ordering::Relaxed);
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
    pub(super) fn alarm_loaded(&self, at: Option<i64>) {
        self.note_wanted(at);
        self.note_registered(at);
        self.ringing.store(false, Ordering::Relaxed);
        // A wake-up that has failed has its timer already, and keeps its rhythm.
        if let Some(at) = at
            && self.alarm_failures.load(Ordering::Relaxed) == 0
        {
            self.node.ring_no_later(&self.id, at);
        }
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
        let mut cleared = Ok(());
        let clear = |_: &mut Awake| {
            let stored = self.stored_alarm()?;
            if self.alarm_renewed.load(Ordering::Relaxed) {
                // The hook asked to be woken again: the timer that has just gone off is set anew.
                self.node.set_timer(&self.id, stored);
            } else if stored == Some(at) {
                self.alarm_set(None);
            }
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
