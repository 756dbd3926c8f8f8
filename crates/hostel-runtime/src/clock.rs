//! The clock of a node: an argument, so that tests can make a year pass in a second.

use std::{fmt, time::Duration};

use hostel_core::BoxFuture;
use jiff::Timestamp;

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
