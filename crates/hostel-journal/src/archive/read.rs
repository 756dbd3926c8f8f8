//! Reading a history file: one agent's records by a search in the index, or all of it from front to back.

use std::io;
use std::sync::Arc;

use super::format::{ENTRY, FACTS, Facts, IndexEntry};
use super::walk::{Step, Walk};
use crate::disk::{Disk, DiskFile};
use crate::record::AgentId;

/// Entries of the index read at once when all of it is read.
const ENTRIES: u64 = 512;

/// An open history file.
#[derive(Clone, Debug)]
pub(super) struct Hist {
    pub(super) path: Arc<str>,
    pub(super) facts: Facts,
    file: Arc<dyn DiskFile>,
}

impl Hist {
    /// Opens a file. Fails with `InvalidData` if neither copy of its facts is whole.
    pub(super) fn open<D: Disk>(disk: &D, path: &str) -> io::Result<Self> {
        let file = disk.open(path)?;
        let end = file.len()?.saturating_sub(FACTS as u64);
        for at in [0, end] {
            let mut bytes = [0; FACTS];
            let read = file.read_at(at, &mut bytes)?;
            if let Some(facts) = Facts::decode(&bytes[..read]) {
                return Ok(Self { path: path.into(), facts, file: Arc::new(file) });
            }
        }
        Err(damaged(&format!("{path} is damaged at both its ends: nothing in it can be read")))
    }

    /// The length of the file.
    pub(super) fn bytes(&self) -> io::Result<u64> {
        self.file.len()
    }

    /// Where an agent's records are; `None` if there are none.
    pub(super) fn find(&self, agent: AgentId) -> io::Result<Option<IndexEntry>> {
        let (mut low, mut high) = (0, self.facts.agents);
        while low < high {
            let middle = low.midpoint(high);
            let Some(entry) = self.entry(middle)? else {
                return Ok(self.rebuilt_index()?.into_iter().find(|entry| entry.agent == agent));
            };
            match entry.agent.cmp(&agent) {
                std::cmp::Ordering::Equal => return Ok(Some(entry)),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    fn entry(&self, at: u64) -> io::Result<Option<IndexEntry>> {
        let mut bytes = [0; ENTRY];
        let read = self.file.read_at(self.facts.index_at + at * ENTRY as u64, &mut bytes)?;
        Ok(IndexEntry::decode(&bytes[..read], self.facts.salt))
    }

    /// The index once more, from the records. A damaged index costs time only, unless a record is damaged, too.
    fn rebuilt_index(&self) -> io::Result<Vec<IndexEntry>> {
        tracing::warn!(file = %self.path, "the index of a history file is damaged; its records are read instead");
        let mut entries: Vec<IndexEntry> = Vec::new();
        let mut walk = self.stretch(FACTS as u64, self.facts.index_at);
        while let Some(step) = walk.next()? {
            let Step::Record(header, at) = step else {
                return Err(damaged(&format!("{} is damaged in its index and in its records", self.path)));
            };
            if entries.last().is_none_or(|last| last.agent != header.agent) {
                let new = IndexEntry { agent: header.agent, at, first: header.lsn, ..IndexEntry::default() };
                entries.push(new);
            }
            if let Some(entry) = entries.last_mut() {
                entry.bytes += header.footprint() as u64;
                entry.records += 1;
                entry.last = header.lsn;
            }
        }
        Ok(entries)
    }

    /// All agents with their places, in order.
    pub(super) fn entries(&self) -> Entries {
        Entries { hist: self.clone(), next: 0, ready: Vec::new().into_iter() }
    }

    /// The records of an entry.
    pub(super) fn run(&self, entry: &IndexEntry) -> Walk {
        self.stretch(entry.at, entry.at + entry.bytes)
    }

    fn stretch(&self, from: u64, to: u64) -> Walk {
        Walk::new(Arc::clone(&self.file), self.facts.salt, from, to)
    }
}

/// The index of a file from front to back.
#[derive(Debug)]
pub(super) struct Entries {
    hist: Hist,
    next: u64,
    ready: std::vec::IntoIter<IndexEntry>,
}

impl Entries {
    pub(super) fn next(&mut self) -> io::Result<Option<IndexEntry>> {
        if self.ready.len() == 0 && self.next < self.hist.facts.agents {
            self.fill()?;
        }
        Ok(self.ready.next())
    }

    fn fill(&mut self) -> io::Result<()> {
        let Facts { salt, index_at, agents, .. } = self.hist.facts;
        let count = ENTRIES.min(agents - self.next);
        let mut bytes = vec![0; count as usize * ENTRY];
        let read = self.hist.file.read_at(index_at + self.next * ENTRY as u64, &mut bytes)?;
        let entries: Option<Vec<_>> = bytes[..read].chunks(ENTRY).map(|one| IndexEntry::decode(one, salt)).collect();
        match entries.filter(|entries| entries.len() as u64 == count) {
            Some(entries) => {
                self.next += count;
                self.ready = entries.into_iter();
            }
            None => {
                let rest = self.hist.rebuilt_index()?.into_iter().skip(self.next as usize);
                self.ready = rest.collect::<Vec<_>>().into_iter();
                self.next = agents;
            }
        }
        Ok(())
    }
}

pub(super) fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
