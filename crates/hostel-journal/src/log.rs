//! The writing end: batches go in, and are durable when [`Log::append`] returns.
//!
//! A segment is written by one life of the log only: a start and a failure each begin a new one. So nothing old can stand
//! behind the end of what is written, and what a failed write left behind is void by the header of the next segment.

use std::collections::{HashMap, VecDeque};
use std::io;

use crate::disk::{Disk, DiskFile};
use crate::record::{AgentId, Entry, Place};
use crate::segment::{self, Before, Extent, FIRST, SegmentHeader};
use crate::{DIR, Epoch, Lsn, points};

const SPARE: &str = "journal/spare";
const SMALLEST: u64 = 256 << 10;
/// How far ahead of the records a segment is written with zeros. Space that is reserved but was never written would need a
/// change of the file's metadata to hold a record, and a file system that fails at that may still say that it synced.
const AHEAD: u64 = 1 << 20;
/// At most this part of the free space goes into one segment, so that a small disk is not filled by an empty log.
const SHARE: u64 = 16;

/// What may be chosen about the log.
#[derive(Clone, Copy, Debug)]
pub struct LogOptions {
    /// Bytes of a segment; less on a disk with little room.
    pub segment_bytes: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20 }
    }
}

/// The last record of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tail {
    /// Its number; 0 if there was never one.
    pub lsn: Lsn,
    /// Whose it is.
    pub agent: AgentId,
    /// Its mark.
    pub mark: u64,
    /// The segment it is in, and where it ends there; 0 if no segment is left.
    pub segment: u64,
    /// See `segment`.
    pub end: u64,
}

/// The writing end of a node's log.
#[derive(Debug)]
pub struct Log<D: Disk> {
    disk: D,
    options: LogOptions,
    epoch: Epoch,
    tail: Tail,
    next_id: u64,
    current: Option<Current<D::File>>,
    sealed: VecDeque<Sealed>,
    /// Segments that are not part of the log any more, whose files are to be taken away in this order.
    doomed: VecDeque<Sealed>,
    /// The last turn of each agent in this epoch.
    chains: HashMap<AgentId, Link>,
    spare: Option<(D::File, u64)>,
    salts: u64,
    ended: bool,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Current<F> {
    id: u64,
    salt: u64,
    file: F,
    bytes: u64,
    at: u64,
    /// Up to here the file was written, and synced.
    ready: u64,
}

impl<F: DiskFile> Current<F> {
    /// Writes zeros, durably, where the records up to `end` will be.
    fn make_ready(&mut self, end: u64) -> io::Result<()> {
        if end <= self.ready {
            return Ok(());
        }
        let to = end.max(self.ready + AHEAD).min(self.bytes);
        fill(&self.file, self.ready, to)?;
        self.file.sync()?;
        self.ready = to;
        Ok(())
    }
}

fn fill(file: &impl DiskFile, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; usize::try_from(to.saturating_sub(from)).map_err(io::Error::other)?];
    file.write_at(from, &zeros)
}

/// A segment that is not written any more.
#[derive(Clone, Copy, Debug)]
struct Sealed {
    id: u64,
    salt: u64,
    last: Lsn,
    bytes: u64,
    /// Where its last durable record ends.
    end: u64,
}

/// A segment whose records are not in history yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSegment {
    /// Its number.
    pub id: u64,
    /// Mixed into its headers.
    pub salt: u64,
    /// Where its last durable record ends.
    pub end: u64,
    /// Where its file was when the list was made.
    pub path: String,
}

#[derive(Clone, Copy, Debug, Default)]
struct Link {
    seq: u64,
    mark: u64,
}

impl<D: Disk> Log<D> {
    /// Goes on behind `tail`, under a new lease, with a segment of its own. `highest` is the greatest segment number
    /// ever seen; `salt` is a number nobody can guess.
    ///
    /// # Errors
    /// If the segment cannot be created; nothing was written that a later start would take for a record.
    pub fn begin(disk: D, options: LogOptions, epoch: Epoch, tail: Tail, highest: u64, salt: u64) -> io::Result<Self> {
        disk.remove(SPARE)?;
        let mut log = Self {
            disk,
            options,
            epoch,
            tail,
            next_id: highest + 1,
            current: None,
            sealed: VecDeque::new(),
            doomed: VecDeque::new(),
            chains: HashMap::new(),
            spare: None,
            salts: salt,
            ended: false,
            buffer: Vec::new(),
        };
        log.rotate(0)?;
        Ok(log)
    }

    /// The lease under which this log writes.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The last record that is durable.
    pub fn tail(&self) -> Tail {
        self.tail
    }

    /// From now on only a holder of `epoch` may append.
    pub fn fence(&mut self, epoch: Epoch) {
        self.epoch = self.epoch.max(epoch);
    }

