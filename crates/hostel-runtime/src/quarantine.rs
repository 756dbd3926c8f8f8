//! Agents that keep failing, held back with growing delays.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use hostel_core::{AgentId, Error};
use hostel_protocol::refusal::Code;
use parking_lot::Mutex;

/// Failures in a row that are let through at once: a passing fault should not cost a delay.
const FREE_FAILURES: u32 = 3;
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(300);
/// A panic this long after the one before starts a new count.
const FORGET_AFTER: Duration = Duration::from_secs(60);

/// One agent in quarantine.
#[derive(Debug, Clone)]
pub struct Quarantined {
    /// Which.
    pub id: AgentId,
    /// Failures in a row.
    pub failures: u32,
    /// Time until the next attempt is let through; zero when it may be made now.
    pub retry_in: Duration,
    /// What the last attempt failed with.
    pub reason: String,
}

#[derive(Debug)]
struct Record {
    failures: u32,
    last: Instant,
    until: Instant,
    reason: String,
}

/// The failing agents of a node.
#[derive(Debug, Default)]
pub(crate) struct Quarantine(Mutex<HashMap<AgentId, Record>>);

impl Quarantine {
    /// Whether an attempt to start may be made now.
    ///
    /// # Errors
    /// `agent_quarantined`, saying for how long and why.
    pub(crate) fn check(&self, id: &AgentId) -> Result<(), Error> {
        let records = self.0.lock();
        let Some(record) = records.get(id) else { return Ok(()) };
        let left = record.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        let seconds = left.as_secs() + 1;
        let message = format!(
            "{id} failed {} times in a row and is held back for another {seconds} s. The last failure: {}",
            record.failures, record.reason
        );
        Err(Error::coded(Code::AgentQuarantined, message)
            .with_fix(format!("mend the cause, then run `hostel agents clear {id}`")))
    }

    /// Counts a failure. Returns whether the agent is held back now.
    pub(crate) fn record(&self, id: &AgentId, reason: &str) -> bool {
        let now = Instant::now();
        let mut records = self.0.lock();
        let record = records.entry(id.clone()).or_insert_with(|| Record::new(now));
        if now.duration_since(record.last) > FORGET_AFTER + record.until.saturating_duration_since(record.last) {
            *record = Record::new(now);
        }
        record.failures += 1;
        record.last = now;
        record.until = now + delay(record.failures);
        record.reason = reason.to_owned();
        record.failures > FREE_FAILURES
    }

    /// Forgets the failures of an agent that works again, or was cleared by an operator.
    pub(crate) fn clear(&self, id: &AgentId) -> bool {
        let mut records = self.0.lock();
        !records.is_empty() && records.remove(id).is_some()
    }

    /// Every agent with failures, for operators.
    pub(crate) fn list(&self) -> Vec<Quarantined> {
        let now = Instant::now();
        let show = |(id, record): (&AgentId, &Record)| Quarantined {
            id: id.clone(),
            failures: record.failures,
            retry_in: record.until.saturating_duration_since(now),
            reason: record.reason.clone(),
        };
        self.0.lock().iter().map(show).collect()
    }
}

impl Record {
    fn new(now: Instant) -> Self {
        Self { failures: 0, last: now, until: now, reason: String::new() }
    }
}

fn delay(failures: u32) -> Duration {
    match failures.checked_sub(FREE_FAILURES + 1) {
        None => Duration::ZERO,
        Some(doublings) => FIRST_DELAY.saturating_mul(1 << doublings.min(16)).min(LONGEST_DELAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_from_one_second_to_five_minutes_after_three_free_failures() {
        let seconds: Vec<u64> = [1, 3, 4, 5, 6, 12, 13, 40].map(|failures| delay(failures).as_secs()).into();
        assert_eq!(seconds, [0, 0, 1, 2, 4, 256, 300, 300]);
    }
}
