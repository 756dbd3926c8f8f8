//! Request bodies with a limit on their size and a floor under their rate.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Fault;
use crate::Limits;

/// Why a request body ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyFault {
    /// Too large, or too slow.
    #[error(transparent)]
    Refused(#[from] Fault),
    /// The client broke off, or sent broken framing.
    #[error("the request body broke off")]
    Broken(#[source] hyper::Error),
}

/// The reason in an error that came out of a request body, however wrapped.
#[must_use]
pub fn body_fault<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a BodyFault> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(fault) = error.downcast_ref() {
            return Some(fault);
        }
        next = error.source();
    }
    None
}

/// What the body of a request may still bring; every request that came over the listener has one among its extensions.
#[derive(Clone, Debug)]
pub struct BodyLimit(Arc<AtomicU64>);

impl BodyLimit {
    fn new(bytes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(bytes)))
    }

    /// Lets the body be of any size, for a handler that trusts the client and keeps nothing of it in memory. A body that
    /// announces its size, and is too large, was refused before the handler could say so.
    pub fn lift(&self) {
        self.0.store(u64::MAX, Ordering::Relaxed);
    }

    fn take(&self, bytes: u64) -> Result<(), BodyFault> {
        let left = self.0.load(Ordering::Relaxed);
        let rest = if left == u64::MAX { Some(left) } else { left.checked_sub(bytes) };
        self.0.store(rest.ok_or(Fault::BodyTooLarge)?, Ordering::Relaxed);
        Ok(())
    }
}

pub(super) struct Guarded {
    inner: Incoming,
    left: BodyLimit,
    rate: Option<Rate>,
}

struct Rate {
    window: Duration,
    minimum: u64,
    came: u64,
    end: Option<Pin<Box<Sleep>>>,
}

impl Guarded {
    pub(super) fn new(inner: Incoming, limits: &Limits) -> (Self, BodyLimit) {
        let left = BodyLimit::new(limits.body_bytes);
        let minimum = limits.body_rate.saturating_mul(limits.body_window.as_secs().max(1));
        let rate = (limits.body_rate > 0).then_some(Rate { window: limits.body_window, minimum, came: 0, end: None });
        (Self { inner, left: left.clone(), rate }, left)
    }

    fn count(&mut self, bytes: u64) -> Result<(), BodyFault> {
        self.left.take(bytes)?;
        if let Some(rate) = &mut self.rate {
            rate.came += bytes;
        }
        Ok(())
    }
}

impl Rate {
    /// Called only while the body is waited for, so a handler that reads
    /// slowly is never blamed on the client.
    fn poll_too_slow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let window = self.window;
        let end = self.end.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + window)));
        while end.as_mut().poll(cx).is_ready() {
            if self.came < self.minimum {
                return Poll::Ready(());
            }
            self.came = 0;
            end.as_mut().reset(Instant::now() + window);
        }
        Poll::Pending
    }
}

impl Body for Guarded {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let this = self.get_mut();
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) else {
            return match &mut this.rate {
                Some(rate) => {
                    ready!(rate.poll_too_slow(cx));
                    Poll::Ready(Some(Err(Fault::BodyTooSlow.into())))
                }
                None => Poll::Pending,
            };
        };
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(BodyFault::Broken)?;
            let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
            this.count(bytes)?;
            Ok(frame)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