    /// Whether an entry's lease is the one in force.
    pub fn admits(&self, entry: &Entry) -> bool {
        entry.epoch == self.epoch
    }

    /// Whether the log can be written: it cannot after a failure, until [`Log::reopen`] has succeeded.
    pub fn is_open(&self) -> bool {
        self.current.is_some()
    }

    /// Appends a batch: one write, one sync. When this returns, every turn of it survives the loss of power. Returns the
    /// number of the first.
    ///
    /// # Errors
    /// If an entry's lease is not in force (nothing is written then), or if the write or the sync fails. A failure is
    /// final: what the disk holds of the batch is unknown, the log takes nothing more until [`Log::reopen`].
    pub fn append<'a>(&mut self, entries: impl Iterator<Item = &'a Entry> + Clone) -> io::Result<Lsn> {
        if !entries.clone().all(|entry| self.admits(entry)) {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the lease of a turn is not in force any more",
            ));
        }
        if self.current.is_none() {
            return Err(io::Error::other("the journal has failed and was not opened again yet"));
        }
        let written = self.write(entries);
        if written.is_err() {
            self.seal();
        }
        written
    }

    fn write<'a>(&mut self, entries: impl Iterator<Item = &'a Entry> + Clone) -> io::Result<Lsn> {
        let needed = entries.clone().map(|entry| entry.footprint() as u64).sum();
        if self.current.as_ref().is_none_or(|current| current.at + needed > current.bytes) {
            self.rotate(needed)?;
        }
        let Some(current) = &mut self.current else { return Err(io::Error::other("no segment")) };
        let first = self.tail.lsn + 1;
        let mut tail = self.tail;
        // Links of agents that are in this batch; the map learns of them when they are durable.
        let mut links: HashMap<AgentId, Link> = HashMap::new();
        self.buffer.clear();
        for entry in entries {
            let link =
                links.entry(entry.agent).or_insert_with(|| self.chains.get(&entry.agent).copied().unwrap_or_default());
            let place = Place {
                lsn: tail.lsn + 1,
                batch: first,
                seq: link.seq + 1,
                prev_agent: tail.agent,
                prev_mark: tail.mark,
                agent_mark: link.mark,
            };
            let mark = entry.encode(&place, current.salt, &mut self.buffer);
            *link = Link { seq: place.seq, mark };
            tail = Tail { lsn: place.lsn, agent: entry.agent, mark, ..tail };
        }
        current.make_ready(current.at + needed)?;
        points::pass("append")?;
        if points::armed("tear") {
            current.file.write_at(current.at, &self.buffer[..self.buffer.len() / 2])?;
            points::pass("torn")?;
        }
        current.file.write_at(current.at, &self.buffer)?;
        points::pass("sync")?;
        current.file.sync()?;
        current.at += self.buffer.len() as u64;
        self.tail = Tail { segment: current.id, end: current.at, ..tail };
        self.chains.extend(links);
        if self.buffer.capacity() > 4 << 20 {
            self.buffer = Vec::new();
        }
        Ok(first)
    }

    /// Ends the current segment where its last durable record ends.
    fn seal(&mut self) {
        if let Some(current) = self.current.take() {
            let Current { id, salt, bytes, at: end, .. } = current;
            self.sealed.push_back(Sealed { id, salt, last: self.tail.lsn, bytes, end });
        }
    }

    /// Begins a segment with room for at least `needed` bytes. It is durable, with its name, before this returns.
    fn rotate(&mut self, needed: u64) -> io::Result<()> {
        let id = self.next_id;
        self.next_id += 1;
        let begun = self.begin_segment(id, needed);
        if begun.is_err() {
            self.doomed.push_back(Sealed { id, salt: 0, last: self.tail.lsn, bytes: 0, end: FIRST });
        }
        begun
    }

    fn begin_segment(&mut self, id: u64, needed: u64) -> io::Result<()> {
        let least = FIRST + needed;
        let (file, bytes) = match self.spare.take() {
            Some((file, bytes)) if bytes >= least => {
                self.disk.rename(SPARE, &segment::path(id))?;
                (file, bytes)
            }
            _ => {
                let bytes = self.size().max(least);
                (self.disk.create(&segment::path(id), bytes)?, bytes)
            }
        };
        self.salts = self.salts.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let before = Before {
            id: self.tail.segment,
            end: self.tail.end,
            lsn: self.tail.lsn,
            agent: self.tail.agent,
            mark: self.tail.mark,
        };
        let header = SegmentHeader { id, salt: self.salts ^ id, epoch: self.epoch, before };
        // From the moment this header may be on the disk, the segment before must not grow: the header says where it ends.
        self.seal();
        points::pass("rotate")?;
        header.write(&file)?;
        let ready = bytes.min(FIRST + AHEAD);
        fill(&file, FIRST, ready)?;
        points::pass("rotate-sync")?;
        file.sync()?;
        self.disk.sync_dir(DIR)?;
        // The chain leads to the newest segment, even while there is no record in it.
        self.tail.segment = id;
        self.tail.end = FIRST;
        self.current = Some(Current { id, salt: header.salt, file, bytes, at: FIRST, ready });
        Ok(())
    }

    fn size(&self) -> u64 {
        (self.disk.free() / SHARE).clamp(SMALLEST, self.options.segment_bytes.max(SMALLEST)) & !4095
    }

    /// After a failure: begins a new segment, whose header says where the last durable record ends.
    ///
    /// # Errors
    /// If that fails too; it may be tried again.
    pub fn reopen(&mut self) -> io::Result<()> {
        if self.is_open() || self.ended { Ok(()) } else { self.rotate(0) }
    }

    /// Keeps a segment in reserve from the moment the current one is half full, so that a full disk is noticed while
    /// there is still room for what is under way.
    ///
    /// # Errors
    /// If there is no room for it: new turns are to be refused until this succeeds.
    pub fn tend(&mut self) -> io::Result<()> {
        let half_full = self.current.as_ref().is_some_and(|current| current.at > current.bytes / 2);
        if !half_full || self.spare.is_some() {
            return Ok(());
        }
        self.disk.remove(SPARE)?;
        let bytes = self.size();
        self.spare = Some((self.disk.create(SPARE, bytes)?, bytes));
        Ok(())
    }

    /// Bytes of all live segments.
    pub fn bytes(&self) -> u64 {
        let current = self.current.as_ref().map_or(0, |current| current.at);
        self.sealed.iter().map(|sealed| sealed.bytes).sum::<u64>() + current
    }

    /// Ends the current segment, if there is anything in it, so that it can be retired, and begins another.
    ///
    /// # Errors
    /// As [`Log::reopen`].
    pub fn turn_over(&mut self) -> io::Result<()> {
        match &self.current {
            Some(current) if current.at == FIRST => Ok(()),
            _ => self.rotate(0),
        }
    }

    /// The segments whose records are not in history yet, oldest first, as far as they are durable.
    pub fn live(&self) -> Vec<LiveSegment> {
        self.segments().into_iter().filter(|segment| segment.end > FIRST).collect()
    }

    /// All segments of the log, those without a record too: each names the one before it.
    pub fn segments(&self) -> Vec<LiveSegment> {
        let live = |id, salt, end| LiveSegment { id, salt, end, path: segment::path(id) };
        let old = self.doomed.iter().chain(&self.sealed).map(|sealed| live(sealed.id, sealed.salt, sealed.end));
        let current = self.current.iter().map(|current| live(current.id, current.salt, current.at));
        old.chain(current).collect()
    }

    /// Takes the segments that hold no record from `floor` on out of the log, and returns all whose files are to be
    /// taken away: handed over to history, or removed with [`Log::remove`]. The caller does that in this order, each
    /// durably, and says so with [`Log::removed`].
    pub fn retire(&mut self, floor: Option<Lsn>) -> Vec<Extent> {
        // While there is no current segment, the last one is all that tells how far the numbers have come.
        let kept = usize::from(self.current.is_none() && !self.ended);
        let unneeded = |sealed: &Sealed| floor.is_none_or(|floor| sealed.last < floor);
        while self.sealed.len() > kept && self.sealed.front().is_some_and(unneeded) {
            self.doomed.extend(self.sealed.pop_front());
        }
        self.doomed.iter().map(|sealed| Extent { id: sealed.id, end: sealed.end }).collect()
    }

    /// The file of a retired segment is not in the log's directory any more.
    pub fn removed(&mut self, id: u64) {
        self.doomed.retain(|other| other.id != id);
    }

    /// Ends the log for good. How far it has come must be on record elsewhere, in the lease. What is left of it is taken away if nothing from `floor` on is needed; returns whether so.
    /// `away` hands a segment over to history, or removes it.
    ///
    /// # Errors
    /// If a file cannot be taken away.
    pub fn end(&mut self, floor: Option<Lsn>, mut away: impl FnMut(&D, Extent) -> io::Result<()>) -> io::Result<bool> {
        self.ended = true;
        self.seal();
        let disk = self.disk.clone();
        for extent in self.retire(floor) {
            away(&disk, extent)?;
            self.removed(extent.id);
        }
        disk.remove(SPARE)?;
        Ok(self.sealed.is_empty())
    }

    /// Removes the file of a retired segment. Durable when it returns: an older segment never comes back without the
    /// younger ones.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn remove(disk: &D, id: u64) -> io::Result<()> {
        disk.remove(&segment::path(id))?;
        disk.sync_dir(DIR)
    }

    /// The disk under the log.
    pub fn disk(&self) -> &D {
        &self.disk
    }
}
