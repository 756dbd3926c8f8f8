//! Holds the refusals of wrong credentials back, so that guessing takes time; and only a few at once, so that it holds nothing up.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use parking_lot::Mutex;

/// How long a refusal waits.
pub(super) const HOLD: Duration = Duration::from_secs(1);
/// Refusals that wait at the same time, in all and of one address. Others are given at once: the rate is bounded all the same, and
/// nobody takes connections and memory by being refused.
const MOST: usize = 256;
const MOST_OF_ONE: usize = 8;

/// Who is kept waiting now.
#[derive(Debug, Default)]
pub(super) struct Patience(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    total: usize,
    of: HashMap<IpAddr, usize>,
}

impl Patience {
    /// A place among those that wait, if there is one.
    pub(super) fn place(&self, address: IpAddr) -> Option<Place<'_>> {
        let mut waiting = self.0.lock();
        let of_this = waiting.of.get(&address).copied().unwrap_or(0);
        if waiting.total >= MOST || of_this >= MOST_OF_ONE {
            return None;
        }
        waiting.total += 1;
        waiting.of.insert(address, of_this + 1);
        Some(Place { patience: self, address })
    }
}

/// Somebody who waits; dropping it makes room for another.
#[derive(Debug)]
pub(super) struct Place<'a> {
    patience: &'a Patience,
    address: IpAddr,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self.patience.0.lock();
        waiting.total -= 1;
        if let Some(of_this) = waiting.of.get_mut(&self.address) {
            *of_this -= 1;
            if *of_this == 0 {
                waiting.of.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: usize) -> IpAddr {
        IpAddr::from([10, 0, 0, u8::try_from(number).unwrap()])
    }

    #[test]
    fn threat_5_one_address_keeps_few_refusals_waiting_and_all_together_not_many() {
        let patience = Patience::default();
        let of_one: Vec<_> = (0..100).map_while(|_| patience.place(address(0))).collect();
        assert_eq!(of_one.len(), MOST_OF_ONE);
        let of_all: Vec<_> = (1..=250).filter_map(|number| patience.place(address(number))).collect();
        assert_eq!(of_one.len() + of_all.len(), MOST);
        assert!(patience.place(address(251)).is_none());
        drop(of_one);
        assert!(patience.place(address(0)).is_some(), "who has waited makes room");
        drop(of_all);
        assert!(patience.0.lock().of.is_empty() && patience.0.lock().total == 0);
    }
}
