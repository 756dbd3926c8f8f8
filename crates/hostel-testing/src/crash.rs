//! Crashes at chosen points of a write's way.

use std::sync::Arc;

use hostel::{Error, Result};
use hostel_runtime::{Done, Durability};
use hostel_store::{Commit, Store};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// Where a write is when the host dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CrashPoint {
    /// The turn has run and committed; nothing makes its write durable any more, and nobody is told of it. After the
    /// restart it may be there or not.
    Committed,
    /// The write is durable; nobody is told of it. After the restart it is there.
    Durable,
}

/// The next crash that is asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trap(Arc<Mutex<Option<Armed>>>);

#[derive(Debug)]
struct Armed {
    point: CrashPoint,
    /// Commits until then, this one included.
    left: u64,
}

impl Trap {
    pub(crate) fn arm(&self, point: CrashPoint, nth: u64) {
        *self.0.lock() = Some(Armed { point, left: nth.max(1) });
    }

    /// Whether it had not gone off.
    pub(crate) fn disarm(&self) -> bool {
        self.0.lock().take().is_some()
    }

    /// Counts a commit; says whether the host dies with it, and where.
    fn count(&self) -> Option<CrashPoint> {
        let mut armed = self.0.lock();
        let trap = armed.as_mut()?;
        trap.left -= 1;
        if trap.left > 0 {
            return None;
        }
        armed.take().map(|trap| trap.point)
    }

    fn is_armed(&self) -> bool {
        self.0.lock().is_some()
    }
}

/// The store's own durability, with a trap on the way.
#[derive(Debug)]
pub(crate) struct Trapped {
    pub(crate) store: Store,
    pub(crate) trap: Trap,
    /// Cancelled when the host is to die.
    pub(crate) death: CancellationToken,
}

impl Durability for Trapped {
    fn is_durable(&self, commit: &Commit) -> bool {
        // What needs no waiting still has to pass the trap.
        !self.trap.is_armed() && commit.is_durable()
    }

    fn make_durable(&self, commit: &Commit) -> Result<()> {
        hostel_store::make_durable(commit).map_err(Error::msg)
    }

    fn submit(&self, commit: Commit, done: Done) -> Option<(Commit, Done)> {
        let death = self.death.clone();
        match self.trap.count() {
            Some(CrashPoint::Committed) => death.cancel(),
            Some(CrashPoint::Durable) => self.store.submit(commit, move |_| death.cancel()),
            None => self.store.submit(commit, move |outcome| done(outcome.map_err(Error::msg))),
        }
        None
    }
}
