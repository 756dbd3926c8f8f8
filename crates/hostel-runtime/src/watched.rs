//! Who wants to know when an agent's state has changed, besides its clients: services beside agents.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use hostel_core::AgentId;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::node::Shared;

/// The agents that somebody watches.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// Whether there are any; asked by every turn that changes a state.
    any: AtomicBool,
    agents: Mutex<HashMap<AgentId, watch::Sender<()>>>,
}

impl Watched {
    pub(crate) fn has(&self, id: &AgentId) -> bool {
        self.any.load(Ordering::Acquire) && self.agents.lock().contains_key(id)
    }

    pub(crate) fn tell(&self, id: &AgentId) {
        if let Some(sender) = self.agents.lock().get(id) {
            sender.send_replace(());
        }
    }

    fn watch(&self, id: &AgentId) -> watch::Receiver<()> {
        let mut agents = self.agents.lock();
        self.any.store(true, Ordering::Release);
        agents.entry(id.clone()).or_insert_with(|| watch::Sender::new(())).subscribe()
    }

    /// One who watched goes.
    fn leave(&self, id: &AgentId, hears: Option<watch::Receiver<()>>) {
        let mut agents = self.agents.lock();
        // Under the lock: of two that go at once, the second is to see that nobody is left.
        drop(hears);
        if agents.get(id).is_some_and(|sender| sender.receiver_count() == 0) {
            agents.remove(id);
        }
        self.any.store(!agents.is_empty(), Ordering::Release);
    }
}

/// Tells when an agent's state has changed. Several changes may be told as one.
#[derive(Debug)]
pub struct StateWatch {
    node: Weak<Shared>,
    id: AgentId,
    /// `None` once it goes.
    hears: Option<watch::Receiver<()>>,
}

impl StateWatch {
    pub(crate) fn new(node: &Arc<Shared>, id: &AgentId) -> Self {
        Self { node: Arc::downgrade(node), id: id.clone(), hears: Some(node.watched.watch(id)) }
    }

    /// Resolves when a change is durable; `false` when the node is gone.
    ///
    /// # Cancel safety
    /// Dropping the future loses no change.
    pub async fn changed(&mut self) -> bool {
        match &mut self.hears {
            Some(hears) => hears.changed().await.is_ok(),
            None => false,
        }
    }
}

impl Drop for StateWatch {
    fn drop(&mut self) {
        if let Some(node) = self.node.upgrade() {
            node.watched.leave(&self.id, self.hears.take());
        }
    }
}
