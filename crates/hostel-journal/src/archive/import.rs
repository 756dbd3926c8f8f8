//! History that an agent brings from elsewhere.

use std::io;

use super::Archive;
use super::format::FileKind;
use super::names::{FileName, dir};
use super::read::damaged;
use super::write::Writer;
use crate::disk::Disk;
use crate::record::{AgentId, Header};

impl<D: Disk> Archive<D> {
    /// Keeps turns that `agent` had elsewhere, before all it has here: their numbers are negative and rise. Bodies are
    /// packed, as [`Past::packed`](super::Past::packed) gives them. They replace what was imported for the agent before.
    /// Durable when it returns.
    ///
    /// # Errors
    /// The first error of `records`; `InvalidData` for a record that is not the agent's, is out of order or does not match
    /// its checksum; or if the file system refuses. Then nothing is changed.
    pub fn import(
        &self,
        namespace: &str,
        agent: AgentId,
        records: &mut dyn Iterator<Item = io::Result<(Header, Vec<u8>)>>,
    ) -> io::Result<()> {
        let _one = self.importing.lock();
        self.make_ready()?;
        let name = FileName::Import { agent };
        let stem = format!("import-{:032x}", agent.0);
        let mut writer = Writer::new(&self.disk, namespace, &stem, FileKind::Turns, self.salt(namespace))?;
        let mut last = i64::MIN;
        for record in records {
            let (header, body) = record?;
            let turn = header.lsn.cast_signed();
            if header.agent != agent || turn <= last || turn >= 0 || !header.matches(&body) {
                return Err(damaged(&format!("turn {turn} of an imported history is not in its place")));
            }
            last = turn;
            writer.push(&header, &body)?;
        }
        if writer.records() == 0 {
            return self.remove(namespace, &[name]);
        }
        writer.finish(|_, _| name).map(drop)
    }

    /// Removes what imports and writers that were interrupted have left in a class.
    pub(super) fn sweep(&self, namespace: &str) -> io::Result<()> {
        let Some(_nobody_imports) = self.importing.try_lock() else { return Ok(()) };
        let dir = dir(namespace);
        let left = self.disk.list(&dir)?.into_iter().filter(|name| name.ends_with(".tmp"));
        left.map(|name| format!("{dir}/{name}")).try_for_each(|path| self.disk.remove(&path))
    }
}
