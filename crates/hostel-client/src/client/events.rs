//! Every message of a connection, for those who want to look.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use hostel_protocol::server::ServerFrame;
use tokio::sync::mpsc;

use crate::Closed;

/// Something that happened on the connection.
#[derive(Debug, Clone)]
pub enum Event {
    /// A text message went out.
    Sent(String),
    /// A text message came in.
    Text {
        /// As it came.
        text: String,
        /// What it is.
        frame: ServerFrame,
    },
    /// A binary message came in.
    Binary(Bytes),
    /// The end; the last event.
    Closed(Closed),
}

/// The events of a connection, in order.
#[derive(Debug)]
pub struct Events(mpsc::Receiver<Event>);

impl Events {
    pub(super) fn channel() -> (mpsc::Sender<Event>, Self) {
        let (sender, receiver) = mpsc::channel(1024);
        (sender, Self(receiver))
    }

    /// The next event; `None` after [`Event::Closed`]. Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_recv(cx)
    }
}
