//! Files that are there only while somebody needs them.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::layout::{Layout, wal_of};

/// A file in the directory of unfinished files. Removed when dropped, and by the next start after a crash.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Creates an empty file.
    pub(crate) fn create(layout: &Layout) -> io::Result<(Self, File)> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let name = format!("image-{}.db", COUNTER.fetch_add(1, Ordering::Relaxed));
        let path = layout.temporary().join(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        Ok((Self { path }, file))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Not there any more if it was renamed; what cannot be removed now is removed on the next start.
        for file in [self.path.clone(), wal_of(&self.path)] {
            fs::remove_file(file).unwrap_or_default();
        }
    }
}
