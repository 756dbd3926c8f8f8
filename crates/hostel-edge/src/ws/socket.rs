//! A WebSocket for one task that both reads and writes.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use bytestring::ByteString;
use futures_util::Sink;
use yawc::streaming::Streaming;
use yawc::{Frame, OpCode};

use super::WsError;
use super::assembly::Assembly;
use super::closing::{Await, Closing};
use super::wire::Wire;

/// What a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A whole text message.
    Text(ByteString),
    /// A whole binary message.
    Binary(Bytes),
    /// The client's close frame; it has been answered in kind.
    Close {
        /// The code, if the frame had one.
        code: Option<u16>,
        /// The reason, often empty.
        reason: ByteString,
    },
}

/// What is sent to a client. Payloads are shared, never copied while they wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// A text message.
    Text(ByteString),
    /// A binary message.
    Binary(Bytes),
    /// A ping, to see whether the client is there ([`Socket::take_heard`]).
    Ping,
}

impl Outgoing {
    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            Self::Ping => 0,
        }
    }

    fn into_frame(self) -> Frame {
        match self {
            Self::Text(text) => Frame::text(text.into_bytes()),
            Self::Binary(bytes) => Frame::binary(bytes),
            Self::Ping => Frame::ping(Bytes::new()),
        }
    }
}

/// What a client sent, and what was not acted upon yet.
#[derive(Debug)]
#[must_use]
pub struct Ahead(Option<Result<Incoming, WsError>>);

impl Ahead {
    /// Whether it is a message.
    #[must_use]
    pub fn is_message(&self) -> bool {
        matches!(self.0, Some(Ok(Incoming::Text(_) | Incoming::Binary(_))))
    }
}

/// Bytes handed to the library at a time; the rest waits here, shared.
const BATCH: usize = 64 << 10;
/// Pings taken before their pongs must have left: a peer that pings and does
/// not read is no longer read either.
const PINGS_AHEAD: u32 = 64;
/// Payload bytes of a control frame.
const MAX_CONTROL: usize = 125;

/// A server's end of a WebSocket.
///
/// One task owns it: drain [`Socket::poll_recv`], [`Socket::feed`] every
/// answer, then flush once. Pings are answered inside, fragments are put
/// together, messages inflated and checked. Dropping it cuts the connection;
/// to part politely call [`Socket::close`] and receive until `None`.
pub struct Socket {
    wire: Wire,
    engine: Option<Box<Streaming<Wire>>>,
    assembly: Option<Box<Assembly>>,
    closing: Option<Box<Closing>>,
    outbox: VecDeque<Outgoing>,
    /// Bytes in `outbox`.
    waiting: usize,
    /// Bytes fed to the engine since it was last empty.
    writing: usize,
    limit: usize,
    /// Why the engine did not take a message; said by the next flush.
    refused: Option<Box<WsError>>,
    pings: u32,
    heard: bool,
}

impl Socket {
    pub(super) fn new(wire: Wire, engine: Box<Streaming<Wire>>, limit: usize) -> Self {
        Self {
            wire,
            engine: Some(engine),
            assembly: None,
            closing: None,
            outbox: VecDeque::new(),
            waiting: 0,
            writing: 0,
            limit,
            refused: None,
            pings: 0,
            heard: false,
        }
    }

