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
    /// The number of the last commit, or of the one that the turns that are held will share.
    committed: u64,
    durable: u64,
    /// The last commit that no sync was begun for, with its number.
    latest: Option<(u64, Commit)>,
    /// Turns are held: the commit `committed` is still to be made.
    open_group: bool,
    held: VecDeque<(u64, Vec<Delivery>)>,
    syncing: bool,
    /// Writes were lost, and the agent has not been loaded again since: whatever it says may rest on them.
    broken: Option<Error>,
    /// How often writes were lost.
    losses: u64,
}

/// A commit to be made durable.
#[derive(Debug)]
pub(crate) struct Sync {
    /// Up to where the gate opens when it is.
    pub(crate) number: u64,
    pub(crate) commit: Commit,
    /// For [`Gate::fail`], if it cannot be.
    pub(crate) losses: u64,
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

/// What a turn has written, as the gate sees it.
#[derive(Debug)]
pub(crate) enum Written {
    /// Nothing.
    Nothing,
    /// Something that a commit still to come is about.
    Held,
    /// This, and all that was held before it. If it is durable already, only what was held waits.
    Commit { commit: Commit, durable: bool },
}

impl Gate {
    /// Adds what a turn has written, and what it wants to show.
    pub(crate) fn push(&self, written: Written, deliveries: Vec<Delivery>) -> Then {
        let mut told = Vec::new();
        let mut inner = self.0.lock();
        if let Some(error) = &inner.broken {
            let error = share(error);
            drop(inner);
            fail_all(deliveries, &error);
            return Then::Rest;
        }
        let then = inner.push(written, deliveries, &mut told);
        drop(inner);
        told.into_iter().for_each(|tell| tell(Ok(())));
        then
    }

    /// The node is gone, and nobody syncs any more: what waits may hold the agent itself, and is dropped unseen.
    pub(crate) fn let_go(&self) {
        let held = {
            let mut inner = self.0.lock();
            inner.broken = Some(Error::coded(Code::ShuttingDown, "The node is gone."));
            std::mem::take(&mut inner.held)
        };
        drop(held);
    }

    /// The next commit to make durable, with its number; `None` ends the syncing until the next [`Then::Sync`].
    pub(crate) fn next_sync(&self) -> Option<Sync> {
        let mut inner = self.0.lock();
        let next = inner.latest.take();
        inner.syncing = next.is_some();
        let (number, commit) = next?;
        Some(Sync { number, commit, losses: inner.losses })
    }

    /// How often writes were lost until now; for [`Gate::fail`].
    pub(crate) fn losses(&self) -> u64 {
        self.0.lock().losses
    }

    /// Everything up to `number` is durable: lets out what waited for it.
    pub(crate) fn open(&self, number: u64) {
        let mut told = Vec::new();
        self.0.lock().open(number, &mut told);
        told.into_iter().for_each(|tell| tell(Ok(())));
    }

