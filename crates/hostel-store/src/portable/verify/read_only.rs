//! The disk for somebody who must not change anything: reading works, everything else is refused.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use hostel_journal::{Disk, DiskFile, disk::local};

/// A directory that is only read.
#[derive(Clone, Debug)]
pub(super) struct ReadOnly {
    root: PathBuf,
}

/// A file that is only read.
#[derive(Debug)]
pub(super) struct ReadOnlyFile(File);

impl ReadOnly {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }
}

fn refuse<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "this directory is only being looked at"))
}

impl Disk for ReadOnly {
    type File = ReadOnlyFile;

    fn create(&self, _: &str, _: u64) -> io::Result<ReadOnlyFile> {
        refuse()
    }

    fn open(&self, path: &str) -> io::Result<ReadOnlyFile> {
        File::open(self.root.join(path)).map(ReadOnlyFile)
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.root.join(dir)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        refuse()
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        refuse()
    }

    fn create_dir(&self, _: &str) -> io::Result<()> {
        refuse()
    }

    fn sync_dir(&self, _: &str) -> io::Result<()> {
        refuse()
    }

    fn sync_all(&self) -> io::Result<()> {
        refuse()
    }

    fn free(&self) -> u64 {
        0
    }
}

impl DiskFile for ReadOnlyFile {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        local::read_at(&self.0, at, into)
    }

    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        refuse()
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        refuse()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn sync(&self) -> io::Result<()> {
        refuse()
    }
}
