//! How much one address may send, and how often it may be wrong.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use hostel_protocol::refusal::{Code, Refusal};
use parking_lot::Mutex;

/// The time that is counted together.
const WINDOW: Duration = Duration::from_secs(60);
/// What an address may send in it.
const MOST: u32 = 1_200;
/// How much of that may be unsigned, or for nobody.
const MOST_BAD: u32 = 30;
/// More addresses than this are not told apart.
const MOST_ADDRESSES: usize = 10_000;

/// Counts by address.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    began: Option<Instant>,
    counts: HashMap<IpAddr, (u32, u32)>,
}

impl Throttle {
    /// Counts one; refuses it if there were too many.
    pub(crate) fn check(&self, address: Option<IpAddr>) -> Result<(), Refusal> {
        let Some(address) = address else { return Ok(()) };
        let mut window = self.0.lock();
        window.renew();
        let Some((all, bad)) = window.of(address) else { return Err(too_many()) };
        *all += 1;
        if *all > MOST || *bad >= MOST_BAD { Err(too_many()) } else { Ok(()) }
    }

    /// What was counted last was of the bad kind.
    pub(crate) fn note_bad(&self, address: Option<IpAddr>) {
        let Some(address) = address else { return };
        if let Some((_, bad)) = self.0.lock().of(address) {
            *bad += 1;
        }
    }
}

impl Window {
    fn renew(&mut self) {
        let now = Instant::now();
        if self.began.is_none_or(|began| now.duration_since(began) >= WINDOW) {
            self.began = Some(now);
            self.counts.clear();
        }
    }

    fn of(&mut self, address: IpAddr) -> Option<&mut (u32, u32)> {
        if self.counts.len() >= MOST_ADDRESSES && !self.counts.contains_key(&address) {
            return None;
        }
        Some(self.counts.entry(address).or_default())
    }
}

fn too_many() -> Refusal {
    Refusal::new(Code::HookTooMany, "Too much came from this address within a minute.").with_fix("wait a minute")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_wrong_again_and_again_is_not_heard_any_more_and_others_are() {
        let throttle = Throttle::default();
        let [guesser, other] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().ok());
        for _ in 0..MOST_BAD {
            assert!(throttle.check(guesser).is_ok());
            throttle.note_bad(guesser);
        }
        assert!(throttle.check(guesser).is_err());
        assert!(throttle.check(other).is_ok());
    }
}
