//! From a thread that writes to a body that is sent while it is written.

use std::io::{self, Write};

use futures_util::stream;
use hostel::axum::body::{Body, Bytes};
use tokio::sync::mpsc;

/// How much is sent at once.
const PIECE: usize = 64 << 10;

/// How many pieces may wait for a client that reads slowly.
const WAITING: usize = 8;

type Piece = io::Result<Bytes>;

/// The end that is written to, on a thread that may block.
pub(super) struct Pipe {
    buffer: Vec<u8>,
    to: mpsc::Sender<Piece>,
}

/// The end that becomes a body.
pub(super) struct Pieces(mpsc::Receiver<Piece>);

pub(super) fn pipe() -> (Pipe, Pieces) {
    let (to, from) = mpsc::channel(WAITING);
    (Pipe { buffer: Vec::with_capacity(PIECE), to }, Pieces(from))
}

impl Pipe {
    fn send(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        self.to
            .blocking_send(Ok(piece.into()))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the client left"))
    }

    /// Sends what is left. Without it the body breaks off, so that nobody takes a part for the whole.
    pub(super) fn finish(mut self, good: bool) {
        if !good || self.send().is_err() {
            // A client that left needs no word.
            let _ = self.to.blocking_send(Err(io::Error::other("it could not be sent to its end")));
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() { Ok(()) } else { self.send() }
    }
}

impl Pieces {
    /// The body, if it begins well.
    pub(super) async fn body(mut self) -> Option<Body> {
        let first = self.0.recv().await?.ok()?;
        let rest = stream::poll_fn(move |cx| self.0.poll_recv(cx));
        let all = futures_util::StreamExt::chain(stream::iter([Ok(first)]), rest);
        Some(Body::from_stream(all))
    }
}
