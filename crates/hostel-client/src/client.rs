//! A connected client: a handle, and two tasks that read and write its socket.

mod driver;
mod events;
mod state;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hostel_protocol::server::rpc_request;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, watch};

pub use events::{Event, Events};
pub use state::{Accepted, Versioned, Warning};

use crate::call::{Call, Part, Parts, Waiting};
use crate::dial::{self, within};
use crate::error::{Closed, Conflict, Error, Reason};
use crate::handshake::{self, Socket};
use crate::{Options, Target};

/// Whom the client talks to, as the server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The slug of the class.
    pub agent: String,
    /// The name of the instance.
    pub name: String,
    /// Whether the server announced that a state frame comes next.
    pub state_follows: bool,
}

/// A connected client. Cloning gives another handle to the same socket; the socket is
/// closed when the last handle is dropped.
#[derive(Debug, Clone)]
pub struct Client {
    outgoing: mpsc::Sender<Outgoing>,
    shared: Arc<Shared>,
    call_timeout: Duration,
    ready_timeout: Duration,
}

/// What the tasks and the handles know together.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) waiting: Waiting,
    seen: watch::Sender<Seen>,
    last_id: AtomicU64,
}

/// What the server has said so far.
#[derive(Debug, Clone, Default)]
struct Seen {
    identity: Option<Identity>,
    state: Option<Arc<RawValue>>,
    /// The version of the state, as far as the server says it.
    version: Option<String>,
    /// Everything that is sent on connecting has arrived.
    ready: bool,
    said: Option<Reason>,
    /// How many frames of ours other than calls were refused, and why the last one was.
    refused_states: u64,
    state_error: Option<Reason>,
    /// What stood in the way of the last state that was refused, if that was it.
    conflict: Option<Conflict>,
    /// How many warnings there were, and the last few of them.
    warned: u64,
    warnings: VecDeque<Warning>,
    closed: Option<Closed>,
}

#[derive(Debug)]
enum Outgoing {
    Text(String),
    Close { code: u16, reason: String },
}

impl Shared {
    /// How the connection ended, as soon as it has.
    pub(crate) async fn ended(&self) -> Closed {
        let mut seen = self.seen.subscribe();
        let ended = seen.wait_for(|seen| seen.closed.is_some()).await;
        let closed = ended.ok().and_then(|seen| seen.closed.clone());
        closed.unwrap_or(Closed { code: 1006, reason: String::new(), said: None })
    }
}

impl Client {
    /// Connects and waits for the WebSocket, not yet for the identity.
    ///
    /// # Errors
    ///
    /// The first step that fails: [`Error::Resolve`], [`Error::Connect`], [`Error::Tls`],
    /// [`Error::Refused`] with the whole answer, [`Error::Timeout`].
    pub async fn connect(target: &Target, options: &Options) -> Result<Self, Error> {
        let stream = dial::open(target, options).await?;
        let socket = handshake::upgrade(stream, target, options).await?;
        Ok(Self::start(socket, options, None))
    }

    /// As [`Client::connect`], with every message in both directions.
    ///
    /// The client stops reading while 1024 events wait to be taken; dropping the events
    /// turns them off.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub async fn connect_with_events(target: &Target, options: &Options) -> Result<(Self, Events), Error> {
        let stream = dial::open(target, options).await?;
        let socket = handshake::upgrade(stream, target, options).await?;
        Ok(Self::over(socket, options))
    }

    /// A client over a socket whose handshake is done.
    #[must_use]
    pub fn over(socket: Socket, options: &Options) -> (Self, Events) {
        let (sender, events) = Events::channel();
        (Self::start(socket, options, Some(sender)), events)
    }

    fn start(socket: Socket, options: &Options, events: Option<mpsc::Sender<Event>>) -> Self {
        let (outgoing, queue) = mpsc::channel(64);
        let shared = Arc::new(Shared {
            waiting: Waiting::default(),
            seen: watch::Sender::default(),
            last_id: AtomicU64::new(0),
        });
        driver::spawn(socket, queue, shared.clone(), events);
        Self { outgoing, shared, call_timeout: options.call_timeout, ready_timeout: options.ready_timeout }
    }

    /// Whom the server says this is.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the server closes instead of saying so, [`Error::Timeout`].
    pub async fn identity(&self) -> Result<Identity, Error> {
        let what = "waiting for the identity frame";
        let seen = self.wait(what, |seen| seen.identity.is_some()).await?;
        seen.identity.ok_or_else(|| Error::Closed(lost()))
    }

    async fn wait(&self, what: &str, done: impl Fn(&Seen) -> bool) -> Result<Seen, Error> {
        within(what, self.ready_timeout, async {
            let mut seen = self.shared.seen.subscribe();
            let found = seen.wait_for(|seen| done(seen) || seen.closed.is_some()).await;
            let seen = found.map_err(|_| Error::Closed(lost()))?.clone();
            match seen.closed.clone() {
                Some(closed) if !done(&seen) => Err(Error::Closed(closed)),
                _ => Ok(seen),
            }
        })
        .await
    }

    /// Makes a call and waits for its result; the pieces of a stream are passed over.
    /// JavaScript's `undefined` becomes `null`.
    ///
    /// # Errors
    ///
    /// [`Error::Call`] with the server's sentence, code and fix; [`Error::Timeout`];
    /// [`Error::Closed`].
    pub async fn call(&self, call: Call) -> Result<Value, Error> {
        let mut parts = self.call_streaming(call).await?;
        loop {
            if let Part::Done(value) = parts.next().await? {
                return Ok(value.unwrap_or(Value::Null));
            }
        }
    }

    /// Makes a call and gives its answer part by part.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    pub async fn call_streaming(&self, call: Call) -> Result<Parts, Error> {
        let id = self.shared.last_id.fetch_add(1, Ordering::Relaxed).to_string();
        let args = Value::Array(call.args).to_string();
        let frame = rpc_request(&id, &call.method, &args, call.idempotency_key.as_deref());
        let parts = Parts {
            outcomes: self.shared.waiting.add(&id),
            what: format!("the call of {}", call.method),
            timeout: call.timeout.unwrap_or(self.call_timeout),
            shared: self.shared.clone(),
            id,
        };
        self.send_text(frame).await?;
        Ok(parts)
    }

    /// Sends a text message as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    pub async fn send_text(&self, text: impl Into<String>) -> Result<(), Error> {
        let sent = self.outgoing.send(Outgoing::Text(text.into())).await;
        match sent {
            Ok(()) => Ok(()),
            Err(_) => Err(Error::Closed(self.closed().await)),
        }
    }

    /// Closes the socket with 1000 and waits for the end.
    pub async fn close(&self) -> Closed {
        self.close_with(1000, "").await
    }

    /// Closes the socket with a code and a reason of at most 123 bytes; waits for the end.
    pub async fn close_with(&self, code: u16, reason: &str) -> Closed {
        let close = Outgoing::Close { code, reason: reason.to_owned() };
        // An error means that it is closed already.
        let _ = self.outgoing.send(close).await;
        self.closed().await
    }

    /// How the connection ended, as soon as it has.
    pub async fn closed(&self) -> Closed {
        self.shared.ended().await
    }
}

fn lost() -> Closed {
    Closed { code: 1006, reason: String::new(), said: None }
}

#[cfg(test)]
mod tests;