    /// The writes are lost: nothing that waited is shown, nor anything that comes, until [`Gate::heal`]. `losses` is how often
    /// writes had been lost when they were made: whether this is news, or they went with an earlier loss. What has come since
    /// is then none of their concern.
    pub(crate) fn fail(&self, losses: u64, error: &Error) -> bool {
        let held = {
            let mut inner = self.0.lock();
            if inner.losses != losses {
                return false;
            }
            inner.losses += 1;
            inner.durable = inner.committed;
            inner.latest = None;
            inner.open_group = false;
            inner.syncing = false;
            inner.broken = Some(share(error));
            std::mem::take(&mut inner.held)
        };
        fail_all(held.into_iter().flat_map(|(_, deliveries)| deliveries), error);
        true
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
    fn push(&mut self, written: Written, deliveries: Vec<Delivery>, told: &mut Vec<Resolver>) -> Then {
        self.note(written);
        if self.durable == self.committed {
            deliveries.into_iter().for_each(|delivery| delivery.go(told));
            return Then::Rest;
        }
        if !deliveries.is_empty() {
            self.held.push_back((self.committed, deliveries));
        }
        if self.latest.is_none() || std::mem::replace(&mut self.syncing, true) {
            return Then::Rest;
        }
        Then::Sync
    }

    /// Numbers what was written. Turns that are held share the number of the commit that ends them.
    fn note(&mut self, written: Written) {
        match written {
            Written::Nothing => {}
            Written::Held => self.committed += u64::from(!std::mem::replace(&mut self.open_group, true)),
            Written::Commit { commit, durable } => {
                let ends_group = std::mem::take(&mut self.open_group);
                if ends_group || !durable {
                    self.committed += u64::from(!ends_group);
                    self.latest = Some((self.committed, commit));
                }
            }
        }
    }

    fn open(&mut self, number: u64, told: &mut Vec<Resolver>) {
        // Writes that were lost count as over already, whatever was still under way.
        self.durable = self.durable.max(number);
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

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use hostel_store::Store;

    use super::*;

    /// What was told, as digits in order; a lost one is told as 9.
    #[derive(Clone, Default)]
    struct Told(Arc<AtomicU32>);

    impl Told {
        fn deliver(&self, digit: u32) -> Vec<Delivery> {
            let told = self.clone();
            vec![Delivery::resolve(move |outcome| {
                let digit = if outcome.is_ok() { digit } else { 9 };
                told.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |all| Some(all * 10 + digit)).unwrap();
            })]
        }

        fn all(&self) -> u32 {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn commit(durable: bool) -> Written {
        let store = Store::in_memory(hostel_store::Options::default()).unwrap();
        let mut db = store.agent("counter", "a").unwrap();
        db.set_state("1").unwrap();
        Written::Commit { commit: db.commit().unwrap().unwrap(), durable }
    }

    #[test]
    fn a_group_waits_for_its_own_commit_and_not_for_one_that_was_under_way() {
        let (gate, told) = (Gate::default(), Told::default());
        assert_eq!(gate.push(commit(false), told.deliver(1)), Then::Sync);
        assert_eq!(gate.next_sync().unwrap().number, 1);
        assert_eq!(gate.push(Written::Held, told.deliver(2)), Then::Rest);
        assert_eq!(gate.push(Written::Held, told.deliver(3)), Then::Rest);
        assert_eq!(gate.push(Written::Nothing, told.deliver(4)), Then::Rest);
        gate.open(1);
        assert!(gate.next_sync().is_none());
        assert_eq!((told.all(), gate.is_quiet()), (1, false));
        assert_eq!(gate.push(Written::Nothing, told.deliver(5)), Then::Rest);
        assert_eq!(gate.push(commit(false), told.deliver(6)), Then::Sync);
        assert_eq!(told.all(), 1);
        assert_eq!(gate.next_sync().unwrap().number, 2);
        gate.open(2);
        assert!(gate.next_sync().is_none());
        assert_eq!((told.all(), gate.is_quiet()), (123_456, true));
    }

    #[test]
    fn a_commit_that_a_sync_does_not_cover_yet_is_not_taken_for_the_group_behind_it() {
        let (gate, told) = (Gate::default(), Told::default());
        assert_eq!(gate.push(commit(false), told.deliver(1)), Then::Sync);
        assert_eq!(gate.next_sync().unwrap().number, 1);
        assert_eq!(gate.push(commit(false), told.deliver(2)), Then::Rest);
        assert_eq!(gate.push(Written::Held, told.deliver(3)), Then::Rest);
        gate.open(1);
        assert_eq!(gate.next_sync().unwrap().number, 2, "the commit, not the group");
        gate.open(2);
        assert_eq!(told.all(), 12);
        assert!(gate.next_sync().is_none());
        assert_eq!(gate.push(commit(true), Vec::new()), Then::Sync, "the end of a group, however soon it is durable");
        gate.open(gate.next_sync().unwrap().number);
        assert_eq!(told.all(), 123);
    }

    #[test]
    fn writes_that_are_lost_take_an_open_group_along_and_the_next_commit_is_numbered_anew() {
        let (gate, told) = (Gate::default(), Told::default());
        assert_eq!(gate.push(commit(false), told.deliver(1)), Then::Sync);
        assert!(gate.next_sync().is_some());
        assert_eq!(gate.push(Written::Held, told.deliver(2)), Then::Rest);
        assert!(gate.fail(0, &Error::msg("gone")));
        assert_eq!(told.all(), 99);
        assert_eq!(gate.push(Written::Held, told.deliver(3)), Then::Rest);
        assert_eq!(gate.push(commit(false), told.deliver(4)), Then::Rest, "the end of what was lost");
        assert_eq!(told.all(), 9999);
        gate.heal();
        gate.open(1);
        assert!(gate.is_quiet(), "an earlier sync that ends after all does not turn back the count");
        assert_eq!(gate.push(commit(false), told.deliver(5)), Then::Sync);
        assert_eq!(told.all(), 9999);
        gate.open(gate.next_sync().unwrap().number);
        assert_eq!(told.all(), 99_995);
        assert_eq!(gate.push(commit(true), told.deliver(6)), Then::Rest);
        assert_eq!(told.all(), 999_956);
    }

    #[test]
    fn writes_that_went_with_an_earlier_loss_are_not_lost_twice() {
        let (gate, told) = (Gate::default(), Told::default());
        assert_eq!(gate.push(commit(false), told.deliver(1)), Then::Sync);
        let first = gate.next_sync().unwrap();
        assert!(gate.fail(gate.losses(), &Error::msg("the end of a group")));
        gate.heal();
        assert_eq!(gate.push(commit(false), told.deliver(2)), Then::Sync);
        let second = gate.next_sync().unwrap();
        assert!(!gate.fail(first.losses, &Error::msg("the sync that was under way")));
        assert_eq!(told.all(), 9, "what came after is still on its way");
        gate.open(second.number);
        assert_eq!(told.all(), 92);
        assert!(gate.fail(second.losses, &Error::msg("news")), "a loss of its own is one");
    }
}
