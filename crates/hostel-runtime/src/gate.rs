//! The output gate of one agent: effects wait here until the writes they rest on are durable.

use std::{collections::VecDeque, fmt, sync::Arc};

use hostel_core::{Error, Message, Result};
use hostel_protocol::{connection::close, refusal::Code};
use hostel_store::Commit;
use parking_lot::Mutex;

use crate::{peer::Peer, reply::share};

/// Told whether the writes became durable.
type Resolver = Box<dyn FnOnce(Result<()>) + Send>;

/// Something the outside may see once the writes before it are durable.
pub(crate) enum Delivery {
    /// One message to one client.
    Send(Arc<Peer>, Message),
    /// The last frame of a call; the call is over when it leaves.
    Answer(Arc<Peer>, Message),
    /// One message to many clients.
    Fan { peers: Vec<Arc<Peer>>, message: Message },
    /// The state to many clients, with its version to those who asked for it.
    State { peers: Vec<Arc<Peer>>, message: Message, versioned: Option<Message> },
    /// Close a socket.
    Close(Arc<Peer>, u16, String),
    /// Tell somebody inside the process.
    Resolve(Resolver),
}

impl Delivery {
    pub(crate) fn resolve(tell: impl FnOnce(Result<()>) + Send + 'static) -> Self {
        Self::Resolve(Box::new(tell))
    }

    /// Lets it out. Who waits inside the process is told by the caller, once the gate's lock is free.
    fn go(self, told: &mut Vec<Resolver>) {
        match self {
            Self::Send(peer, message) => peer.outbox.push(message, false),
            Self::Answer(peer, message) => {
                peer.end_call();
                peer.outbox.push(message, false);
            }
            Self::Fan { peers, message } => {
                peers.iter().for_each(|peer| peer.outbox.push(message.clone(), false));
            }
            Self::State { peers, message, versioned } => peers.iter().for_each(|peer| {
                let message = versioned.as_ref().filter(|_| peer.record.state_versions()).unwrap_or(&message);
                peer.outbox.push(message.clone(), true);
            }),
            Self::Close(peer, code, reason) => peer.outbox.close(code, &reason),
            Self::Resolve(tell) => told.push(tell),
        }
    }

    /// The writes are lost: what rested on them is never shown. Whoever waits is told to come back.
    fn fail(self, error: &Error, reason: &str) {
        let turn_away = |peer: &Peer| peer.outbox.close(close::TRY_AGAIN_LATER, reason);
        match self {
            Self::Send(peer, _) | Self::Close(peer, ..) => turn_away(&peer),
            Self::Answer(peer, _) => {
                peer.end_call();
                turn_away(&peer);
            }
            Self::Fan { peers, .. } | Self::State { peers, .. } => peers.iter().for_each(|peer| turn_away(peer)),
            Self::Resolve(tell) => tell(Err(share(error))),
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Send(..) => "Send",
            Self::Answer(..) => "Answer",
            Self::Fan { .. } => "Fan",
            Self::State { .. } => "State",
            Self::Close(..) => "Close",
            Self::Resolve(_) => "Resolve",
        })
    }
}

/// The output gate of one agent. Deliveries leave in the order they were pushed, each when everything committed before
/// it is durable. So a turn that only read state that is not durable yet waits for the same sync.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    committed: u64,
    durable: u64,
    latest: Option<Commit>,
    held: VecDeque<(u64, Vec<Delivery>)>,
    syncing: bool,
    /// Writes were lost, and the agent has not been loaded again since: whatever it says may rest on them.
    broken: Option<Error>,
}

/// What the caller of [`Gate::push`] has to do.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Then {
    /// Nothing.
    Rest,
    /// Start a sync: see [`Gate::next_sync`].
    Sync,
}

impl Gate {
    /// Adds what a turn committed, and what it wants to show.
    pub(crate) fn push(&self, commit: Option<Commit>, deliveries: Vec<Delivery>) -> Then {
        let mut told = Vec::new();
        let mut inner = self.0.lock();
        if let Some(error) = &inner.broken {
            let error = share(error);
            drop(inner);
            fail_all(deliveries, &error);
            return Then::Rest;
        }
        let then = inner.push(commit, deliveries, &mut told);
        drop(inner);
        told.into_iter().for_each(|tell| tell(Ok(())));
        then
    }

    /// The next commit to make durable, with its number; `None` ends the syncing until the next [`Then::Sync`].
    pub(crate) fn next_sync(&self) -> Option<(u64, Commit)> {
        let mut inner = self.0.lock();
        let next = inner.latest.take().map(|commit| (inner.committed, commit));
        inner.syncing = next.is_some();
        next
    }

    /// Everything up to `number` is durable: lets out what waited for it.
    pub(crate) fn open(&self, number: u64) {
        let mut told = Vec::new();
        self.0.lock().open(number, &mut told);
        told.into_iter().for_each(|tell| tell(Ok(())));
    }

    /// The writes are lost: nothing that waited is shown, nor anything that comes, until [`Gate::heal`].
    pub(crate) fn fail(&self, error: &Error) {
        let held = {
            let mut inner = self.0.lock();
            inner.durable = inner.committed;
            inner.latest = None;
            inner.syncing = false;
            inner.broken = Some(share(error));
            std::mem::take(&mut inner.held)
        };
        fail_all(held.into_iter().flat_map(|(_, deliveries)| deliveries), error);
    }

    /// The agent was loaded again from what is durable.
    pub(crate) fn heal(&self) {
        self.0.lock().broken = None;
    }

    /// Whether nothing waits and no sync is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        let inner = self.0.lock();
        inner.held.is_empty() && !inner.syncing && inner.durable == inner.committed
    }
}

impl Inner {
    fn push(&mut self, commit: Option<Commit>, deliveries: Vec<Delivery>, told: &mut Vec<Resolver>) -> Then {
        if let Some(commit) = commit {
            self.committed += 1;
            self.latest = Some(commit);
        }
        if self.durable == self.committed {
            deliveries.into_iter().for_each(|delivery| delivery.go(told));
            return Then::Rest;
        }
        if !deliveries.is_empty() {
            self.held.push_back((self.committed, deliveries));
        }
        match std::mem::replace(&mut self.syncing, true) {
            true => Then::Rest,
            false => Then::Sync,
        }
    }

    fn open(&mut self, number: u64, told: &mut Vec<Resolver>) {
        self.durable = number;
        while self.held.front().is_some_and(|(after, _)| *after <= number) {
            let (_, deliveries) = self.held.pop_front().expect("the front was just seen");
            deliveries.into_iter().for_each(|delivery| delivery.go(told));
        }
        if self.held.is_empty() {
            self.held.shrink_to(4);
        }
    }
}

fn fail_all(deliveries: impl IntoIterator<Item = Delivery>, error: &Error) {
    let reason = error.to_refusal(Code::StorageFailed).close_reason();
    deliveries.into_iter().for_each(|delivery| delivery.fail(error, &reason));
}
