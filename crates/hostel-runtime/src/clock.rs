//! The clock of a node: an argument, so that tests can make a year pass in a second.

use std::{fmt, sync::Arc, time::Duration};

use hostel_core::BoxFuture;
use jiff::{SignedDuration, Timestamp};

/// Tells the time and waits.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// Wall-clock time.
    fn now(&self) -> Timestamp;
    /// Resolves after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<()>;
    /// How long the node may wait before it looks at the time of day again, which a machine's clock may change by itself.
    fn longest_wait(&self) -> Duration {
        Duration::from_secs(30)
    }
}

/// The machine's clock, and tokio's timer.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Clocks that show an earlier time, 2025-01-01T00:00:00Z, are not set: this program is newer. A machine without a battery for its
/// clock begins in 1970, or when its system was built, until a time server is reached.
const EARLIEST: Timestamp = Timestamp::constant(1_735_689_600, 0);

/// What was noted later than this, 2035-01-01T00:00:00Z, was noted by a clock that was wrong: going on from there, everything that waits
/// would be due.
const LATEST: Timestamp = Timestamp::constant(2_051_222_400, 0);

/// The clock itself if it is set; if not, one that goes on from what was noted last, until it is. Otherwise what waits would be
/// measured against a time that never was, and be due too early once the clock is right.
pub(crate) fn believable(clock: Arc<dyn Clock>, noted_ms: Option<i64>) -> Arc<dyn Clock> {
    let shown = clock.now();
    if shown >= EARLIEST {
        return clock;
    }
    let noted = noted_ms.and_then(|noted| Timestamp::from_millisecond(noted).ok());
    let last = noted.filter(|noted| (EARLIEST..=LATEST).contains(noted)).unwrap_or(EARLIEST);
    tracing::warn!(%shown, %last, "the clock of this machine is not set; until it is, time goes on from when it was noted last");
    Arc::new(Unset { clock, behind: last.duration_since(shown) })
}

/// A clock that was not set when the node began.
#[derive(Debug)]
struct Unset {
    clock: Arc<dyn Clock>,
    behind: SignedDuration,
}

impl Clock for Unset {
    fn now(&self) -> Timestamp {
        match self.clock.now() {
            set if set >= EARLIEST => set,
            shown => shown.checked_add(self.behind).unwrap_or(EARLIEST),
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        self.clock.sleep(duration)
    }

    fn longest_wait(&self) -> Duration {
        self.clock.longest_wait()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// Shows what it is told, in seconds.
    #[derive(Debug)]
    struct Told(AtomicI64);

    impl Clock for Told {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
        }

        fn sleep(&self, _: Duration) -> BoxFuture<()> {
            Box::pin(std::future::ready(()))
        }
    }

    fn seconds(clock: &dyn Clock) -> i64 {
        clock.now().as_second()
    }

    const NOTED: i64 = 1_800_000_000;

    #[test]
    fn threat_33_a_clock_that_is_not_set_goes_on_from_the_time_noted_last_until_it_is() {
        let told = Arc::new(Told(AtomicI64::new(7)));
        let clock = believable(told.clone(), Some(NOTED * 1000));
        assert_eq!(seconds(&*clock), NOTED);
        told.0.store(67, Ordering::Relaxed);
        assert_eq!(seconds(&*clock), NOTED + 60);
        told.0.store(NOTED + 1_000, Ordering::Relaxed);
        assert_eq!(seconds(&*clock), NOTED + 1_000);
        told.0.store(NOTED - 1_000, Ordering::Relaxed);
        assert_eq!(seconds(&*clock), NOTED - 1_000, "one that is set may be set back");
    }

    #[test]
    fn without_a_noted_time_or_with_one_that_never_was_it_begins_with_the_earliest_that_can_be() {
        let after = LATEST.as_millisecond() + 1;
        for noted in [None, Some(7_000), Some(after), Some(i64::MAX)] {
            let clock = believable(Arc::new(Told(AtomicI64::new(7))), noted);
            assert_eq!(clock.now(), EARLIEST, "{noted:?}");
        }
        assert_eq!([EARLIEST, LATEST].map(|end| end.to_string()), ["2025-01-01T00:00:00Z", "2035-01-01T00:00:00Z"]);
        let clock = believable(Arc::new(Told(AtomicI64::new(7))), Some(after - 1));
        assert_eq!(clock.now(), LATEST);
    }

    #[test]
    fn a_clock_that_is_set_is_believed_whatever_was_noted() {
        let day = EARLIEST.as_second() + 1;
        let clock = believable(Arc::new(Told(AtomicI64::new(day))), Some(NOTED * 1000));
        assert_eq!(seconds(&*clock), day);
    }
}
