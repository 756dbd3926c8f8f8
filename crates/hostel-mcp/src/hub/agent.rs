//! The MCP servers of one agent, in memory.

use std::sync::Arc;

use hostel_core::AgentId;
use parking_lot::Mutex;

use super::{entry::Entry, rows::Row};
use crate::client::ServerId;

/// The MCP servers of one agent.
pub(super) struct AgentServers {
    pub(super) id: AgentId,
    entries: Mutex<Vec<Arc<Entry>>>,
}

impl AgentServers {
    pub(super) fn new(id: AgentId, rows: Vec<Row>) -> Self {
        Self { id, entries: Mutex::new(rows.into_iter().map(Entry::new).collect()) }
    }

    pub(super) fn entries(&self) -> Vec<Arc<Entry>> {
        self.entries.lock().clone()
    }

    pub(super) fn entry(&self, id: &ServerId) -> Option<Arc<Entry>> {
        self.entries.lock().iter().find(|entry| entry.row.id == *id).cloned()
    }

    /// Takes over what is stored: what went loses its connection, what changed or came has none yet.
    pub(super) fn renew(&self, rows: Vec<Row>) {
        let mut entries = self.entries.lock();
        if entries.len() == rows.len() && entries.iter().zip(&rows).all(|(entry, row)| entry.row == *row) {
            return;
        }
        let old = std::mem::take(&mut *entries);
        let kept = |row: Row| old.iter().find(|entry| entry.row == row).cloned().unwrap_or_else(|| Entry::new(row));
        *entries = rows.into_iter().map(kept).collect();
    }
}
