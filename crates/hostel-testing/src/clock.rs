//! A clock that stands still until it is turned.

use std::{
    collections::BTreeMap,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use hostel::{BoxFuture, Clock, Timestamp};
use parking_lot::Mutex;

/// A clock that stands still until it is turned. Cheap to clone; all clones are one clock.
///
/// It has two hands, as a machine has: the time of day, which may jump, and the time that has passed, which sleepers wait
/// for and which only grows.
#[derive(Clone)]
pub struct VirtualClock(Arc<Mutex<Hands>>);

struct Hands {
    day: Timestamp,
    passed: Duration,
    sleepers: BTreeMap<(Duration, u64), Waker>,
    next: u64,
}

impl VirtualClock {
    /// A clock that shows `day`.
    pub fn at(day: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Hands { day, passed: Duration::ZERO, sleepers: BTreeMap::new(), next: 0 })))
    }

    /// When the next sleeper wakes, as time from now, if that is within `limit`.
    pub(crate) fn next_within(&self, limit: Duration) -> Option<Duration> {
        let hands = self.0.lock();
        let ((at, _), _) = hands.sleepers.first_key_value()?;
        let wait = at.saturating_sub(hands.passed);
        (wait <= limit).then_some(wait)
    }

    /// Turns both hands, and wakes who is due.
    pub(crate) fn turn(&self, by: Duration) {
        let due = {
            let mut hands = self.0.lock();
            hands.passed += by;
            hands.day = hands.day.saturating_add(by).unwrap_or(Timestamp::MAX);
            let later = (hands.passed, u64::MAX);
            let rest = hands.sleepers.split_off(&later);
            std::mem::replace(&mut hands.sleepers, rest)
        };
        due.into_values().for_each(Waker::wake);
    }

    /// Sets the time of day, as an operator or a time server does: nobody's waiting gets shorter or longer.
    pub(crate) fn set_day(&self, day: Timestamp) {
        self.0.lock().day = day;
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.0.lock().day
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        let mut hands = self.0.lock();
        hands.next += 1;
        let key = (hands.passed.saturating_add(duration), hands.next);
        Box::pin(Sleep { clock: self.clone(), key })
    }

    /// It changes only by [`crate::TestHome`], which says so.
    fn longest_wait(&self) -> Duration {
        Duration::MAX
    }
}

impl fmt::Debug for VirtualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VirtualClock").field(&self.now()).finish()
    }
}

/// Waits until its time has passed. Dropping it takes it off the list.
struct Sleep {
    clock: VirtualClock,
    key: (Duration, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut hands = self.clock.0.lock();
        if hands.passed >= self.key.0 {
            return Poll::Ready(());
        }
        hands.sleepers.insert(self.key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.clock.0.lock().sleepers.remove(&self.key);
    }
}
