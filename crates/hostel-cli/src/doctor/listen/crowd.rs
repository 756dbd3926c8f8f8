//! Who came how often: clients that reconnect in a loop.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// So many visits of one client within a minute are a loop.
const LOOP: usize = 6;
const MINUTE: Duration = Duration::from_secs(60);
/// More clients than this are not kept apart.
const MOST: usize = 10_000;

/// Everybody who came.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    last: AtomicU64,
    visits: Mutex<HashMap<String, VecDeque<Instant>>>,
}

impl Crowd {
    /// A number for a new visitor.
    pub(super) fn next(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Notes a visit; says how many there were in the last minute, at each [`LOOP`]th one.
    pub(super) fn visit(&self, client: &str, now: Instant) -> Option<usize> {
        let mut visits = self.visits.lock();
        if visits.len() >= MOST {
            visits.clear();
        }
        let times = visits.entry(client.to_owned()).or_default();
        while times.front().is_some_and(|time| now.duration_since(*time) > MINUTE) {
            times.pop_front();
        }
        times.push_back(now);
        times.len().is_multiple_of(LOOP).then_some(times.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_visits_within_a_minute_are_a_loop_and_slow_ones_are_not() {
        let crowd = Crowd::default();
        let start = Instant::now();
        let visit = |after: u64| crowd.visit("a", start + Duration::from_secs(after));
        assert!((0..5).all(|second| visit(second).is_none()));
        assert_eq!(visit(5), Some(6));
        assert_eq!(crowd.visit("b", start), None);
        assert!((2..30).all(|minute| visit(minute * 61).is_none()));
    }
}
