//! The work in the background: what was handed over is taken apart, what is too old goes.

use std::io;
use std::sync::atomic::Ordering;

use super::Archive;
use super::names::{self, FileName, sort_out};
use crate::disk::Disk;

/// What [`Archive::tend`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tended {
    /// Segments that were taken apart.
    pub segments: u64,
    /// Records that moved into history files.
    pub records: u64,
    /// Files that were merged or folded into a base.
    pub merged: u64,
    /// It was stopped before it was done.
    pub stopped: bool,
}

impl<D: Disk> Archive<D> {
    /// Takes apart what was handed over, and lets go of what is older than it needs to be. `now_ms` is the time in Unix
    /// milliseconds. May stop anywhere, by [`Archive::stop`] or a crash, and be done again.
    ///
    /// # Errors
    /// If the file system refuses. What was handed over stays.
    pub fn tend(&self, now_ms: i64) -> io::Result<Tended> {
        let _one = self.tending.lock();
        let mut done = Tended::default();
        let went = self.tend_all(now_ms, &mut done);
        done.stopped = self.stopped.load(Ordering::Acquire);
        match went {
            Err(e) if e.kind() == io::ErrorKind::Interrupted && done.stopped => Ok(done),
            other => other.map(|()| done),
        }
    }

    fn tend_all(&self, now_ms: i64, done: &mut Tended) -> io::Result<()> {
        let pending = self.pending()?;
        let namespaces = self.namespaces()?;
        let nothing = pending.is_empty() && namespaces.is_empty() && self.awaited()?.is_empty();
        if nothing && !self.has_roll()? {
            return Ok(());
        }
        self.make_ready()?;
        // First what is not kept at all: otherwise there would be a hole between old turns and new ones.
        for namespace in namespaces.iter().filter(|namespace| self.retention(namespace).keeps_nothing()) {
            let _step = self.steps.write();
            self.forget(namespace)?;
        }
        // Before anything is folded over what may be missing.
        self.call_for_segments()?;
        self.call_roll()?;
        let mut failed = Ok(());
        for pending in pending {
            let _step = self.steps.write();
            match self.take_apart(pending) {
                Ok(records) => {
                    done.segments += 1;
                    done.records += records;
                }
                // One that is damaged as a whole stays, and is told of with every reading.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => failed = Err(error),
                Err(error) => return Err(error),
            }
        }
        for namespace in self.namespaces()? {
            let _step = self.steps.write();
            done.merged += self.retain(&namespace, now_ms)?;
        }
        {
            let _step = self.steps.write();
            self.call_roll()?;
        }
        failed
    }

    /// Removes files of a class, in this order, while nobody is looking.
    pub(super) fn remove(&self, namespace: &str, files: &[FileName]) -> io::Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        self.strike(namespace, files)?;
        let _nobody_looks = self.files.write();
        files.iter().try_for_each(|name| self.disk.remove(&name.path(namespace)))?;
        self.disk.sync_dir(&names::dir(namespace))
    }

    /// Removes everything of a class, oldest first: what is left after a crash has no hole.
    fn forget(&self, namespace: &str) -> io::Result<()> {
        let (count, replaced) = sort_out(&self.disk.list(&names::dir(namespace))?);
        self.remove(namespace, &replaced)?;
        self.strike(namespace, &count)?;
        count.iter().try_for_each(|name| self.remove(namespace, std::slice::from_ref(name)))
    }
}
