//! Writing a history file: from front to back, one sync, then its name. Until it has its name it does not exist.

use std::io;

use super::format::{FACTS, Facts, FileKind, IndexEntry, head_mark};
use super::names::{FileName, HISTORY, dir};
use crate::Lsn;
use crate::disk::{Disk, DiskFile};
use crate::record::{AgentId, BodyHead, Header, padded};

/// Bytes gathered before they are written.
const CHUNK: usize = 512 << 10;

/// A history file in the making. Records come sorted by agent and number.
#[derive(Debug)]
pub(super) struct Writer<'a, D: Disk> {
    disk: &'a D,
    namespace: &'a str,
    records: Part<'a, D>,
    /// A long index is gathered in a file of its own: that of a million agents has no place in memory.
    index: Part<'a, D>,
    entry: Option<IndexEntry>,
    facts: Facts,
}

/// A file that is written from front to back. It is created with its first chunk.
#[derive(Debug)]
struct Part<'a, D: Disk> {
    disk: &'a D,
    path: String,
    file: Option<D::File>,
    written: u64,
    waiting: Vec<u8>,
}

impl<'a, D: Disk> Part<'a, D> {
    fn new(disk: &'a D, path: String, at: u64) -> Self {
        Self { disk, path, file: None, written: at, waiting: Vec::new() }
    }

    fn at(&self) -> u64 {
        self.written + self.waiting.len() as u64
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= CHUNK { self.flush().map(drop) } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<&D::File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                self.disk.remove(&self.path)?;
                self.disk.create(&self.path, 0)?
            }
        };
        file.write_at(self.written, &self.waiting)?;
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        self.waiting.shrink_to(2 * CHUNK);
        Ok(self.file.insert(file))
    }
}

impl<'a, D: Disk> Writer<'a, D> {
    /// Begins a file of a class. `stem` is part of the names it has until it is finished: one writer at a time for each.
    pub(super) fn new(disk: &'a D, namespace: &'a str, stem: &str, kind: FileKind, salt: u64) -> io::Result<Self> {
        let dir = dir(namespace);
        disk.create_dir(&dir)?;
        Ok(Self {
            disk,
            namespace,
            records: Part::new(disk, format!("{dir}/{stem}.tmp"), FACTS as u64),
            index: Part::new(disk, format!("{dir}/{stem}-index.tmp"), 0),
            entry: None,
            facts: Facts { kind, salt, ..Facts::default() },
        })
    }

    /// Adds a record whose body was checked. The header's number, agent and kind count; its marks are replaced.
    pub(super) fn push(&mut self, header: &Header, body: &[u8]) -> io::Result<()> {
        let Some(head) = BodyHead::parse(body) else { return Err(io::ErrorKind::InvalidData.into()) };
        let marks = Header { prev_agent: AgentId(0), prev_mark: head_mark(&body[..head.length]), ..header.clone() };
        if self.entry.is_none_or(|entry| entry.agent != header.agent) {
            self.close_entry()?;
            self.entry = Some(IndexEntry { agent: header.agent, at: self.records.at(), ..IndexEntry::default() });
        }
        let filling = padded(body.len()) - body.len();
        self.records.put(&marks.encode(self.facts.salt))?;
        self.records.put(body)?;
        self.records.put(&[0; 8][..filling])?;
        self.facts.count(header.lsn, header.time_ms);
        if let Some(entry) = &mut self.entry {
            entry.bytes += header.footprint() as u64;
            count(entry, header);
        }
        Ok(())
    }

    fn close_entry(&mut self) -> io::Result<()> {
        let Some(entry) = self.entry.take() else { return Ok(()) };
        self.facts.agents += 1;
        self.index.put(&entry.encode(self.facts.salt))
    }

    /// Makes the file durable under the name that `name` makes of the first and the last number in it.
    pub(super) fn finish(mut self, name: impl FnOnce(Lsn, Lsn) -> FileName) -> io::Result<FileName> {
        self.close_entry()?;
        let name = name(self.facts.first, self.facts.last);
        // A base counts for everything up to the number in its name, whatever is left of it.
        if let FileName::Base { last } = name {
            self.facts.last = last;
        }
        self.facts.index_at = self.records.at();
        self.append_index()?;
        let facts = self.facts.encode();
        self.records.put(&facts)?;
        let file = self.records.flush()?;
        file.write_at(0, &facts)?;
        file.sync()?;
        self.disk.rename(&self.records.path, &name.path(self.namespace))?;
        self.disk.sync_dir(&dir(self.namespace))?;
        // The directory itself may be new.
        self.disk.sync_dir(HISTORY)?;
        if self.index.file.is_some() {
            self.disk.remove(&self.index.path)?;
        }
        Ok(name)
    }

    /// How many records there are so far.
    pub(super) fn records(&self) -> u64 {
        self.facts.records
    }

    fn append_index(&mut self) -> io::Result<()> {
        if let Some(file) = &self.index.file {
            let mut chunk = vec![0; CHUNK];
            let mut at = 0;
            while at < self.index.written {
                let wanted = usize::try_from(self.index.written - at).map_or(CHUNK, |left| left.min(CHUNK));
                let read = file.read_at(at, &mut chunk[..wanted])?;
                if read == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.records.put(&chunk[..read])?;
                at += read as u64;
            }
        }
        let rest = std::mem::take(&mut self.index.waiting);
        self.records.put(&rest)
    }
}

fn count(entry: &mut IndexEntry, header: &Header) {
    if entry.records == 0 {
        (entry.first, entry.first_ms, entry.last_ms) = (header.lsn, header.time_ms, header.time_ms);
    }
    entry.records += 1;
    entry.last = header.lsn;
    entry.first_ms = entry.first_ms.min(header.time_ms);
    entry.last_ms = entry.last_ms.max(header.time_ms);
}
