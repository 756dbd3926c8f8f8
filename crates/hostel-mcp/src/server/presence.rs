//! Whether the client of a session is still there.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

/// When a client last asked or read something. One that did neither for long has left, and does not come back.
///
/// The SDK counts messages of the server, too: a session whose client died would last as long as there is something to tell.
#[derive(Debug)]
pub(super) struct Presence {
    seen: Mutex<Instant>,
    longest: Duration,
}

impl Presence {
    /// A client that is there, and has left once it was silent for `longest`.
    pub(super) fn new(longest: Duration) -> Self {
        Self { seen: Mutex::new(Instant::now()), longest }
    }

    /// The client did something. `false` if it had left.
    pub(super) fn seen(&self) -> bool {
        let mut seen = self.seen.lock();
        let is_here = seen.elapsed() < self.longest;
        if is_here {
            *seen = Instant::now();
        }
        is_here
    }

    /// Resolves when the client has left.
    pub(super) async fn left(&self) {
        loop {
            let at = *self.seen.lock() + self.longest;
            if at <= Instant::now() {
                return;
            }
            sleep_until(at).await;
        }
    }

    /// Does the work until it is done or the client has left.
    pub(super) async fn during(&self, work: impl Future<Output = ()>) {
        tokio::select! {
            () = work => {}
            () = self.left() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, task::Poll};

    use super::*;

    #[tokio::test]
    async fn what_never_ends_by_itself_ends_when_the_client_has_left() {
        let presence = Presence::new(Duration::ZERO);
        presence.during(pending()).await;
        assert!(!presence.seen(), "who has left does not come back");
    }

    #[tokio::test]
    async fn a_client_that_was_seen_is_there() {
        let presence = Presence::new(Duration::from_secs(3600));
        assert!(presence.seen());
        let mut left = std::pin::pin!(presence.left());
        assert_eq!(futures_util::poll!(&mut left), Poll::Pending);
    }
}
