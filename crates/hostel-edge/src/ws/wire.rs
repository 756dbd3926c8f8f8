//! The stream under a socket, shared between the library, which frames
//! messages over it, and the socket, which says goodbye on it.
//!
//! Reads go through a large buffer of the thread and leave only what does not
//! fit behind: few system calls, and nothing held while a socket is idle.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::text_watch::TextWatch;
use crate::listener::Permit;
use crate::stream::Stream;

const SCRATCH: usize = 16 << 10;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into());
}

struct Inner {
    stream: Stream,
    /// Read from the peer and not yet taken.
    ahead: Bytes,
    watch: TextWatch,
    /// Text that came last is bad; said once what came before has been taken.
    bad_text: bool,
    /// Something was written since somebody last asked.
    wrote: bool,
    /// Keeps the connection counted for as long as the socket lives.
    _permit: Option<Permit>,
}

/// A handle on the stream; clones are the same stream.
#[derive(Clone)]
pub(super) struct Wire(Arc<Mutex<Inner>>);

impl Wire {
    pub(super) fn new(stream: Stream, ahead: Bytes, permit: Option<Permit>) -> Self {
        let mut watch = TextWatch::default();
        let bad_text = !watch.accepts(&ahead);
        Self(Arc::new(Mutex::new(Inner { stream, ahead, watch, bad_text, wrote: false, _permit: permit })))
    }

    /// A stand-in for a wire that has been dropped.
    pub(super) fn ended() -> Self {
        let (ours, _) = tokio::io::duplex(1);
        Self::new(Stream::Memory(Box::new(ours)), Bytes::new(), None)
    }

    /// Whether the connection has taken any bytes since the last call.
    pub(super) fn take_wrote(&self) -> bool {
        std::mem::take(&mut self.0.lock().wrote)
    }

    /// Reads and forgets until the peer is done.
    pub(super) fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<()> {
        let inner = &mut *self.0.lock();
        inner.ahead = Bytes::new();
        BUFFER.with_borrow_mut(|scratch| {
            loop {
                let mut buf = ReadBuf::new(scratch);
                match ready!(Pin::new(&mut inner.stream).poll_read(cx, &mut buf)) {
                    Ok(()) if !buf.filled().is_empty() => {}
                    _ => return Poll::Ready(()),
                }
            }
        })
    }
}

impl Inner {
    fn poll_fill(&mut self, cx: &mut Context<'_>, scratch: &mut [u8], out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut buf = ReadBuf::new(scratch);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
        let read = buf.filled();
        self.bad_text = !self.watch.accepts(read);
        let (now, later) = read.split_at(read.len().min(out.remaining()));
        out.put_slice(now);
        if !later.is_empty() {
            self.ahead = Bytes::copy_from_slice(later);
        }
        Poll::Ready(Ok(()))
    }

    fn take_ahead(&mut self, out: &mut ReadBuf<'_>) {
        let take = self.ahead.len().min(out.remaining());
        out.put_slice(&self.ahead[..take]);
        self.ahead.advance(take);
        if self.ahead.is_empty() {
            self.ahead = Bytes::new();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let inner = &mut *self.0.lock();
        if !inner.ahead.is_empty() {
            inner.take_ahead(out);
            return Poll::Ready(Ok(()));
        }
        if inner.bad_text {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        if out.remaining() >= SCRATCH {
            let before = out.filled().len();
            ready!(Pin::new(&mut inner.stream).poll_read(cx, out))?;
            inner.bad_text = !inner.watch.accepts(&out.filled()[before..]);
            return Poll::Ready(Ok(()));
        }
        BUFFER.with_borrow_mut(|scratch| inner.poll_fill(cx, scratch, out))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let inner = &mut *self.0.lock();
        let written = ready!(Pin::new(&mut inner.stream).poll_write(cx, buf))?;
        inner.wrote |= written > 0;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().stream).poll_shutdown(cx)
    }
}
