//! An answer that is being read.

use std::{fmt, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use reqwest::Response;
use sse_stream::{Error as SseError, Sse, SseStream};
use tokio::time::{Instant, timeout_at};

use crate::{Event, FaultKind, assemble::Assembler, decode::Decoder, failure::Failure};

/// Greatest answer, so that no provider can fill the memory.
const MOST_BYTES: usize = 64 << 20;

/// An answer that is being read.
pub(crate) struct Live {
    events: BoxStream<'static, Result<Sse, SseError>>,
    decoder: Box<dyn Decoder>,
    out: Assembler,
    /// Until when there must be a first event.
    first: Instant,
    stall: Duration,
}

/// Why bytes do not go on.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Cut(#[from] reqwest::Error),
    #[error("more than {MOST_BYTES} bytes")]
    TooLarge,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("out", &self.out).finish_non_exhaustive()
    }
}

impl Live {
    pub(super) fn new(response: Response, decoder: Box<dyn Decoder>, first: Instant, stall: Duration) -> Self {
        Self::of(response.bytes_stream().map_err(Broken::Cut), decoder, first, stall)
    }

    fn of<S>(bytes: S, decoder: Box<dyn Decoder>, first: Instant, stall: Duration) -> Self
    where
        S: Stream<Item = Result<Bytes, Broken>> + Send + 'static,
    {
        let events = SseStream::from_bytes_stream(limited(bytes)).boxed();
        Self { events, decoder, out: Assembler::default(), first, stall }
    }

    /// Whether there was anything of an answer yet.
    pub(super) fn has_begun(&self) -> bool {
        self.out.has_begun()
    }

    /// What the answer has next; the last is the finish.
    pub(super) async fn next(&mut self) -> Result<Event, Failure> {
        loop {
            if let Some(event) = self.out.next() {
                return Ok(event);
            }
            match self.read().await? {
                Some(Sse { event, data: Some(data), .. }) => {
                    self.decoder.event(event.as_deref(), &data, &mut self.out)?;
                    if self.decoder.is_done() {
                        self.decoder.end(&mut self.out)?;
                    }
                }
                Some(_) => {}
                None => self.decoder.end(&mut self.out)?,
            }
        }
    }

    async fn read(&mut self) -> Result<Option<Sse>, Failure> {
        let (limit, too_late) = match self.has_begun() {
            true => (Instant::now() + self.stall, FaultKind::Stalled),
            false => (self.first, FaultKind::TimedOut),
        };
        match timeout_at(limit, self.events.next()).await {
            Ok(Some(Ok(event))) => Ok(Some(event)),
            Ok(Some(Err(error))) => Err(broken(&error)),
            Ok(None) => Ok(None),
            Err(_) => Err(Failure::new(too_late, "")),
        }
    }
}

fn limited(bytes: impl Stream<Item = Result<Bytes, Broken>>) -> impl Stream<Item = Result<Bytes, Broken>> {
    let mut left = MOST_BYTES;
    bytes.and_then(move |part| {
        let enough = left.checked_sub(part.len());
        left = enough.unwrap_or(0);
        std::future::ready(enough.map(|_| part).ok_or(Broken::TooLarge))
    })
}

fn broken(error: &SseError) -> Failure {
    let SseError::Body(inner) = error else {
        return Failure::new(FaultKind::Malformed, error.to_string());
    };
    match inner.downcast_ref::<Broken>() {
        Some(Broken::TooLarge) => Failure::new(FaultKind::TooLarge, inner.to_string()),
        _ => Failure::cut(),
    }
}

#[cfg(test)]
mod tests;
