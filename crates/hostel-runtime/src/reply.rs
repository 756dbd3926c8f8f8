//! Where the answer of a call goes.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use hostel_core::{
    Error, Identity, Reply, Result,
    host::{Incoming, OutgoingCall, WayBack},
    stream::{Tap, error_frame},
};
use hostel_protocol::server;
use tokio::sync::oneshot;

use crate::{cell::By, gate::Delivery, peer::Peer};

/// Where the answer of a call goes.
pub(crate) enum ReplyTo {
    /// An rpc frame's sender.
    Frame { peer: Arc<Peer>, id: Arc<str> },
    /// Another agent, the application, or an HTTP handler.
    Waiting(By, oneshot::Sender<Result<Reply>>, Option<Box<Ways>>),
}

/// What else leads to whoever waits inside the process.
pub(crate) struct Ways {
    /// Takes what a streaming method sends.
    pub(crate) tap: Option<Tap>,
    /// Is handed to the method.
    pub(crate) back: Option<WayBack>,
}

impl Ways {
    /// Those of a call; most have none.
    pub(crate) fn of(call: &OutgoingCall) -> Option<Box<Self>> {
        let has_any = call.tap.is_some() || call.back.is_some();
        has_any.then(|| Box::new(Self { tap: call.tap.clone(), back: call.back.clone() }))
    }
}

impl ReplyTo {
    /// The answer as something the gate lets out.
    pub(crate) fn deliver(self, answer: Result<Reply>) -> Delivery {
        match self {
            Self::Frame { peer, id } => {
                let frame = match &answer {
                    Ok(reply) => server::rpc_result(&id, reply.as_json()),
                    Err(error) => error_frame(&id, error),
                };
                Delivery::Answer(peer, frame.into())
            }
            Self::Waiting(_, sender, _) => Delivery::resolve(move |durable| {
                let _caller_may_have_left = sender.send(durable.and(answer));
            }),
        }
    }

    pub(crate) fn peer(&self) -> Option<&Arc<Peer>> {
        match self {
            Self::Frame { peer, .. } => Some(peer),
            Self::Waiting(..) => None,
        }
    }

    /// The call of another agent that this answers, if it is one.
    pub(crate) fn incoming(&self) -> Option<&Arc<Incoming>> {
        match self {
            Self::Frame { .. } => None,
            Self::Waiting(by, ..) => by.incoming(),
        }
    }

    /// What the caller's service handed along for the method.
    pub(crate) fn way_back(&self) -> Option<&WayBack> {
        match self {
            Self::Frame { .. } => None,
            Self::Waiting(.., ways) => ways.as_ref()?.back.as_ref(),
        }
    }

    /// Whether the caller can take what a streaming method sends.
    pub(crate) fn takes_streams(&self) -> bool {
        match self {
            Self::Frame { .. } => true,
            Self::Waiting(.., ways) => ways.as_ref().is_some_and(|ways| ways.tap.is_some()),
        }
    }

    /// Whether nobody waits for the answer any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Self::Frame { peer, .. } => !peer.is_joined(),
            Self::Waiting(_, sender, _) => sender.is_closed(),
        }
    }

    /// Ready once nobody inside the process waits for the answer any more.
    pub(crate) fn poll_abandoned(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Frame { .. } => Poll::Pending,
            Self::Waiting(_, sender, _) => sender.poll_closed(cx),
        }
    }

    /// Who is behind a call of a client, whom the method's rules concern; `None` for other agents and the application.
    pub(crate) fn client(&self) -> Option<Option<&Identity>> {
        match self {
            Self::Frame { peer, .. } => Some(peer.record.identity()),
            Self::Waiting(By::Client(identity), ..) => Some(identity.as_ref()),
            Self::Waiting(..) => None,
        }
    }

    /// Who asked.
    pub(crate) fn by(&self) -> By {
        match self {
            Self::Frame { peer, .. } => By::Connection(Arc::clone(&peer.record)),
            Self::Waiting(by, ..) => by.clone(),
        }
    }
}

impl fmt::Debug for ReplyTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frame { .. } => "Frame",
            Self::Waiting(..) => "Waiting",
        })
    }
}

/// Copies an error for a second receiver; its cause stays with the first, for the log.
pub(crate) fn share(error: &Error) -> Error {
    let copy = match error.code() {
        Some(code) => Error::coded(code, error.message()),
        None => Error::msg(error.message()),
    };
    match error.fix() {
        Some(fix) => copy.with_fix(fix),
        None => copy,
    }
}
