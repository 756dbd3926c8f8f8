//! How much one address may send, and how often it may be wrong.

use std::{net::IpAddr, time::Duration};

use hostel_edge::{Buckets, Rate};
use hostel_protocol::refusal::{Code, Refusal};

/// The time that is counted together.
const WINDOW: Duration = Duration::from_secs(60);
/// What an address may send in it.
const MOST: u32 = 1_200;
/// How often it may be unsigned, or for nobody, before it is not told why any more.
const MOST_BAD: u32 = 30;

/// Counts by address. An address may be that of many, so who guesses at it stops nobody who can sign.
#[derive(Debug)]
pub(crate) struct Throttle {
    all: Buckets,
    bad: Buckets,
}

impl Default for Throttle {
    fn default() -> Self {
        let buckets = |most| Buckets::new(Rate::new(most, WINDOW));
        Self { all: buckets(MOST), bad: buckets(MOST_BAD) }
    }
}

impl Throttle {
    /// Counts one; refuses it if there were too many.
    pub(crate) fn check(&self, address: Option<IpAddr>) -> Result<(), Refusal> {
        let Some(address) = address else { return Ok(()) };
        self.all.take(address).map_err(|_| too_many())
    }

    /// What was counted last was wrong: whether it is told so, or only that it was too often.
    pub(crate) fn was_wrong(&self, address: Option<IpAddr>, refusal: Refusal) -> Refusal {
        let Some(address) = address else { return refusal };
        if self.bad.take(address).is_ok() { refusal } else { too_many() }
    }
}

fn too_many() -> Refusal {
    Refusal::new(Code::HookTooMany, "Too much came from this address within a minute.").with_fix("wait a minute")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_wrong_again_and_again_hears_no_more_why_and_its_neighbours_still_come_in() {
        let throttle = Throttle::default();
        let [guesser, other] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().ok());
        let wrong = |address| throttle.was_wrong(address, Refusal::new(Code::HookSignature, "wrong")).code;
        for _ in 0..MOST_BAD {
            assert_eq!(wrong(guesser), Code::HookSignature);
        }
        assert_eq!(wrong(guesser), Code::HookTooMany);
        assert_eq!(wrong(other), Code::HookSignature);
        assert!(throttle.check(guesser).is_ok(), "who can sign comes in from there");
    }

    #[test]
    fn an_address_that_sends_without_end_is_refused_and_others_are_not() {
        let throttle = Throttle::default();
        let [busy, other] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().ok());
        assert!((0..10 * MOST).any(|_| throttle.check(busy).is_err()));
        assert!(throttle.check(other).is_ok());
    }

    #[test]
    fn a_crowd_of_addresses_shuts_nobody_out() {
        let throttle = Throttle::default();
        for address in 0..60_000_u32 {
            assert!(throttle.check(Some(IpAddr::V4(address.into()))).is_ok());
        }
    }
}
