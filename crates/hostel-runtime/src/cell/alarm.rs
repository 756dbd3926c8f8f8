//! The low-level wake-up: at least once, never lost.
//!
//! The agent's own database says when it wants to be woken; the node's register says when to look. An earlier wake-up is
//! registered before the turn commits, a later one after it. So the register may be early, and never late.

use std::sync::atomic::Ordering;

use hostel_core::{Error, Result, event::Event};
use jiff::Timestamp;

use super::{Cell, NO_ALARM};
use crate::storage;

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

    /// Registers a later wake-up, or none, after the turn has committed. Failing to is harmless: we look too early.
    pub(super) fn register_later(&self, at: Option<i64>) {
        let wanted = at.unwrap_or(NO_ALARM);
        if wanted <= self.registered_alarm.load(Ordering::Relaxed) {
            return;
        }
        self.registered_alarm.store(wanted, Ordering::Relaxed);
        self.node.move_alarm_later(self.arc(), at);
    }

    /// The register says it is time. The agent's database has the last word.
    pub(super) fn alarm_due(&self) {
        let now = self.node.clock.now().as_millisecond();
        match self.stored_alarm() {
            Ok(Some(at)) if at <= now => self.ring(at),
            Ok(later) => self.node.move_alarm_later(self.arc(), later),
            Err(error) => self.retry_alarm(&error),
        }
    }

    pub(crate) fn note_registered(&self, at: i64) {
        self.registered_alarm.store(at, Ordering::Relaxed);
    }

    pub(crate) fn is_registered(&self, at: Option<i64>) -> bool {
        self.registered_alarm.load(Ordering::Relaxed) == at.unwrap_or(NO_ALARM)
    }

    pub(super) fn stored_alarm(&self) -> Result<Option<i64>> {
        match self.store.lock().as_ref() {
            Some(db) => db.alarm().map_err(storage::error),
            None => Err(super::turn::asleep(self)),
        }
    }

    /// Runs `on_alarm`, and clears the wake-up when that has succeeded, unless the hook set a new one.
    fn ring(&self, at: i64) {
        if self.class.mode(&Event::Alarm).is_none() {
            tracing::warn!(agent = %self.id, "a wake-up is due, and the class has no on_alarm; it is dropped");
            return self.clear_rung(at);
        }
        self.alarm_renewed.store(false, Ordering::Relaxed);
        self.run_hook(Event::Alarm, None, move |cell, outcome| match outcome {
            Ok(_) => cell.clear_rung(at),
            Err(error) => {
                cell.retry_alarm(&error);
                cell.report("on_alarm", error);
            }
        });
    }

    fn clear_rung(&self, at: i64) {
        self.alarm_failures.store(0, Ordering::Relaxed);
        if self.alarm_renewed.load(Ordering::Relaxed) {
            return self.ring_next();
        }
        let mut cleared = Ok(());
        let clear = |_: &mut super::Awake| {
            if self.stored_alarm()? == Some(at) {
                self.alarm_set(None);
            }
            Ok(())
        };
        self.turn(&super::turn::Turn::own(hostel_core::handler::Mode::Read), clear, |outcome, _| cleared = outcome);
        if let Err(error) = cleared {
            self.retry_alarm(&error);
        }
    }

    /// The hook asked to be woken again: the timer that has just gone off is set anew.
    fn ring_next(&self) {
        match self.stored_alarm() {
            Ok(Some(next)) => self.node.ring_at(&self.id, next),
            Ok(None) => {}
            Err(error) => self.retry_alarm(&error),
        }
    }

    /// Looks again later, ever less often. The wake-up stays stored and registered.
    pub(super) fn retry_alarm(&self, error: &Error) {
        let failures = self.alarm_failures.fetch_add(1, Ordering::Relaxed).min(16);
        let delay = (FIRST_RETRY_MS << failures).min(LONGEST_RETRY_MS);
        tracing::warn!(agent = %self.id, error = ?error, delay_ms = delay, "a wake-up failed and is tried again");
        let at = self.node.clock.now().as_millisecond() + delay;
        self.node.ring_at(&self.id, at);
    }

    pub(super) fn alarm_set(&self, at: Option<Timestamp>) {
        self.scratch.lock().alarm = Some(at.map(|at| at.as_millisecond()));
    }

    pub(super) fn alarm_seen(&self) -> Result<Option<i64>> {
        match self.scratch.lock().alarm {
            Some(pending) => Ok(pending),
            None => self.stored_alarm(),
        }
    }
}
