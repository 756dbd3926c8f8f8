//! Turns of one agent as they are found: who, when and why at once, the pages when somebody asks.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::format::{FileKind, head_mark};
use super::gaps::Gaps;
use super::names::Pending;
use super::read::{Hist, damaged};
use super::walk::{Step, Walk};
use crate::Lsn;
use crate::disk::{Disk, DiskFile};
use crate::log::LiveSegment;
use crate::record::{AgentId, Body, BodyHead, HEADER, Header, Kind};
use crate::segment::{FIRST, SegmentHeader};

/// A turn of the past. It holds the file open in which its pages are, so they can be read even when that file is removed.
#[derive(Clone)]
pub struct Past {
    /// The facts. The marks and the agent of the record before mean nothing in history.
    pub header: Header,
    /// The agent's class when it was written.
    pub namespace: Arc<str>,
    /// The agent's name when it was written.
    pub name: Arc<str>,
    /// Which event of which connection. Nothing for a base.
    pub cause: Vec<u8>,
    /// Not a turn, but the whole image after the turn with this number, kept when that turn and those before it went.
    pub base: bool,
    /// What came right before is missing: an image must not be carried across. Only said of a [`Kind::Commit`].
    pub broken: bool,
    file: Arc<dyn DiskFile>,
    body_at: u64,
}

impl fmt::Debug for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Past")
            .field("header", &self.header)
            .field("base", &self.base)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

impl Past {
    /// The turn's number as people see it. What was brought from elsewhere has negative ones.
    pub fn turn(&self) -> i64 {
        self.header.lsn.cast_signed()
    }

    /// Reads the pages, and checks them.
    ///
    /// # Errors
    /// If the file cannot be read; `InvalidData` if it does not hold any more what was written.
    pub fn body(&self) -> io::Result<Body> {
        Body::decode(&self.packed()?)
    }

    /// The body as it was packed, checked.
    ///
    /// # Errors
    /// As [`Past::body`].
    pub fn packed(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.header.body_len as usize];
        let read = self.file.read_at(self.body_at, &mut bytes)?;
        if self.header.matches(&bytes[..read]) {
            return Ok(bytes);
        }
        Err(damaged(&format!("turn {} of {}/{} is damaged", self.turn(), self.namespace, self.name)))
    }

    pub(super) fn order(&self) -> (i64, bool) {
        (self.turn(), self.base)
    }
}

/// What is there of an agent, and what is known to be damaged.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// In order, each once. A record whose predecessor is missing says so, see [`Past::broken`].
    pub records: Vec<Past>,
    /// Sentences about what cannot be read.
    pub damage: Vec<String>,
}

impl Listing {
    /// The records, or the first damage as an error.
    ///
    /// # Errors
    /// `InvalidData` if anything is damaged.
    pub fn whole(self) -> io::Result<Vec<Past>> {
        match self.damage.first() {
            Some(what) => Err(damaged(what)),
            None => Ok(self.records),
        }
    }

    /// Brings records from several places into order, each once, and finds what is missing between them.
    pub(super) fn settle(&mut self, gaps: &Gaps) {
        self.records.sort_by_key(Past::order);
        self.records.dedup_by_key(|past| past.order());
        for at in 1..self.records.len() {
            let (before, after) = (&self.records[at - 1].header, &self.records[at].header);
            let broken = after.kind == Kind::Commit && gaps.between(before, after);
            self.records[at].broken |= broken;
        }
    }

    pub(super) fn append(&mut self, other: Self) {
        self.records.extend(other.records);
        self.damage.extend(other.damage);
    }

    /// Adds what a segment holds of an agent.
    pub(super) fn add_segment(&mut self, path: &str, mut walk: Walk, agent: AgentId) -> io::Result<()> {
        let (mut lost, mut last, mut after_damage) = (None, None, false);
        while let Some(step) = walk.next()? {
            let (header, at) = match step {
                Step::Record(header, at) => (header, at),
                Step::Damage(at, _) => {
                    lost = Some(at);
                    continue;
                }
            };
            if let Some(at) = lost.take() {
                // Of one record the next tells whose it was; of several it may be this agent's.
                let is_one = last.is_some_and(|last: Lsn| header.lsn == last + 2);
                if !is_one || header.prev_agent == agent {
                    self.tell(path, at);
                    after_damage = true;
                }
            }
            last = Some(header.lsn);
            if header.agent == agent {
                let file = Arc::clone(walk.file());
                let before = self.records.len();
                if let Some(head) = walk.body(&header, at)?.and_then(BodyHead::parse) {
                    self.push(header, head, file, at, after_damage);
                }
                after_damage = self.records.len() == before;
                if after_damage {
                    self.tell(path, at);
                }
            }
        }
        if let Some(at) = lost {
            self.tell(path, at);
        }
        Ok(())
    }

