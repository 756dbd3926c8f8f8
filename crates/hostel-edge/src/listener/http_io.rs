//! The stream under an HTTP connection: releases a request head only when it
//! is whole and checked, and follows bodies to know where the next head begins.
//!
//! A bad head is replaced by a stand-in request, so that the answer goes out in
//! its turn and once; nothing after it is read.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::chunks::Chunks;
use super::head::{self, Framing};
use super::raw::LINGER;
use super::{Fault, Permit};
use crate::Limits;
use crate::stream::Stream;

/// Where the reason of a refused head is left for the service.
pub(super) type FaultSlot = Arc<OnceLock<Fault>>;

/// Marks the stand-in; it means nothing unless the slot is filled.
pub(super) const STAND_IN: &str = "x-hostel-stand-in";
const STAND_IN_HEAD: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\nx-hostel-stand-in: 1\r\nconnection: close\r\n\r\n";

const READ: usize = 8 << 10;

pub(crate) struct HttpIo {
    stream: Stream,
    permit: Permit,
    limits: Limits,
    fault: FaultSlot,
    /// Read from the peer and not yet given to the HTTP library.
    buf: BytesMut,
    /// Of those, how many are checked and may be given.
    released: usize,
    /// How far the head at the front has been searched for its end.
    searched: usize,
    state: State,
    /// Runs while a part of a head is here.
    deadline: Option<Pin<Box<Sleep>>>,
    linger: Option<Pin<Box<Sleep>>>,
    /// Runs while the peer takes nothing of an answer.
    stalled: Option<Pin<Box<Sleep>>>,
}

enum State {
    Head,
    Length(u64),
    Chunked(Chunks),
    /// An upgrade was asked for; who gets the next bytes depends on the answer.
    Held(Option<Waker>),
    /// The stand-in is on its way.
    Refused,
    /// HTTP/2 has its own framing.
    Unchecked,
}

impl HttpIo {
    pub(super) fn http1(stream: Stream, first: BytesMut, permit: Permit, limits: Limits) -> Self {
        Self::new(stream, first, permit, limits, State::Head)
    }

    pub(super) fn http2(stream: Stream, first: BytesMut, permit: Permit, limits: Limits) -> Self {
        Self::new(stream, first, permit, limits, State::Unchecked)
    }

    fn new(stream: Stream, first: BytesMut, permit: Permit, limits: Limits, state: State) -> Self {
        Self {
            stream,
            permit,
            limits,
            fault: FaultSlot::default(),
            buf: first,
            released: 0,
            searched: 0,
            state,
            deadline: None,
            linger: None,
            stalled: None,
        }
    }

    pub(super) fn fault_slot(&self) -> FaultSlot {
        Arc::clone(&self.fault)
    }

    /// The stream and what was read beyond the last request.
    pub(crate) fn into_parts(self) -> (Stream, BytesMut, Permit) {
        (self.stream, self.buf, self.permit)
    }

    /// Releases what can be released of what is here; `Ok(false)` asks for more bytes.
    fn advance(&mut self) -> io::Result<bool> {
        match &mut self.state {
            State::Head => return Ok(self.head()),
            State::Length(left) => {
                let room = usize::try_from(*left).unwrap_or(usize::MAX);
                self.released = room.min(self.buf.len());
                *left -= self.released as u64;
                if *left == 0 {
                    self.state = State::Head;
                }
            }
            State::Chunked(chunks) => {
                self.released = chunks.take(&self.buf).map_err(io::Error::other)?;
                if chunks.is_done() {
                    self.state = State::Head;
                }
            }
            State::Unchecked => self.released = self.buf.len(),
            State::Held(_) | State::Refused => {}
        }
        Ok(self.released > 0)
    }

    fn head(&mut self) -> bool {
        let found = head::end(&self.buf, self.searched).and_then(|end| match end {
            Some(end) if end <= self.limits.header_bytes => {
                let framing = head::check(&self.buf[..end], self.limits.headers)?;
                Ok(Some((end, framing)))
            }
            None if self.buf.len() <= self.limits.header_bytes => Ok(None),
            _ => Err(Fault::HeadersTooLarge),
        });
        match found {
            Ok(Some((end, framing))) => self.release_head(end, framing),
            Ok(None) => {
                self.searched = self.buf.len();
                return false;
            }
            Err(fault) => self.refuse(fault),
        }
        true
    }

    fn release_head(&mut self, end: usize, framing: Framing) {
        self.released = end;
        self.searched = 0;
        self.deadline = None;
        self.state = match framing {
            Framing::None => State::Head,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunked(Chunks::new()),
            Framing::Upgrade => State::Held(None),
        };
    }

    fn refuse(&mut self, fault: Fault) {
        let _first_counts = self.fault.set(fault);
        self.buf = BytesMut::from(STAND_IN_HEAD);
        self.released = self.buf.len();
        self.deadline = None;
        self.state = State::Refused;
    }

    fn give(&mut self, out: &mut ReadBuf<'_>) {
        let now = self.released.min(out.remaining());
        out.put_slice(&self.buf[..now]);
        self.buf.advance(now);
        self.released -= now;
        if self.buf.is_empty() {
            self.buf = BytesMut::new();
        }
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut bytes = [0; READ];
        let mut buf = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
        self.buf.extend_from_slice(buf.filled());
        Poll::Ready(Ok(buf.filled().len()))
    }

    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        if !matches!(self.state, State::Head) || self.buf.is_empty() {
            return false;
        }
        let after = self.limits.header_deadline;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(after)));
        deadline.as_mut().poll(cx).is_ready()
    }

    /// The first bytes of an answer decide about a held connection.
    fn answered(&mut self, bytes: &[u8]) {
        if let State::Held(reader) = &mut self.state
            && !bytes.is_empty()
            && !bytes.starts_with(b"HTTP/1.1 101")
        {
            let reader = reader.take();
            self.state = State::Head;
            if let Some(reader) = reader {
                reader.wake();
            }
        }
    }

    fn unless_stalled(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let after = self.limits.write_deadline;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(after)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Lets the peer read the last answer before the connection is dropped.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let linger = self.linger.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        if linger.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut bytes = [0; READ];
        loop {
            let mut buf = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
    }
}

impl AsyncRead for HttpIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.released > 0 {
                this.give(out);
                return Poll::Ready(Ok(()));
            }
            if let State::Held(reader) = &mut this.state {
                *reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            if matches!(this.state, State::Refused) {
                return Poll::Pending;
            }
            if !this.buf.is_empty() && this.advance()? {
                continue;
            }
            match this.poll_more(cx)? {
                Poll::Ready(0) => return Poll::Ready(Ok(())),
                Poll::Ready(_) => {}
                Poll::Pending if this.is_late(cx) => this.refuse(Fault::HeaderTimeout),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl AsyncWrite for HttpIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.answered(buf);
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.unless_stalled(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let first = bufs.iter().find(|buf| !buf.is_empty());
        this.answered(first.map_or(&[], |buf| buf));
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.unless_stalled(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        ready!(this.poll_linger(cx));
        Poll::Ready(Ok(()))
    }
}