    /// The next message, close frame or fault; `None` when the connection has ended.
    ///
    /// After [`Incoming::Close`], a [`WsError`] or a call of [`Socket::close`]
    /// the only thing left is the goodbye: keep polling until `None`, which
    /// comes within two seconds. Messages that arrive meanwhile are dropped.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming, WsError>>> {
        if self.closing.is_some() {
            return self.poll_goodbye(cx);
        }
        let next = ready!(self.poll_message(cx));
        self.act_upon(&next);
        Poll::Ready(next)
    }

    /// What [`Socket::poll_recv`] would give, without acting upon it: a close frame is not answered yet, so that what is
    /// still to be said leaves before the goodbye. What is ready goes to [`Socket::heed`], before anything else is read.
    pub fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<Ahead> {
        if self.closing.is_some() {
            return Poll::Pending;
        }
        self.poll_message(cx).map(Ahead)
    }

    /// Acts upon what was [read ahead](Socket::poll_ahead). `None` if it came too late: a goodbye has begun since.
    pub fn heed(&mut self, Ahead(next): Ahead) -> Option<Option<Result<Incoming, WsError>>> {
        let Some(closing) = &mut self.closing else {
            self.act_upon(&next);
            return Some(next);
        };
        if matches!(next, Some(Ok(Incoming::Text(_) | Incoming::Binary(_)))) {
            return None;
        }
        let was_awaited = closing.wait == Await::CloseFrame;
        closing.wait = Await::End;
        Some(next).filter(|next| was_awaited && matches!(next, Some(Ok(_))))
    }

    fn act_upon(&mut self, next: &Option<Result<Incoming, WsError>>) {
        match next {
            Some(Ok(Incoming::Close { code, reason })) => self.part(*code, reason, Await::End),
            Some(Err(error)) => self.fail(error),
            _ => {}
        }
    }

    /// Queues a message and tells how many bytes now wait for the client.
    ///
    /// Nothing is sent before a flush, and nothing is refused here: the owner
    /// compares the result with its bound and closes a client that does not
    /// read. After a close the message is dropped.
    pub fn feed(&mut self, message: Outgoing) -> usize {
        if self.closing.is_none() && self.engine.is_some() {
            // Most messages need not wait for the engine. Where it owes pongs, those go first.
            if self.outbox.is_empty() && self.writing < BATCH && self.pings == 0 {
                self.hand_in(message);
            } else {
                self.waiting += message.len();
                self.outbox.push_back(message);
            }
        }
        self.queued_bytes()
    }

    /// Gives a message to the engine, which writes it with the next flush.
    fn hand_in(&mut self, message: Outgoing) {
        let Some(engine) = self.engine.as_deref_mut() else { return };
        self.writing += message.len();
        if let Err(error) = Pin::new(engine).start_send(message.into_frame()) {
            self.refused = Some(Box::new(WsError::from_library(error, self.limit)));
        }
    }

    /// Payload bytes fed and not yet known to be written.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.waiting + self.writing
    }

    /// Writes everything fed so far, and our close frame if there is one.
    ///
    /// # Errors
    /// [`WsError::Lost`] when the connection is gone.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        ready!(self.poll_outbox(cx))?;
        if let Some(closing) = &mut self.closing
            && self.engine.is_some()
        {
            ready!(closing.poll_write(&mut self.wire, cx));
        }
        Poll::Ready(Ok(()))
    }

    /// Says goodbye after what has been fed. The first goodbye counts.
    ///
    /// The reason is cut to the 123 bytes that fit. Receive until `None` to
    /// let the peer answer.
    pub fn close(&mut self, code: u16, reason: &str) {
        self.part(Some(code), reason, Await::CloseFrame);
    }

    /// Like [`Socket::close`], but forgets what is still waiting: for a client
    /// that does not read.
    pub fn close_now(&mut self, code: u16, reason: &str) {
        self.outbox = VecDeque::new();
        self.waiting = 0;
        self.close(code, reason);
    }

    /// Whether a goodbye has begun, by whichever side.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// Whether anything came from the client since the last call, pongs included.
    pub fn take_heard(&mut self) -> bool {
        mem::take(&mut self.heard)
    }

    /// Whether a large message is still on its way, and got further since the last call. Its client reads, though our ping
    /// behind it may not have reached it yet.
    pub fn take_progress(&mut self) -> bool {
        self.wire.take_wrote() && self.queued_bytes() > 0
    }

    /// [`Socket::poll_recv`] as a future. Cancel safe.
    pub async fn recv(&mut self) -> Option<Result<Incoming, WsError>> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// [`Socket::poll_flush`] as a future. Cancel safe: what is left goes with the next flush.
    ///
    /// # Errors
    /// [`WsError::Lost`] when the connection is gone.
    pub async fn flush(&mut self) -> Result<(), WsError> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Receives and drops everything until the connection has ended.
    pub async fn finish(mut self) {
        while self.recv().await.is_some() {}
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming, WsError>>> {
        let Some(engine) = self.engine.as_deref_mut() else {
            return Poll::Ready(None);
        };
        loop {
            if self.pings >= PINGS_AHEAD {
                if let Err(error) = ready!(Pin::new(&mut *engine).poll_ready(cx)) {
                    return Poll::Ready(Some(Err(WsError::from_library(error, self.limit))));
                }
                self.pings = 0;
            }
            let frame = match ready!(engine.poll_next_frame(cx)) {
                Ok(frame) => frame,
                Err(error) => {
                    return Poll::Ready(Some(Err(WsError::from_library(error, self.limit))));
                }
            };
            self.heard = true;
            match frame.opcode() {
                // The library checks this for pings only.
                OpCode::Close | OpCode::Pong if frame.payload().len() > MAX_CONTROL => {
                    let error = WsError::Protocol("a control frame has more than 125 bytes");
                    return Poll::Ready(Some(Err(error)));
                }
                OpCode::Ping => self.pings += 1,
                OpCode::Pong => {}
                OpCode::Close => return Poll::Ready(Some(Ok(closed(&frame)))),
                _ => {
                    let pushed = Assembly::push(&mut self.assembly, frame, self.limit);
                    if let Some(message) = pushed.transpose() {
                        return Poll::Ready(Some(message));
                    }
                }
            }
        }
    }

    fn poll_outbox(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        loop {
            while self.writing < BATCH
                && let Some(message) = self.outbox.pop_front()
            {
                self.waiting -= message.len();
                self.hand_in(message);
            }
            if let Some(error) = self.refused.take() {
                return Poll::Ready(Err(*error));
            }
            let Some(engine) = self.engine.as_deref_mut() else {
                return Poll::Ready(Ok(()));
            };
            if let Err(error) = ready!(Pin::new(engine).poll_flush(cx)) {
                return Poll::Ready(Err(WsError::from_library(error, self.limit)));
            }
            self.writing = 0;
            self.pings = 0;
            if self.outbox.is_empty() {
                // An idle socket keeps no queue.
                self.outbox = VecDeque::new();
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn poll_goodbye(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming, WsError>>> {
        let over = match &mut self.closing {
            Some(closing) => self.engine.is_none() || closing.is_late(cx),
            None => true,
        };
        if over {
            return self.end();
        }
        if ready!(self.poll_flush(cx)).is_err() {
            return self.end();
        }
        let (Some(closing), Some(engine)) = (&mut self.closing, &mut self.engine) else {
            return self.end();
        };
        while closing.wait == Await::CloseFrame {
            match ready!(engine.poll_next_frame(cx)) {
                Ok(frame) if frame.opcode() == OpCode::Close => {
                    closing.wait = Await::End;
                    return Poll::Ready(Some(Ok(closed(&frame))));
                }
                Ok(_) => {}
                Err(_) => closing.wait = Await::End,
            }
        }
        ready!(closing.poll_end(&mut self.wire, cx));
        self.end()
    }

    fn end(&mut self) -> Poll<Option<Result<Incoming, WsError>>> {
        self.engine = None;
        self.outbox = VecDeque::new();
        (self.waiting, self.writing) = (0, 0);
        self.wire = Wire::ended();
        Poll::Ready(None)
    }

    fn fail(&mut self, error: &WsError) {
        match error {
            WsError::Lost(_) => {
                self.part(None, "", Await::End);
                let _ended = self.end();
            }
            _ => self.part(Some(error.close_code()), &error.to_string(), Await::End),
        }
    }

    fn part(&mut self, code: Option<u16>, reason: &str, wait: Await) {
        self.assembly = None;
        if self.closing.is_none() {
            self.closing = Some(Box::new(Closing::new(code, reason, wait)));
        }
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("queued_bytes", &self.queued_bytes())
            .field("closing", &self.is_closing())
            .finish_non_exhaustive()
    }
}

fn closed(frame: &Frame) -> Incoming {
    let reason = frame.close_reason().ok().flatten().unwrap_or_default();
    Incoming::Close { code: frame.close_code().map(u16::from), reason: ByteString::from(reason) }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::AsyncReadExt as _;
    use yawc::{Role, WebSocket};

    use super::super::WsPolicy;
    use super::*;
    use crate::stream::Stream;

    #[tokio::test]
    async fn a_large_message_makes_progress_while_its_client_reads_and_none_while_it_does_not() {
        let (ours, mut theirs) = tokio::io::duplex(1000);
        let wire = Wire::new(Stream::Memory(Box::new(ours)), Bytes::new(), None);
        let options = WsPolicy::default().options(None);
        let engine = WebSocket::from_stream_with_extensions(wire.clone(), Role::Server, None, options).unwrap();
        let mut socket = Socket::new(wire, Box::new(engine.into_streaming()), 1 << 20);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(!socket.take_progress(), "nothing was to be written");
        socket.feed(Outgoing::Binary(Bytes::from(vec![0; 5000])));
        assert!(socket.poll_flush(&mut cx).is_pending());
        assert!(socket.take_progress());
        assert!(socket.poll_flush(&mut cx).is_pending());
        assert!(!socket.take_progress(), "the client does not read");
        theirs.read_exact(&mut [0; 1000]).await.unwrap();
        assert!(socket.poll_flush(&mut cx).is_pending());
        assert!(socket.take_progress());
        let (flushed, _) = tokio::join!(socket.flush(), async { theirs.read_exact(&mut [0; 4000]).await.unwrap() });
        flushed.unwrap();
        assert!(!socket.take_progress(), "nothing is on its way: what the system took proves nothing");
    }
}
