//! How often somebody may do something: a bucket each, in eight bytes, and never more than so many of them.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// So many at once, and as many again in each period.
///
/// ```
/// use std::time::Duration;
/// use hostel_edge::Rate;
///
/// let rate = Rate::new(600, Duration::from_secs(60));
/// assert_eq!(rate, "600/m".parse()?);
/// # Ok::<(), hostel_edge::BadRate>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    period: Duration,
}

/// A text that is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a rate such as 20/s, 600/m or 1000/h, found {0:?}")]
pub struct BadRate(String);

impl Rate {
    /// `count` in each `period`; both at least one, a nanosecond respectively.
    pub fn new(count: u32, period: Duration) -> Self {
        Self { count: count.max(1), period: period.max(Duration::from_nanos(1)) }
    }

    /// What one costs.
    fn step(self) -> u64 {
        (nanos(self.period) / u64::from(self.count)).max(1)
    }
}

impl std::str::FromStr for Rate {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Self, BadRate> {
        let bad = || BadRate(text.to_owned());
        let (count, period) = text.split_once('/').ok_or_else(bad)?;
        let seconds = match period.trim() {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(bad()),
        };
        let count = count.trim().replace('_', "").parse().ok().filter(|count| *count > 0).ok_or_else(bad)?;
        Ok(Self::new(count, Duration::from_secs(seconds)))
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unit = match self.period.as_secs() {
            1 => "s",
            60 => "m",
            3600 => "h",
            _ => return write!(f, "{}/{:?}", self.count, self.period),
        };
        write!(f, "{}/{unit}", self.count)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4)
}

/// Who is counted at most. Beyond that, newcomers are not counted: other limits hold, and no memory grows.
const MOST: usize = 50_000;
const SWEEP: u64 = 1_000_000_000;

/// One rate, kept for everybody apart; for routes that are not agents', too.
///
/// ```
/// use hostel_edge::{Buckets, Rate};
///
/// let hourly = Buckets::new("1/h".parse::<Rate>()?);
/// assert!(hourly.take("ada").is_ok() && hourly.take("ada").is_err());
/// assert!(hourly.take("bob").is_ok());
/// # Ok::<(), hostel_edge::BadRate>(())
/// ```
#[derive(Debug)]
pub struct Buckets {
    rate: Rate,
    born: Instant,
    hasher: RandomState,
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    /// For each key, when its bucket is full again.
    full_at: HashMap<u64, u64>,
    /// When it was last looked through for full ones.
    swept: u64,
}

impl Buckets {
    /// Full buckets.
    pub fn new(rate: Rate) -> Self {
        Self { rate, born: Instant::now(), hasher: RandomState::new(), counted: Mutex::default() }
    }

    /// Takes one out of the bucket of `who`.
    ///
    /// # Errors
    /// How long it is empty.
    pub fn take(&self, who: impl Hash) -> Result<(), Duration> {
        self.take_at(who, Instant::now(), true)
    }

    /// Whether there is one in the bucket of `who`; takes nothing.
    ///
    /// # Errors
    /// How long it is empty.
    pub fn look(&self, who: impl Hash) -> Result<(), Duration> {
        self.take_at(who, Instant::now(), false)
    }

    fn take_at(&self, who: impl Hash, now: Instant, take: bool) -> Result<(), Duration> {
        let now = nanos(now.saturating_duration_since(self.born));
        let key = self.hasher.hash_one(who);
        let mut counted = self.counted.lock();
        let full = counted.full_at.get(&key).copied().unwrap_or(0).max(now);
        let after = full + self.rate.step();
        let latest = now + nanos(self.rate.period);
        if after > latest {
            return Err(Duration::from_nanos(after - latest));
        }
        if take && counted.has_room(key, now) {
            counted.full_at.insert(key, after);
        }
        Ok(())
    }
}

impl Counted {
    /// Forgets whoever has a full bucket before it grows beyond what is kept; once a second at most, for it takes time.
    fn has_room(&mut self, key: u64, now: u64) -> bool {
        if self.full_at.len() < MOST || self.full_at.contains_key(&key) {
            return true;
        }
        if now.saturating_sub(self.swept) >= SWEEP {
            self.swept = now;
            self.full_at.retain(|_, full| *full > now);
        }
        self.full_at.len() < MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_pass_at_once_and_then_one_in_each_part_of_the_period() {
        let buckets = Buckets::new("4/s".parse().unwrap());
        let start = buckets.born;
        let at = |millis: u64| buckets.take_at("ada", start + Duration::from_millis(millis), true);
        assert!((0..4).all(|_| at(0).is_ok()));
        assert_eq!(at(0), Err(Duration::from_millis(250)));
        assert_eq!(at(200), Err(Duration::from_millis(50)));
        assert!(at(250).is_ok() && at(250).is_err());
        assert!(buckets.take_at("bob", start, true).is_ok(), "another has a bucket of their own");
        assert!((0..4).all(|_| at(10_000).is_ok()) && at(10_000).is_err());
    }

    #[test]
    fn looking_takes_nothing() {
        let buckets = Buckets::new("1/h".parse().unwrap());
        assert!((0..3).all(|_| buckets.look("ada").is_ok()));
        assert!(buckets.take("ada").is_ok() && buckets.look("ada").is_err());
    }

    #[test]
    fn a_crowd_of_strangers_takes_no_more_memory_than_there_is_for_them() {
        let buckets = Buckets::new("1/h".parse().unwrap());
        for stranger in 0..2 * MOST {
            assert!(buckets.take(stranger).is_ok());
        }
        assert_eq!(buckets.counted.lock().full_at.len(), MOST);
        assert!(buckets.take(1_usize).is_err(), "who is counted stays counted");
        let later = buckets.born + Duration::from_secs(7_300);
        assert!(buckets.take_at("new", later, true).is_ok());
        assert_eq!(buckets.counted.lock().full_at.len(), 1);
    }

    #[test]
    fn rates_are_read_and_shown() {
        for text in ["20/s", "600/m", "1000/h"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for text in ["", "20", "/s", "0/s", "-1/s", "20/d", "x/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
