//! Segments that leave the log come here: a rename, nothing more.

use std::io;
use std::sync::atomic::Ordering;

use super::Archive;
use super::awaited::Awaited;
use super::gaps::{Gap, Gaps};
use super::names::{HISTORY, PENDING, Pending};
use super::past::open_segment;
use crate::disk::{Disk, DiskFile};
use crate::record::AgentId;
use crate::segment::Extent;
use crate::{DIR, Lsn, points};

/// A copy that is not finished.
const NEW: &str = "history/pending/new.tmp";

impl<D: Disk> Archive<D> {
    /// Takes a segment that has left the log over, whose records end at `end`. Durable when it returns; may be done again.
    /// A segment without records is removed.
    ///
    /// # Errors
    /// If the file system refuses; then the segment is where it was, or is handed over.
    pub fn take_over(&self, segment_path: &str, id: u64, end: u64) -> io::Result<()> {
        points::pass("archive")?;
        self.make_ready()?;
        if (Extent { id, end }).is_empty() {
            self.disk.remove(segment_path)?;
            return self.disk.sync_dir(DIR);
        }
        let segment = Pending { id, end };
        // Of one whose header cannot be read nothing would be missed.
        let awaited =
            open_segment(&self.disk, segment_path, end).map(|(header, _)| Awaited::new(segment, &header)).ok();
        let _one = self.handing_over.lock();
        let came = match self.disk.rename(segment_path, &segment.path()) {
            // It was handed over before, and may have been taken apart since.
            Err(e) if e.kind() == io::ErrorKind::NotFound => false,
            other => other.map(|()| true)?,
        };
        self.disk.sync_dir(PENDING)?;
        self.disk.sync_dir(DIR)?;
        awaited.filter(|_| came).map_or(Ok(()), |awaited| self.expect(awaited))
    }

    /// Takes a copy of a segment that stays where it is, because it is damaged and somebody may want to look at it.
    /// Durable when it returns.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn take_copy(&self, segment_path: &str, id: u64, end: u64) -> io::Result<()> {
        self.make_ready()?;
        self.disk.remove(NEW)?;
        let (from, to) = (self.disk.open(segment_path)?, self.disk.create(NEW, 0)?);
        let mut chunk = vec![0; 1 << 20];
        let mut at = 0;
        while at < end {
            let wanted = usize::try_from(end - at).map_or(chunk.len(), |left| left.min(chunk.len()));
            let read = from.read_at(at, &mut chunk[..wanted])?;
            if read == 0 {
                break;
            }
            to.write_at(at, &chunk[..read])?;
            at += read as u64;
        }
        to.sync()?;
        let segment = Pending { id, end };
        let awaited =
            open_segment(&self.disk, segment_path, end).map(|(header, _)| Awaited::new(segment, &header)).ok();
        let _one = self.handing_over.lock();
        self.disk.rename(NEW, &segment.path())?;
        self.disk.sync_dir(PENDING)?;
        awaited.map_or(Ok(()), |awaited| self.expect(awaited))
    }

    /// Remembers that something of `agent` at or before `lsn` will never be in history, or is not in its file: no image is
    /// carried across. Durable when it returns.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn note_gaps(&self, agents: impl IntoIterator<Item = AgentId>, lsn: Lsn) -> io::Result<()> {
        let gaps: Vec<Gap> = agents.into_iter().map(|agent| Gap { agent: Some(agent), lsn }).collect();
        if gaps.is_empty() { Ok(()) } else { self.add_gaps(&gaps) }
    }

    pub(super) fn add_gaps(&self, gaps: &[Gap]) -> io::Result<()> {
        self.make_ready()?;
        let _one = self.gaps.lock();
        Gaps::read(&self.disk)?.add(&self.disk, gaps)
    }

    /// Makes the directories, and makes durable what an earlier process has handed over: after a kill that may be in the
    /// kernel's memory alone, and a segment that comes back when younger ones are gone is not part of the log any more.
    /// To be done at a start before anything is removed from the log's directory.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn make_ready(&self) -> io::Result<()> {
        if self.ready.load(Ordering::Acquire) {
            return Ok(());
        }
        self.disk.create_dir(PENDING)?;
        self.disk.remove(NEW)?;
        self.disk.sync_dir(PENDING)?;
        self.disk.sync_dir(HISTORY)?;
        self.disk.sync_dir("")?;
        self.ready.store(true, Ordering::Release);
        Ok(())
    }
}
