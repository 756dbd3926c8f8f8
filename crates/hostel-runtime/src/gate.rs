//! The output gate of one agent: effects wait here until the writes they rest on are durable.

use std::{collections::VecDeque, fmt, sync::Arc};

use hostel_core::{Error, Message, Result};
use hostel_store::Commit;
use parking_lot::Mutex;

use crate::{peer::Peer, reply::share};

/// Told whether the writes became durable.
type Resolver = Box<dyn FnOnce(Result<()>) + Send>;

/// Something the outside may see once the writes before it are durable.
pub(crate) enum Delivery {
    /// One message to one client.
    Send(Arc<Peer>, Message),
    /// One message to many clients.
    Fan { peers: Vec<Arc<Peer>>, message: Message, is_state: bool },
    /// Close a socket.
    Close(Arc<Peer>, u16, String),
    /// Tell somebody inside the process.
    Resolve(Resolver),
}

impl Delivery {
    pub(crate) fn resolve(tell: impl FnOnce(Result<()>) + Send + 'static) -> Self {
        Self::Resolve(Box::new(tell))
    }

    fn go(self) {
        match self {
            Self::Send(peer, message) => peer.outbox.push(message, false),
            Self::Fan { peers, message, is_state } => {
                peers.iter().for_each(|peer| peer.outbox.push(message.clone(), is_state));
            }
            Self::Close(peer, code, reason) => peer.outbox.close(code, &reason),
            Self::Resolve(tell) => tell(Ok(())),
        }
    }

    /// The writes are lost: what rested on them is never shown.
    fn fail(self, error: &Error) {
        if let Self::Resolve(tell) = self {
            tell(Err(share(error)));
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Send(..) => "Send",
            Self::Fan { .. } => "Fan",
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
    /// Writes were lost: what is in memory rests on them, and none of it is shown until the agent is loaded again.
    lost: Option<Error>,
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
        let mut inner = self.0.lock();
        if let Some(error) = &inner.lost {
            deliveries.into_iter().for_each(|delivery| delivery.fail(error));
            return Then::Rest;
        }
        if let Some(commit) = commit {
            inner.committed += 1;
            inner.latest = Some(commit);
        }
        if inner.durable == inner.committed {
            deliveries.into_iter().for_each(Delivery::go);
            return Then::Rest;
        }
        let after = inner.committed;
        if !deliveries.is_empty() {
            inner.held.push_back((after, deliveries));
        }
        match std::mem::replace(&mut inner.syncing, true) {
            true => Then::Rest,
            false => Then::Sync,
        }
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
        let mut inner = self.0.lock();
        inner.durable = number;
        while inner.held.front().is_some_and(|(after, _)| *after <= number) {
            let (_, deliveries) = inner.held.pop_front().expect("the front was just seen");
            deliveries.into_iter().for_each(Delivery::go);
        }
        if inner.held.is_empty() {
            inner.held.shrink_to(4);
        }
    }

    /// The writes are lost: nothing that waited is shown, and whoever waits inside the process is told.
    pub(crate) fn fail(&self, error: &Error) {
        let held = {
            let mut inner = self.0.lock();
            inner.durable = inner.committed;
            inner.latest = None;
            inner.syncing = false;
            inner.lost = Some(share(error));
            std::mem::take(&mut inner.held)
        };
        held.into_iter().flat_map(|(_, deliveries)| deliveries).for_each(|delivery| delivery.fail(error));
    }

    /// The agent is loaded from what is durable.
    pub(crate) fn mend(&self) {
        self.0.lock().lost = None;
    }

    /// Whether nothing waits and no sync is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        let inner = self.0.lock();
        inner.held.is_empty() && !inner.syncing && inner.durable == inner.committed
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use hostel_store::{Options, Store};

    use super::*;

    fn commit() -> Option<Commit> {
        let store = Store::in_memory(Options::default()).unwrap();
        let mut agent = store.agent("counter", "a").unwrap();
        agent.set_state("1").unwrap();
        agent.commit().unwrap()
    }

    fn tell(shown: &Arc<AtomicU32>, bit: u32, lost: u32) -> Vec<Delivery> {
        let shown = Arc::clone(shown);
        vec![Delivery::resolve(move |outcome| {
            shown.fetch_or(if outcome.is_ok() { bit } else { lost }, Ordering::Relaxed);
        })]
    }

    #[test]
    fn rule_9_a_turn_that_only_read_what_is_not_durable_waits_for_the_same_gate() {
        let (gate, shown) = (Gate::default(), Arc::default());
        assert_eq!(gate.push(commit(), tell(&shown, 1, 0)), Then::Sync);
        let (number, _commit) = gate.next_sync().unwrap();
        assert_eq!(gate.push(None, tell(&shown, 2, 0)), Then::Rest);
        assert_eq!(shown.load(Ordering::Relaxed), 0);
        gate.open(number);
        assert_eq!(shown.load(Ordering::Relaxed), 3);
        assert!(gate.next_sync().is_none() && gate.is_quiet());
    }

    #[test]
    fn after_a_loss_nothing_is_shown_until_the_agent_is_loaded_again() {
        let (gate, shown) = (Gate::default(), Arc::default());
        assert_eq!(gate.push(commit(), tell(&shown, 1, 2)), Then::Sync);
        gate.fail(&Error::msg("the disk is gone"));
        assert_eq!(gate.push(None, tell(&shown, 4, 8)), Then::Rest);
        assert_eq!(shown.load(Ordering::Relaxed), 2 | 8);
        gate.mend();
        assert_eq!(gate.push(None, tell(&shown, 16, 32)), Then::Rest);
        assert_eq!(shown.load(Ordering::Relaxed), 2 | 8 | 16);
    }
}