    /// Adds what a history file holds of an agent.
    pub(super) fn add_file(&mut self, hist: &Hist, agent: AgentId) -> io::Result<()> {
        let Some(entry) = hist.find(agent)? else { return Ok(()) };
        let mut walk = hist.run(&entry);
        let mut after_damage = false;
        while let Some(step) = walk.next()? {
            let (Step::Record(_, at) | Step::Damage(at, _)) = step;
            let before = self.records.len();
            if let Step::Record(header, at) = step {
                let file = Arc::clone(walk.file());
                let length = (header.prev_mark >> 32) as usize;
                let bytes = walk.bytes(at + HEADER as u64, length.min(header.body_len as usize))?;
                let head = Some(bytes).filter(|bytes| head_mark(bytes) == header.prev_mark);
                if let Some(head) = head.and_then(BodyHead::parse) {
                    self.push(header, head, file, at, after_damage);
                }
            }
            after_damage = self.records.len() == before;
            if after_damage {
                self.tell(&hist.path, at);
            } else if hist.facts.kind == FileKind::Base
                && let Some(base) = self.records.last_mut()
            {
                base.base = true;
                base.cause.clear();
            }
        }
        Ok(())
    }

    fn push(&mut self, header: Header, head: BodyHead<'_>, file: Arc<dyn DiskFile>, at: u64, after_damage: bool) {
        let last = self.records.last();
        let known = last.filter(|last| &*last.namespace == head.namespace && &*last.name == head.name);
        let (namespace, name) = match known {
            Some(last) => (Arc::clone(&last.namespace), Arc::clone(&last.name)),
            None => (head.namespace.into(), head.name.into()),
        };
        let broken = after_damage && header.kind == Kind::Commit;
        let cause = head.cause.to_vec();
        self.records.push(Past {
            header,
            namespace,
            name,
            cause,
            base: false,
            broken,
            file,
            body_at: at + HEADER as u64,
        });
    }

    fn tell(&mut self, path: &str, at: u64) {
        self.damage.push(format!("{path} is damaged at byte {at}: turns of this agent cannot be read"));
    }
}

/// Opens a segment for reading up to `end`. Fails with `InvalidData` if its header is damaged.
pub(super) fn open_segment<D: Disk>(disk: &D, path: &str, end: u64) -> io::Result<(SegmentHeader, Walk)> {
    let file = disk.open(path)?;
    let mut start = vec![0; FIRST as usize];
    let read = file.read_at(0, &mut start)?;
    let header = SegmentHeader::read(&start[..read])?
        .ok_or_else(|| damaged(&format!("the header of {path} is damaged: none of its records can be read")))?;
    Ok((header, Walk::new(Arc::new(file), header.salt, FIRST, end)))
}

pub(super) fn open_pending<D: Disk>(disk: &D, pending: Pending) -> io::Result<(SegmentHeader, Walk)> {
    open_segment(disk, &pending.path(), pending.end)
}

/// Reads what the live log holds of an agent, in order. A segment that has been handed over since it was listed is passed
/// by: so this is to be done *before* the archive is read.
///
/// # Errors
/// If a file cannot be read; `InvalidData` if it is damaged.
pub fn read_live<D: Disk>(disk: &D, live: &[LiveSegment], agent: AgentId) -> io::Result<Vec<Past>> {
    let mut listing = live_listing(disk, live, agent)?;
    listing.settle(&Gaps::default());
    listing.whole()
}

pub(super) fn live_listing<D: Disk>(disk: &D, live: &[LiveSegment], agent: AgentId) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for segment in live {
        match disk.open(&segment.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
            Ok(file) => {
                let walk = Walk::new(Arc::new(file), segment.salt, FIRST, segment.end);
                listing.add_segment(&segment.path, walk, agent)?;
            }
        }
    }
    Ok(listing)
}
