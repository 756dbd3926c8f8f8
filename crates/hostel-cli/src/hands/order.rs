//! One order, from its arrival to its end. It outlives the connection it came over: what becomes of it is told to whoever asks.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hostel_sandbox::JobId;
use tokio::sync::watch;
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
    /// How many follow it.
    followers: watch::Sender<usize>,
}

impl Default for Ordered {
    fn default() -> Self {
        let (stage, followers) = (watch::Sender::new(Stage::New), watch::Sender::new(0));
        let (cancel, takes_input) = (CancellationToken::new(), AtomicBool::new(false));
        Self { stage, cancel, takes_input, inputs: Inputs::default(), followers }
    }
}

impl Ordered {
    /// Counts as followed until what is answered is dropped.
    pub(super) fn follow(self: &std::sync::Arc<Self>) -> Following {
        self.followers.send_modify(|count| *count += 1);
        Following(std::sync::Arc::clone(self))
    }

    /// Waits until nobody has followed it for so long, or it is cancelled; which of the two, in words.
    pub(super) async fn unwanted(&self, grace: Duration) -> &'static str {
        let mut followers = self.followers.subscribe();
        let alone = async {
            loop {
                let _ = followers.wait_for(|count| *count == 0).await;
                let followed = followers.wait_for(|count| *count > 0);
                if tokio::time::timeout(grace, followed).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = self.cancel.cancelled() => "it was cancelled",
            () = alone => "the connection was lost, and nobody came back for it",
        }
    }
}

/// Somebody follows an order.
#[derive(Debug)]
pub(super) struct Following(std::sync::Arc<Ordered>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.followers.send_modify(|count| *count -= 1);
    }
}
