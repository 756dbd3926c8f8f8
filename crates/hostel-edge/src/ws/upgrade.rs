//! From an accepted handshake to the socket.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use yawc::{Role, WebSocket};

use super::offer::Deflate;
use super::wire::Wire;
use super::{Socket, WsPolicy};
use crate::listener::HttpIo;
use crate::stream::Stream;

/// The socket to be, once the 101 has been written. Await it, or hand it to
/// [`Upgrade::spawn`].
#[derive(Debug)]
#[must_use = "without it the connection is dropped after the handshake"]
pub struct Upgrade {
    on: OnUpgrade,
    deflate: Option<Deflate>,
    policy: WsPolicy,
}

/// The connection ended before the socket existed.
#[derive(Debug, thiserror::Error)]
#[error("the connection ended during the WebSocket handshake")]
#[non_exhaustive]
pub struct UpgradeFailed {
    #[source]
    source: Option<hyper::Error>,
}

impl Upgrade {
    pub(super) fn new(on: OnUpgrade, deflate: Option<Deflate>, policy: WsPolicy) -> Self {
        Self { on, deflate, policy }
    }

    /// Runs `owner` with the socket on a task of its own. The task that waited
    /// for the handshake, and all it held, is gone by then.
    pub fn spawn<F, Fut>(self, owner: F)
    where
        F: FnOnce(Socket) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        tokio::spawn(async move {
            match self.await {
                Ok(socket) => drop(tokio::spawn(owner(socket))),
                Err(error) => tracing::debug!(%error, "upgrade"),
            }
        });
    }

    fn socket(&self, upgraded: Upgraded) -> Result<Socket, UpgradeFailed> {
        let wire = unwrap(upgraded);
        let answer = self.deflate.map(Deflate::answer);
        let engine = WebSocket::from_stream_with_extensions(
            wire.clone(),
            Role::Server,
            answer.as_deref(),
            self.policy.options(self.deflate),
        )
        .map_err(|_| UpgradeFailed { source: None })?;
        let engine = Box::new(engine.into_streaming());
        Ok(Socket::new(wire, engine, self.policy.message_bytes))
    }
}

impl Future for Upgrade {
    type Output = Result<Socket, UpgradeFailed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match ready!(Pin::new(&mut this.on).poll(cx)) {
            Ok(upgraded) => Poll::Ready(this.socket(upgraded)),
            Err(source) => Poll::Ready(Err(UpgradeFailed { source: Some(source) })),
        }
    }
}

/// Takes the raw stream back out of the HTTP layers, with every byte they had
/// read beyond the request.
fn unwrap(upgraded: Upgraded) -> Wire {
    match upgraded.downcast::<TokioIo<HttpIo>>() {
        Ok(parts) => {
            let (stream, unread, permit) = parts.io.into_inner().into_parts();
            Wire::new(stream, join(&parts.read_buf, &unread), Some(permit))
        }
        Err(upgraded) => {
            let stream = Stream::Foreign(Box::new(TokioIo::new(upgraded)));
            Wire::new(stream, Bytes::new(), None)
        }
    }
}

/// Copies: even an empty slice would keep the HTTP library's whole buffer.
fn join(first: &[u8], second: &[u8]) -> Bytes {
    match (first, second) {
        (b"", b"") => Bytes::new(),
        (first, second) => [first, second].concat().into(),
    }
}
