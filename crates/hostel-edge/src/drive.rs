//! The one task of a socket: moves messages between the client and its agent's session.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use hostel_core::{CloseEvent, Message};
use hostel_protocol::connection::close;
use hostel_runtime::{Batch, Outgoing as FromAgent, Session};
use tokio::time::{Instant, Sleep};

use crate::{
    limits::Limits,
    ws::{Incoming, Outgoing, Socket, WsError},
};

/// Messages read before what they caused is written; what piles up meanwhile goes out in one flush.
const READ_BATCH: usize = 64;
/// Bytes handed to the socket ahead of the client; the rest waits in the outbox, where it is bounded.
const AHEAD_BYTES: usize = 64 << 10;

/// Moves messages until the socket is closed, then tells the agent how it ended.
pub(crate) async fn drive(socket: Socket, session: Session, limits: Limits) {
    let mut driver = Box::new(Driver {
        socket,
        session,
        pulse: Box::pin(tokio::time::sleep(limits.ping_interval)),
        interval: limits.ping_interval,
        deadline: limits.ping_deadline,
        pinged: false,
        deaf: false,
        end: None,
    });
    let outcome = poll_fn(|cx| driver.poll(cx)).await;
    let Driver { socket, session, end, .. } = *driver;
    session.close(end.unwrap_or(outcome));
    drop(socket);
}

struct Driver {
    socket: Socket,
    session: Session,
    pulse: Pin<Box<Sleep>>,
    interval: Duration,
    deadline: Duration,
    /// A ping is out, and nothing was heard since.
    pinged: bool,
    /// The agent could not take more, so nothing was read: the client's silence is ours.
    deaf: bool,
    /// How the client closed, once it has.
    end: Option<CloseEvent>,
}

impl Driver {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<CloseEvent> {
        // What this task pushes into its own outbox needs no wake-up: it is drained below.
        self.session.outbox().quiet();
        loop {
            let was_closing = self.socket.is_closing();
            let more = match self.read(cx) {
                Ok(more) => more,
                Err(end) => return Poll::Ready(end),
            };
            if let Err(end) = self.write(cx) {
                return Poll::Ready(end);
            }
            self.keep_alive(cx);
            let waiting = self.session.outbox().poll_ready(cx).is_ready();
            let room = self.socket.queued_bytes() < AHEAD_BYTES && !self.socket.is_closing();
            // A goodbye that just began is read once, so that its deadline is watched.
            let parting = self.socket.is_closing() && !was_closing;
            if !(more || parting || waiting && room) {
                return Poll::Pending;
            }
        }
    }

    /// Reads a batch. `Ok(true)` when there may be more.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<bool, CloseEvent> {
        for _ in 0..READ_BATCH {
            self.deaf = self.session.poll_ready(cx).is_pending();
            if self.deaf {
                return Ok(false);
            }
            match self.socket.poll_recv(cx) {
                Poll::Pending => return Ok(false),
                Poll::Ready(None) => return Err(lost()),
                Poll::Ready(Some(Ok(incoming))) => {
                    self.take(incoming);
                    // What was said in answer leaves even if the client's next bytes end the conversation.
                    self.hand_over();
                }
                Poll::Ready(Some(Err(error))) => self.end = Some(broken(&error)),
            }
        }
        Ok(true)
    }

    fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Text(text) => self.session.receive(Message::Text(text)),
            Incoming::Binary(bytes) => self.session.receive(Message::Binary(bytes)),
            Incoming::Close { code, reason } => {
                let code = code.unwrap_or(close::NO_STATUS);
                self.end = Some(CloseEvent { code, reason: reason.to_string(), was_clean: true });
            }
        }
    }

    /// Hands over what waits, as far as the client keeps up, and flushes once.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), CloseEvent> {
        loop {
            self.hand_over();
            match self.socket.poll_flush(cx) {
                Poll::Ready(Ok(())) if self.session.outbox().waiting_bytes() > 0 && !self.socket.is_closing() => {}
                Poll::Ready(Ok(())) | Poll::Pending => return Ok(()),
                Poll::Ready(Err(_)) => return Err(self.end.take().unwrap_or_else(lost)),
            }
        }
    }

    fn hand_over(&mut self) {
        let mut batch = Batch::new();
        loop {
            let room = AHEAD_BYTES.saturating_sub(self.socket.queued_bytes());
            if room == 0 && !self.session.outbox().overflowed() {
                return;
            }
            let overflowed = self.session.outbox().try_some(room, &mut batch);
            let more = batch.len() == batch.inline_size();
            for next in batch.drain(..) {
                match next {
                    FromAgent::Message(Message::Text(text)) => drop(self.socket.feed(Outgoing::Text(text))),
                    FromAgent::Message(Message::Binary(bytes)) => drop(self.socket.feed(Outgoing::Binary(bytes))),
                    FromAgent::Close { code, reason } if overflowed => return self.socket.close_now(code, &reason),
                    FromAgent::Close { code, reason } => return self.socket.close(code, &reason),
                }
            }
            if !more {
                return;
            }
        }
    }

    /// Pings a silent client, and gives it up when it stays silent.
    fn keep_alive(&mut self, cx: &mut Context<'_>) {
        while self.pulse.as_mut().poll(cx).is_ready() {
            let progress = self.socket.take_progress();
            let heard = self.socket.take_heard() || self.deaf || progress;
            if self.pinged && !heard {
                self.socket.close_now(close::GOING_AWAY, "no answer to a ping");
            } else if !heard {
                self.socket.feed(Outgoing::Ping);
            }
            self.pinged = !heard;
            let wait = if self.pinged { self.deadline } else { self.interval };
            self.pulse.as_mut().reset(Instant::now() + wait);
            cx.waker().wake_by_ref();
        }
    }
}

fn lost() -> CloseEvent {
    CloseEvent { code: close::ABNORMAL, reason: String::new(), was_clean: false }
}

fn broken(error: &WsError) -> CloseEvent {
    CloseEvent { code: error.close_code(), reason: error.to_string(), was_clean: false }
}
