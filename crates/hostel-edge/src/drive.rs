//! The one task of a socket: moves messages between the client and its agent's session.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hostel_core::{CloseEvent, Message};
use hostel_protocol::{
    connection::close,
    refusal::{Code, Refusal},
};
use hostel_runtime::{Batch, Outgoing as FromAgent, Session};
use tokio::time::{Instant, Sleep};

use crate::{
    auth::Who,
    limits::Limits,
    rate::Buckets,
    ws::{Ahead, Incoming, Outgoing, Socket, WsError},
};

/// Messages read before what they caused is written; what piles up meanwhile goes out in one flush.
const READ_BATCH: usize = 64;
/// A longer message is handled before the next one is looked at.
const SHORT_BYTES: usize = 4 << 10;
/// Bytes handed to the socket ahead of the client; the rest waits in the outbox, where it is bounded.
const AHEAD_BYTES: usize = 64 << 10;

/// The close code of a socket whose identity has expired: "unauthorized" in IANA's registry.
const EXPIRED: u16 = 3000;

/// Moves messages until the socket is closed, then tells the agent how it ended.
pub(crate) async fn drive(socket: Socket, session: Session, limits: Limits, rate: Option<(Arc<Buckets>, Who)>) {
    let first_pulse = until_expiry(&session).map_or(limits.ping_interval, |left| left.min(limits.ping_interval));
    let mut driver = Box::new(Driver {
        socket,
        session,
        pulse: Box::pin(tokio::time::sleep(first_pulse)),
        interval: limits.ping_interval,
        deadline: limits.ping_deadline,
        pinged: false,
        deaf: false,
        end: None,
        meter: rate.map(|(buckets, who)| Box::new(Meter { buckets, who, pause: None })),
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
    /// Where a rate of messages is set.
    meter: Option<Box<Meter>>,
}

/// Slows down the reading of a client that says too much: what it sends waits with it, and nothing is lost.
struct Meter {
    buckets: Arc<Buckets>,
    who: Who,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Meter {
    /// Ready when one more message may be read.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(pause) = &mut self.pause {
                std::task::ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match self.buckets.look(&self.who) {
                Ok(()) => return Poll::Ready(()),
                Err(wait) => self.pause = Some(Box::pin(tokio::time::sleep(wait))),
            }
        }
    }

    fn count(&self) {
        let _it_was_looked_at_before = self.buckets.take(&self.who);
    }
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
        let mut seen = None;
        for left in (0..READ_BATCH).rev() {
            let next = match seen.take() {
                Some(Poll::Pending) => return Ok(false),
                Some(Poll::Ready(ahead)) => self.socket.heed(ahead).map_or_else(|| self.hear(cx), Poll::Ready),
                None => self.hear(cx),
            };
            match next {
                Poll::Pending => return Ok(false),
                Poll::Ready(None) => return Err(lost()),
                Poll::Ready(Some(Ok(Incoming::Text(text)))) => seen = self.take(cx, Message::Text(text), left > 0),
                Poll::Ready(Some(Ok(Incoming::Binary(bytes)))) => {
                    seen = self.take(cx, Message::Binary(bytes), left > 0)
                }
                Poll::Ready(Some(Ok(Incoming::Close { code, reason }))) => {
                    let code = code.unwrap_or(close::NO_STATUS);
                    self.end = Some(CloseEvent { code, reason: reason.to_string(), was_clean: true });
                }
                Poll::Ready(Some(Err(error))) => self.end = Some(broken(&error)),
            }
        }
        Ok(true)
    }

    /// Notes whether one more message may be read: the agent can take one, and the client has not said too much.
    fn is_deaf(&mut self, cx: &mut Context<'_>) -> bool {
        self.deaf = self.session.poll_ready(cx).is_pending()
            || self.meter.as_mut().is_some_and(|meter| meter.poll_ready(cx).is_pending());
        self.deaf
    }

    fn hear(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming, WsError>>> {
        if self.is_deaf(cx) { Poll::Pending } else { self.socket.poll_recv(cx) }
    }

    fn look_ahead(&mut self, cx: &mut Context<'_>) -> Poll<Ahead> {
        if self.is_deaf(cx) { Poll::Pending } else { self.socket.poll_ahead(cx) }
    }

    /// Gives a message to the agent, and returns what comes after it if that was looked at: messages that are there together
    /// run together, and share a commit.
    fn take(&mut self, cx: &mut Context<'_>, message: Message, may_look: bool) -> Option<Poll<Ahead>> {
        if let Some(meter) = &self.meter {
            meter.count();
        }
        let ahead = (may_look && message.len() <= SHORT_BYTES).then(|| self.look_ahead(cx));
        if matches!(&ahead, Some(Poll::Ready(ahead)) if ahead.is_message()) {
            self.session.receive_with_next(message);
        } else {
            self.session.receive(message);
            // What was said in answer leaves even if the client's next bytes end the conversation.
            self.hand_over();
        }
        ahead
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

    /// The code is none of the final ones: a client comes back, with a new token if it has one.
    fn expire(&mut self) {
        let message = "Your token has expired while the connection was open.";
        let refusal = Refusal::new(Code::TokenExpired, message).with_fix("connect again with a new token");
        tracing::info!(code = refusal.code.as_str(), "a socket outlived its token");
        self.socket.feed(Outgoing::Text(refusal.to_error_frame().into()));
        self.socket.close(EXPIRED, &refusal.close_reason());
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

    /// Pings a silent client, and gives it up when it stays silent. Sends one whose identity has expired away.
    fn keep_alive(&mut self, cx: &mut Context<'_>) {
        while self.pulse.as_mut().poll(cx).is_ready() {
            let left = until_expiry(&self.session);
            if left.is_some_and(|left| left.is_zero()) && !self.socket.is_closing() {
                self.expire();
            }
            let progress = self.socket.take_progress();
            let heard = self.socket.take_heard() || self.deaf || progress;
            if self.pinged && !heard {
                self.socket.close_now(close::GOING_AWAY, "no answer to a ping");
            } else if !heard {
                self.socket.feed(Outgoing::Ping);
            }
            self.pinged = !heard;
            let wait = if self.pinged { self.deadline } else { self.interval };
            let wait = left.filter(|left| !left.is_zero()).map_or(wait, |left| left.min(wait));
            self.pulse.as_mut().reset(Instant::now() + wait);
            cx.waker().wake_by_ref();
        }
    }
}

/// How long the client's identity still holds, if it ends at all.
fn until_expiry(session: &Session) -> Option<Duration> {
    let expires = u64::try_from(session.identity()?.expires()?.as_millisecond()).unwrap_or(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(Duration::from_millis(expires).saturating_sub(now))
}

fn lost() -> CloseEvent {
    CloseEvent { code: close::ABNORMAL, reason: String::new(), was_clean: false }
}

fn broken(error: &WsError) -> CloseEvent {
    CloseEvent { code: error.close_code(), reason: error.to_string(), was_clean: false }
}
