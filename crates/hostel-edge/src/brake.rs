//! Slows clients down that are refused again and again and come back at once.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Refusals an address gets at once; older clients retry for ever (agents-protocol, 2.6).
const FREE: u32 = 5;
const STEP: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(10);
/// An address that was not refused for this long starts anew.
const FORGET: Duration = Duration::from_secs(60);
const MOST_ADDRESSES: usize = 10_000;

/// Counts refusals by address. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Brake(Arc<Mutex<HashMap<IpAddr, (u32, Instant)>>>);

impl Brake {
    /// How long to hold this refusal back.
    pub(crate) fn delay(&self, address: IpAddr) -> Duration {
        let now = Instant::now();
        let mut refused = self.0.lock();
        if refused.len() >= MOST_ADDRESSES {
            refused.retain(|_, (_, last)| now.duration_since(*last) < FORGET);
        }
        if refused.len() >= MOST_ADDRESSES {
            return STEP;
        }
        let (count, last) = refused.entry(address).or_insert((0, now));
        if now.duration_since(*last) > FORGET {
            *count = 0;
        }
        *count = count.saturating_add(1);
        *last = now;
        pause(*count)
    }
}

fn pause(count: u32) -> Duration {
    STEP.saturating_mul(count.saturating_sub(FREE)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_spaced_out_after_the_first_few() {
        let brake = Brake::default();
        let address = IpAddr::from([127, 0, 0, 1]);
        let delays: Vec<u128> = (0..8).map(|_| brake.delay(address).as_millis()).collect();
        assert_eq!(delays, [0, 0, 0, 0, 0, 200, 400, 600]);
        assert_eq!(brake.delay(IpAddr::from([127, 0, 0, 2])), Duration::ZERO);
        assert_eq!(pause(u32::MAX), LONGEST);
    }
}
