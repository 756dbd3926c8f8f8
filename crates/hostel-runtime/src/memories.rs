//! What extensions of classes keep of agents in memory. Only agents of such classes are in here.

use std::collections::HashMap;

use hostel_core::extension::Memory;
use parking_lot::Mutex;

use crate::cell::Cell;

/// By the token of the agent's cell.
#[derive(Debug, Default)]
pub(crate) struct Memories(Mutex<HashMap<u64, Memory>>);

impl Memories {
    /// What is kept of an agent, made if there is none. Of one that is not in memory nothing is kept.
    pub(crate) fn of(&self, cell: &Cell, make: fn() -> Memory) -> Memory {
        let mut kept = self.0.lock();
        if !cell.is_awake() {
            return kept.get(&cell.token()).cloned().unwrap_or_else(make);
        }
        kept.entry(cell.token()).or_insert_with(make).clone()
    }

    /// The agent has left memory.
    pub(crate) fn forget(&self, cell: &Cell) {
        let forgotten = self.0.lock().remove(&cell.token());
        drop(forgotten);
    }
}
