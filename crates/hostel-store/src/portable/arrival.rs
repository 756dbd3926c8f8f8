//! By which number an arrival is known again after a crash: it is in the header of the database that arrived, where SQLite keeps a number
//! for applications, and stays there through every later turn.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::history::Image;
use crate::{AgentKey, Error, Store};

/// Where the number is in a database file.
const AT: u64 = 68;

impl Image {
    /// Notes the number of an arrival, which is not 0 and at most `i32::MAX`.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn note_arrival(&mut self, number: u32) -> Result<(), Error> {
        self.change(|conn| conn.pragma_update(None, "application_id", number))
    }
}

impl Store {
    /// The number of the arrival that an agent's database came with, if it came with one. To be asked before anything runs on the store.
    pub fn arrival(&self, key: &AgentKey) -> Option<u32> {
        let mut number = [0; 4];
        let file = File::open(self.inner.layout.database(key)).ok()?;
        file.read_exact_at(&mut number, AT).ok()?;
        Some(u32::from_be_bytes(number)).filter(|number| *number != 0)
    }

    /// Whether an agent is there by the arrival with this number, or may be after the next start: its image is safe in the journal, and could
    /// not be put in place.
    pub fn may_have_arrived(&self, key: &AgentKey, number: u32) -> bool {
        self.inner.check_stale(key).is_err() || self.arrival(key) == Some(number)
    }

    /// Whether there is a database file of the agent with this hash: the first 16 bytes of the SHA-256 of its namespace, a zero byte, and
    /// its name. What cannot be looked for is there.
    pub fn has_file(&self, hash: &[u8; 16]) -> bool {
        let (hash, agents) = (data_encoding::HEXLOWER.encode(hash), self.inner.layout.agents());
        let end = format!("-{hash}.db");
        let Ok(namespaces) = super::tree::names(&agents) else { return true };
        namespaces.iter().any(|namespace| {
            let files = super::tree::names(&agents.join(namespace).join(&hash[..2]));
            files.map_or(true, |files| files.iter().any(|file| file.ends_with(&end)))
        })
    }
}
