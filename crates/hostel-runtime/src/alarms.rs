//! The node's timer: which agent to look at when.

use std::collections::{BTreeSet, HashMap};

use hostel_core::AgentId;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Wake-ups of the whole node, earliest first; one an agent.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    by_time: BTreeSet<(i64, AgentId)>,
    by_agent: HashMap<AgentId, i64>,
}

impl Alarms {
    /// Looks at `id` at `at` (Unix milliseconds), replacing what was set before.
    pub(crate) fn set(&self, id: &AgentId, at: i64) {
        let mut inner = self.inner.lock();
        self.put(&mut inner, id, at);
    }

    /// Looks at `id` at `at`, or earlier if that was set before.
    pub(crate) fn set_no_later(&self, id: &AgentId, at: i64) {
        let mut inner = self.inner.lock();
        if inner.by_agent.get(id).is_none_or(|set| *set > at) {
            self.put(&mut inner, id, at);
        }
    }

    fn put(&self, inner: &mut Inner, id: &AgentId, at: i64) {
        inner.remove(id);
        inner.by_time.insert((at, id.clone()));
        inner.by_agent.insert(id.clone(), at);
        if inner.by_time.first().is_some_and(|(_, first)| first == id) {
            self.changed.notify_one();
        }
    }

    pub(crate) fn remove(&self, id: &AgentId) {
        self.inner.lock().remove(id);
    }

    /// Takes out what is due at `now`, earliest first, `most` at a time.
    pub(crate) fn due(&self, now: i64, most: usize) -> Vec<AgentId> {
        let mut inner = self.inner.lock();
        let mut due = Vec::new();
        while due.len() < most && inner.by_time.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, id)) = inner.by_time.pop_first() else { break };
            inner.by_agent.remove(&id);
            due.push(id);
        }
        due
    }

    /// Has every agent that is to be woken later looked at by `now`, and says which those are.
    pub(crate) fn bring_forward(&self, now: i64) -> Vec<AgentId> {
        let mut inner = self.inner.lock();
        let later: Vec<_> = inner.by_time.split_off(&(now.saturating_add(1), first_of_all())).into_iter().collect();
        for (_, id) in &later {
            inner.by_time.insert((now, id.clone()));
            inner.by_agent.insert(id.clone(), now);
        }
        drop(inner);
        self.changed.notify_one();
        later.into_iter().map(|(_, id)| id).collect()
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<i64> {
        self.inner.lock().by_time.first().map(|(at, _)| *at)
    }

    /// Has whoever waits look again.
    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Resolves when an earlier wake-up has been set.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// No name sorts before this one.
fn first_of_all() -> AgentId {
    AgentId::from_stored("", "")
}

impl Inner {
    fn remove(&mut self, id: &AgentId) {
        if let Some(at) = self.by_agent.remove(id) {
            self.by_time.remove(&(at, id.clone()));
        }
    }
}
