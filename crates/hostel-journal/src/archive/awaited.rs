//! Which segments that were handed over should still be there: for each an empty file, beside the directory in which they wait, so
//! that one that goes missing as a whole is found out. It comes when its segment is there durably and goes before it: it never
//! stands for one that was taken apart.

use std::io;

use super::Archive;
use super::gaps::Gap;
use super::names::{HISTORY, Pending, hex};
use crate::Lsn;
use crate::disk::Disk;
use crate::segment::SegmentHeader;

/// A segment, and the number of its first record: what is missing with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Awaited {
    pub(super) segment: Pending,
    first: Lsn,
}

impl Awaited {
    pub(super) fn new(segment: Pending, header: &SegmentHeader) -> Self {
        Self { segment, first: header.before.lsn.saturating_add(1) }
    }

    /// What is missing if the segment is. It is of one epoch, so any number in it will do.
    pub(super) fn gap(self) -> Gap {
        Gap { agent: None, lsn: self.first }
    }

    fn path(self) -> String {
        let Pending { id, end } = self.segment;
        format!("{HISTORY}/{id:016x}-{end:016x}-{:016x}.awaited", self.first)
    }

    fn parse(name: &str) -> Option<Self> {
        let (segment, first) = name.strip_suffix(".awaited")?.rsplit_once('-')?;
        let (id, end) = segment.split_once('-')?;
        Some(Self { segment: Pending { id: hex(id)?, end: hex(end)? }, first: hex(first)? })
    }
}

impl<D: Disk> Archive<D> {
    /// From now on this segment should be there. It is, durably.
    pub(super) fn expect(&self, awaited: Awaited) -> io::Result<()> {
        match self.disk.create(&awaited.path(), 0) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            other => drop(other?),
        }
        self.disk.sync_dir(HISTORY)
    }

    /// This segment is about to go. Durable when it returns, whoever has removed the name.
    pub(super) fn expect_no_more(&self, awaited: Awaited) -> io::Result<()> {
        let _one = self.handing_over.lock();
        self.disk.remove(&awaited.path())?;
        self.disk.sync_dir(HISTORY)
    }

    /// Segments that should be there and are not are said in the log, and what they held is a gap from now on: no image is
    /// carried across.
    pub(super) fn call_for_segments(&self) -> io::Result<()> {
        let lost = {
            let _one = self.handing_over.lock();
            self.absent_segments()?
        };
        for awaited in lost {
            let file = awaited.segment.path();
            tracing::error!(file, "a segment that was handed over to history is gone; its turns are lost to history");
            self.add_gaps(&[awaited.gap()])?;
            self.expect_no_more(awaited)?;
        }
        Ok(())
    }

    /// Segments that should be there and are not.
    pub(super) fn absent_segments(&self) -> io::Result<Vec<Awaited>> {
        let there = self.pending()?;
        let mut absent = self.awaited()?;
        absent.retain(|awaited| !there.contains(&awaited.segment));
        Ok(absent)
    }

    /// Segments that should be there.
    pub(super) fn awaited(&self) -> io::Result<Vec<Awaited>> {
        let mut awaited: Vec<Awaited> =
            self.disk.list(HISTORY)?.iter().filter_map(|name| Awaited::parse(name)).collect();
        awaited.sort_unstable_by_key(|awaited| awaited.segment);
        Ok(awaited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_back_and_others_are_nobodys() {
        let awaited = Awaited { segment: Pending { id: 3, end: 8320 }, first: 17 };
        let path = awaited.path();
        let name = path.strip_prefix("history/").unwrap();
        assert_eq!(Awaited::parse(name), Some(awaited));
        for other in [&name[1..], &name[17..], "files.list", "gaps.list", "-.awaited", ".awaited"] {
            assert_eq!(Awaited::parse(other), None, "{other}");
        }
    }
}
