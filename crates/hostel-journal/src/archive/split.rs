//! Taking a segment apart: its records, sorted, into one file for each class.

use std::collections::HashMap;
use std::io;

use super::Archive;
use super::awaited::Awaited;
use super::format::FileKind;
use super::gaps::{Gap, Gaps};
use super::names::{FileName, PENDING, Pending};
use super::past::open_pending;
use super::walk::{Step, Walk};
use super::write::Writer;
use crate::disk::Disk;
use crate::record::{AgentId, BodyHead, HEADER, Header};
use crate::{Lsn, points};

/// Records sorted at once: bounds the memory. A segment with more of them becomes several files.
const AT_ONCE: usize = 1 << 18;

/// Where a record is. The order is that of a history file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    class: u32,
    agent: AgentId,
    lsn: Lsn,
    at: u64,
}

/// The classes of a segment, numbered.
#[derive(Debug, Default)]
struct Classes {
    numbers: HashMap<String, Option<u32>>,
    names: Vec<String>,
}

impl<D: Disk> Archive<D> {
    /// Moves the records of a segment into files. Returns how many.
    pub(super) fn take_apart(&self, pending: Pending) -> io::Result<u64> {
        let (header, mut walk) = open_pending(&self.disk, pending)?;
        let mut classes = Classes::default();
        let mut last = header.before.lsn;
        let mut moved = 0;
        loop {
            let mut places = Vec::new();
            let more = self.gather(&mut walk, &mut classes, &mut places, &mut last)?;
            places.sort_unstable();
            moved += places.len() as u64;
            for part in places.chunk_by(|a, b| a.class == b.class) {
                self.write_part(pending, &classes.names[part[0].class as usize], part)?;
            }
            if !more {
                break;
            }
        }
        points::pass("archived")?;
        self.call_roll()?;
        self.expect_no_more(Awaited::new(pending, &header))?;
        let _nobody_looks = self.files.write();
        self.disk.remove(&pending.path())?;
        self.disk.sync_dir(PENDING)?;
        Ok(moved)
    }

    /// Finds records up to the most that are sorted at once. `false` at the end of the segment.
    fn gather(
        &self,
        walk: &mut Walk,
        classes: &mut Classes,
        places: &mut Vec<Place>,
        last: &mut Lsn,
    ) -> io::Result<bool> {
        let mut damage = false;
        while let Some(step) = walk.next()? {
            self.go_on()?;
            let Step::Record(header, at) = step else {
                damage = true;
                continue;
            };
            if std::mem::take(&mut damage) {
                self.note_lost(*last, Some(&header))?;
            }
            *last = header.lsn;
            let Some(head) = walk.body(&header, at)?.and_then(BodyHead::parse) else {
                self.add_gaps(&[Gap { agent: Some(header.agent), lsn: header.lsn }])?;
                continue;
            };
            let kept = |namespace: &str| !self.retention(namespace).keeps_nothing();
            if let Some(class) = classes.number(head.namespace, kept) {
                places.push(Place { class, agent: header.agent, lsn: header.lsn, at });
            }
            if places.len() == AT_ONCE {
                return Ok(true);
            }
        }
        if damage {
            self.note_lost(*last, None)?;
        }
        Ok(false)
    }

    /// Records between `last` and `next` cannot be read. If it is one, the next names its owner.
    fn note_lost(&self, last: Lsn, next: Option<&Header>) -> io::Result<()> {
        let lsn = next.map_or(last + 1, |next| next.lsn - 1);
        let agent = next.filter(|_| lsn == last + 1).map(|next| next.prev_agent);
        if agent.is_none() && Gaps::read(&self.disk)?.knows(lsn) {
            return Ok(());
        }
        self.add_gaps(&[Gap { agent, lsn }])
    }

    fn write_part(&self, pending: Pending, namespace: &str, part: &[Place]) -> io::Result<()> {
        // The pages are in the kernel's cache: they have just been read for their checksums.
        let (segment, walk) = open_pending(&self.disk, pending)?;
        let mut writer = Writer::new(&self.disk, namespace, "turns", FileKind::Turns, self.salt(namespace))?;
        let mut bytes = Vec::new();
        for place in part {
            self.go_on()?;
            let header = read(&walk, segment.salt, place.at, &mut bytes)?;
            writer.push(&header, &bytes[HEADER..])?;
        }
        writer.finish(|first, last| FileName::Turns { first, last }).map(drop)
    }
}

/// Reads a record that was whole a moment ago.
fn read(walk: &Walk, salt: u64, at: u64, into: &mut Vec<u8>) -> io::Result<Header> {
    let broken = || io::Error::other("a record that was whole a moment ago is not any more");
    into.resize(HEADER, 0);
    walk.file().read_at(at, into)?;
    let header = Header::decode(into, salt).ok_or_else(broken)?;
    into.resize(HEADER + header.body_len as usize, 0);
    walk.file().read_at(at + HEADER as u64, &mut into[HEADER..])?;
    if header.matches(&into[HEADER..]) { Ok(header) } else { Err(broken()) }
}

impl Classes {
    /// The number of a class; `None` if nothing of it is kept.
    fn number(&mut self, namespace: &str, kept: impl FnOnce(&str) -> bool) -> Option<u32> {
        if let Some(number) = self.numbers.get(namespace) {
            return *number;
        }
        let number = kept(namespace).then_some(self.names.len() as u32);
        if number.is_some() {
            self.names.push(namespace.to_owned());
        }
        self.numbers.insert(namespace.to_owned(), number);
        number
    }
}
