//! Agents that the journal could not bring up to date: refused, in this life and the next, until somebody heals them.

use std::collections::HashMap;
use std::io;

use hostel_journal::seams::SnapshotStore;
use hostel_journal::{AgentId, DIR, Disk, DiskFile};
use parking_lot::Mutex;

use crate::layout::{identify, relative};
use crate::{AgentKey, Error, ErrorKind};

/// The list, one agent a line.
const PATH: &str = "journal/damaged";
const NEW: &str = "journal/damaged.new";

/// Why each of them is refused.
pub(super) type List = HashMap<AgentId, String>;

/// The list in memory. Every opening of an agent asks it, so nobody waits for the disk with it.
#[derive(Debug)]
pub(super) struct Damaged {
    list: Mutex<List>,
    /// Held while an agent is taken off the list, on the disk first.
    healing: Mutex<()>,
}

impl Damaged {
    pub(super) fn new(list: List) -> Self {
        Self { list: Mutex::new(list), healing: Mutex::default() }
    }

    /// Refuses an agent that is on the list.
    pub(super) fn check(&self, key: &AgentKey) -> Result<(), Error> {
        let list = self.list.lock();
        if list.is_empty() {
            return Ok(());
        }
        let Some(why) = list.get(&identify(key)) else { return Ok(()) };
        let message = format!(
            "agent {key}: {why}; its file was left as it is. Restore it from a backup, or accept the file as it is by removing its line from {PATH} while the server is stopped"
        );
        Err(Error::new(ErrorKind::Corrupt, message))
    }

    /// Takes an agent off the list, if it is on it, once its file is durable.
    pub(super) fn healed(&self, key: &AgentKey, bases: &impl SnapshotStore, disk: &impl Disk) -> io::Result<()> {
        let _alone = self.healing.lock();
        let mut rest = self.list.lock().clone();
        if rest.remove(&identify(key)).is_none() {
            return Ok(());
        }
        bases.make_durable(&[relative(key)])?;
        write(disk, &rest)?;
        *self.list.lock() = rest;
        Ok(())
    }
}

pub(super) fn read(disk: &impl Disk) -> io::Result<List> {
    let file = match disk.open(PATH) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(List::new()),
        file => file?,
    };
    let text = String::from_utf8_lossy(&hostel_journal::disk::read_all(&file)?).into_owned();
    let entry = |line: &str| {
        let (id, why) = line.split_once(' ')?;
        Some((AgentId(u128::from_str_radix(id, 16).ok()?), why.to_owned()))
    };
    Ok(text.lines().filter_map(entry).collect())
}

pub(super) fn write(disk: &impl Disk, list: &List) -> io::Result<()> {
    let lines: String = list.iter().map(|(id, why)| format!("{:032x} {why}\n", id.0)).collect();
    disk.remove(NEW)?;
    let file = disk.create(NEW, 0)?;
    file.write_at(0, lines.as_bytes())?;
    file.sync()?;
    disk.rename(NEW, PATH)?;
    disk.sync_dir(DIR)
}

#[cfg(test)]
mod tests {
    use hostel_journal::LocalDisk;

    use super::*;
    use crate::keeper::rounds::tests::During;

    #[test]
    fn while_the_file_of_a_healed_agent_is_synced_others_are_opened_and_it_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let disk = LocalDisk::new(dir.path()).unwrap();
        disk.create_dir(DIR).unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| AgentKey::new("counter", name));
        let list = List::from([&a, &b].map(|key| (identify(key), "lost a turn".to_owned())));
        let damaged = Damaged::new(list);
        let bases = During(|| {
            assert!(damaged.list.try_lock().is_some(), "an opening would wait for the disk");
            damaged.check(&a).unwrap_err();
            damaged.check(&c).unwrap();
            Ok(())
        });
        damaged.healed(&a, &bases, &disk).unwrap();
        damaged.check(&a).unwrap();
        damaged.check(&b).unwrap_err();
        assert_eq!(read(&disk).unwrap().into_keys().collect::<Vec<_>>(), [identify(&b)]);
    }
}
