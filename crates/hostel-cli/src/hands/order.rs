//! One order, from its arrival to its end. It outlives the connection it came over: what becomes of it is told to whoever asks.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hostel_sandbox::JobId;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::inputs::Inputs;

/// How an order is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is looked at.
    New,
    /// Somebody is asked.
    Asked,
    /// It runs, or did.
    Job(JobId),
    /// It was not run, and why.
    Refused(String),
    /// It was done at once, and how.
    Done(String),
    /// It is over, and nothing more is kept of it.
    Forgotten,
}

/// An order.
#[derive(Debug)]
pub(super) struct Ordered {
    pub(super) stage: watch::Sender<Stage>,
    pub(super) cancel: CancellationToken,
    /// Whether it may be typed into without a question.
    pub(super) takes_input: AtomicBool,
    /// What waits to be typed into it.
    pub(super) inputs: Inputs,
    followers: watch::Sender<Followers>,
}

/// How many follow it.
#[derive(Debug)]
struct Followers {
    count: usize,
    /// When the last of them left, or it came.
    since: Instant,
}

impl Followers {
    /// How long nobody need follow it yet; nothing if somebody does.
    fn left(&self, grace: Duration) -> Option<Duration> {
        (self.count == 0).then(|| grace.saturating_sub(self.since.elapsed()))
    }
}

/// Why nobody wants an order any more.
const CANCELLED: &str = "it was cancelled";
const LOST: &str = "the connection was lost, and nobody came back for it";

impl Default for Ordered {
    fn default() -> Self {
        let followers = watch::Sender::new(Followers { count: 0, since: Instant::now() });
        let stage = watch::Sender::new(Stage::New);
        let (cancel, takes_input) = (CancellationToken::new(), AtomicBool::new(false));
        Self { stage, cancel, takes_input, inputs: Inputs::default(), followers }
    }
}

impl Ordered {
    /// Counts as followed until what is answered is dropped.
    pub(super) fn follow(self: &std::sync::Arc<Self>) -> Following {
        self.followers.send_modify(|followers| followers.count += 1);
        Following(std::sync::Arc::clone(self))
    }

    /// Waits until nobody has followed it for so long, or it is cancelled; which of the two, in words. The time counts from when the last one
    /// left, however often, and late, this is called. Cancel safe.
    pub(super) async fn unwanted(&self, grace: Duration) -> &'static str {
        tokio::select! {
            () = self.cancel.cancelled() => CANCELLED,
            () = self.alone(grace) => LOST,
        }
    }

    async fn alone(&self, grace: Duration) {
        let mut followers = self.followers.subscribe();
        loop {
            let left = followers.borrow_and_update().left(grace);
            let _ = match left {
                Some(Duration::ZERO) => return,
                // Whoever came and went meanwhile has it begin anew.
                Some(left) => timeout(left, followers.changed()).await.is_ok(),
                None => followers.changed().await.is_ok(),
            };
        }
    }

    /// Why it is unwanted by now; nothing if it is wanted.
    pub(super) fn unwanted_by_now(&self, grace: Duration) -> Option<&'static str> {
        if self.cancel.is_cancelled() {
            return Some(CANCELLED);
        }
        (self.followers.borrow().left(grace) == Some(Duration::ZERO)).then_some(LOST)
    }
}

/// Somebody follows an order.
#[derive(Debug)]
pub(super) struct Following(std::sync::Arc<Ordered>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.followers.send_modify(|followers| {
            followers.count -= 1;
            if followers.count == 0 {
                followers.since = Instant::now();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::advance;

    use super::*;

    const GRACE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn the_grace_is_one_for_the_whole_time_that_nobody_follows_it() {
        let order = Arc::<Ordered>::default();
        let following = order.follow();
        advance(GRACE * 2).await;
        assert_eq!(order.unwanted_by_now(GRACE), None, "it is followed");
        drop(following);
        // Each question that it waits behind asks anew.
        for _ in 0..3 {
            assert!(timeout(GRACE / 4, order.unwanted(GRACE)).await.is_err());
        }
        let asked = Instant::now();
        assert_eq!((order.unwanted(GRACE).await, asked.elapsed()), (LOST, GRACE / 4));
        assert_eq!(order.unwanted_by_now(GRACE), Some(LOST));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_back_for_it_has_the_grace_begin_anew_also_unnoticed() {
        let order = Arc::<Ordered>::default();
        let ended = tokio::spawn({
            let order = Arc::clone(&order);
            async move { order.unwanted(GRACE).await }
        });
        advance(GRACE / 2).await;
        drop(order.follow());
        let left = Instant::now();
        assert_eq!((ended.await.unwrap(), left.elapsed()), (LOST, GRACE));
        let following = order.follow();
        assert!(timeout(GRACE * 9, order.unwanted(GRACE)).await.is_err());
        order.cancel.cancel();
        assert_eq!((order.unwanted(GRACE).await, order.unwanted_by_now(GRACE)), (CANCELLED, Some(CANCELLED)));
        drop(following);
    }
}
