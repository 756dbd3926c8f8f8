//! Agents that keep failing, held back with growing delays.

use std::{collections::HashMap, time::Duration};

use hostel_core::{AgentId, Error};
use hostel_protocol::refusal::Code;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Failures in a row that are let through at once: a passing fault should not cost a delay.
const FREE_FAILURES: u32 = 3;
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(300);
/// A failure this long after the end of the last delay starts a new count.
const FORGET_AFTER: Duration = Duration::from_secs(60);

/// Records beyond which those that are over are thrown away: failing names must not fill the memory.
const PRUNE_BEYOND: usize = 1024;

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
    until: Instant,
    reason: String,
    /// It failed while it started, so a start that succeeds ends the row.
    starting: bool,
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
        let Some(left) = record.pause(Instant::now()) else { return Ok(()) };
        let seconds = left.as_secs() + 1;
        let message = format!(
            "{id} failed {} times in a row and is held back for another {seconds} s. The last failure: {}",
            record.failures, record.reason
        );
        Err(Error::coded(Code::AgentQuarantined, message)
            .with_fix(format!("mend the cause, then run `hostel agents clear {id}`")))
    }

    /// How long an agent is still held back, if it is.
    pub(crate) fn pause(&self, id: &AgentId) -> Option<Duration> {
        self.0.lock().get(id)?.pause(Instant::now())
    }

    /// Counts a failure. Returns whether the agent is held back now.
    pub(crate) fn record(&self, id: &AgentId, reason: &str, starting: bool) -> bool {
        let now = Instant::now();
        let mut records = self.0.lock();
        if records.len() >= PRUNE_BEYOND {
            records.retain(|_, record| !record.is_over(now));
        }
        let record = records.entry(id.clone()).or_insert_with(|| Record::new(now));
        if record.is_over(now) {
            *record = Record::new(now);
        }
        record.starting = starting;
        record.failures += 1;
        record.until = now + delay(record.failures);
        record.reason = reason.to_owned();
        record.failures > FREE_FAILURES
    }

    /// An agent has started: if that was what failed, its failures are forgotten.
    pub(crate) fn started(&self, id: &AgentId) {
        let mut records = self.0.lock();
        if !records.is_empty() && records.get(id).is_some_and(|record| record.starting) {
            records.remove(id);
        }
    }

    /// Forgets the failures of an agent. Returns whether there were any.
    pub(crate) fn clear(&self, id: &AgentId) -> bool {
        self.0.lock().remove(id).is_some()
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
        self.0.lock().iter().filter(|(_, record)| !record.is_over(now)).map(show).collect()
    }
}

impl Record {
    fn new(now: Instant) -> Self {
        Self { failures: 0, until: now, reason: String::new(), starting: false }
    }

    fn pause(&self, now: Instant) -> Option<Duration> {
        let left = self.until.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.until) > FORGET_AFTER
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
