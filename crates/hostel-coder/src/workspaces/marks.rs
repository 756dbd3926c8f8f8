//! What is noted of turns that change something, for as long as this process runs.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use hostel::AgentId;

use super::Workspaces;

/// Which turn of which agent has begun to change something; and what keeps two from putting files back at a time.
#[derive(Debug, Default)]
pub(super) struct Marks {
    changing: Mutex<HashMap<PathBuf, String>>,
    alone: tokio::sync::Mutex<()>,
    snapshots: AtomicU64,
}

impl Workspaces {
    /// Notes that a turn changes something; whether it is the first time.
    pub(crate) fn begins_to_change(&self, agent: &AgentId, turn: &str) -> bool {
        let mut changing = self.marks.changing.lock().unwrap_or_else(PoisonError::into_inner);
        changing.insert(self.directory_of(agent), turn.to_owned()).as_deref() != Some(turn)
    }

    /// Whether a turn that is over has changed something; it is asked once.
    pub(crate) fn has_changed(&self, agent: &AgentId, turn: &str) -> bool {
        let mut changing = self.marks.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if changing.is_empty() {
            return false;
        }
        let place = self.directory_of(agent);
        let has = changing.get(&place).is_some_and(|last| last == turn);
        if has {
            changing.remove(&place);
        }
        has
    }

    pub(crate) async fn alone(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.marks.alone.lock().await
    }

    /// Counts snapshots.
    pub(crate) fn count_snapshot(&self) -> u64 {
        self.marks.snapshots.fetch_add(1, Ordering::Relaxed) + 1
    }
}
