//! Which databases are open in this process, and the parked ones of a store in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;

use crate::layout::relative;
use crate::{AgentKey, Error, ErrorKind};

/// One entry per open database: a second opener is refused in words, before SQLite would.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    entries: Mutex<BTreeMap<String, Entry>>,
}

#[derive(Debug)]
enum Entry {
    Live(AgentKey),
    /// A `:memory:` database that nobody uses at the moment.
    Parked(AgentKey, Box<Connection>),
}

/// The right to have one database open; given back when dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    registry: Arc<Registry>,
    /// `None` once parked.
    file: Option<String>,
}

impl Registry {
    /// Claims an agent's database, and hands over its parked connection if there is one.
    pub(crate) fn claim(self: &Arc<Self>, key: &AgentKey) -> Result<(Claim, Option<Connection>), Error> {
        let file = relative(key);
        let mut entries = self.entries.lock();
        let parked = match entries.get(&file) {
            Some(Entry::Live(_)) => return Err(already_open(key)),
            Some(Entry::Parked(..)) => entries.remove(&file),
            None => None,
        };
        entries.insert(file.clone(), Entry::Live(key.clone()));
        let parked = match parked {
            Some(Entry::Parked(_, conn)) => Some(*conn),
            _ => None,
        };
        Ok((Claim { registry: Arc::clone(self), file: Some(file) }, parked))
    }

    /// Whether `key` has a database in memory, open or parked.
    pub(crate) fn is_known(&self, key: &AgentKey) -> bool {
        self.entries.lock().contains_key(&relative(key))
    }

    /// Runs `read` on a file while nobody can open it, or returns the key of who has it open.
    pub(crate) fn with_closed<T>(&self, file: &str, read: impl FnOnce() -> T) -> Result<T, AgentKey> {
        let entries = self.entries.lock();
        match entries.get(file) {
            Some(Entry::Live(key) | Entry::Parked(key, _)) => Err(key.clone()),
            None => Ok(read()),
        }
    }

    /// Every entry, by file name.
    pub(crate) fn snapshot(&self) -> Vec<(String, AgentKey)> {
        let entries = self.entries.lock();
        let of = |(file, entry): (&String, &Entry)| match entry {
            Entry::Live(key) | Entry::Parked(key, _) => (file.clone(), key.clone()),
        };
        entries.iter().map(of).collect()
    }
}

impl Claim {
    /// Gives the claim back but keeps the connection for the next opener.
    pub(crate) fn park(mut self, key: AgentKey, conn: Connection) {
        if let Some(file) = self.file.take() {
            let parked = Entry::Parked(key, Box::new(conn));
            self.registry.entries.lock().insert(file, parked);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            self.registry.entries.lock().remove(&file);
        }
    }
}

fn already_open(key: &AgentKey) -> Error {
    let message = format!(
        "agent {key}: its database is already open in this process; one agent has one writer, close the other handle first"
    );
    Error::new(ErrorKind::Locked, message)
}
