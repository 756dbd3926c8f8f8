//! The file system.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate, fdatasync, statvfs, syncfs};

use super::{Disk, DiskFile};
use crate::points;

/// A directory of the file system.
#[derive(Clone, Debug)]
pub struct LocalDisk {
    root: PathBuf,
    /// Open from the start, so that a failed write-back since then is reported by `syncfs`.
    handle: Arc<File>,
}

/// A file of the file system.
#[derive(Debug)]
pub struct LocalFile(File);

impl LocalDisk {
    /// The directory `root`, which must exist.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn new(root: &Path) -> io::Result<Self> {
        Ok(Self { root: root.to_owned(), handle: Arc::new(File::open(root)?) })
    }

    fn path(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }
}

impl Disk for LocalDisk {
    type File = LocalFile;

    fn create(&self, path: &str, bytes: u64) -> io::Result<LocalFile> {
        let path = self.path(path);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        if let Err(error) = reserve(&file, bytes) {
            // A file without its space is of no use; what stays behind is removed on the next start.
            let _gone = fs::remove_file(&path);
            return Err(error);
        }
        Ok(LocalFile(file))
    }

    fn open(&self, path: &str) -> io::Result<LocalFile> {
        OpenOptions::new().read(true).write(true).open(self.path(path)).map(LocalFile)
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.path(dir)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        match fs::remove_file(self.path(path)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn create_dir(&self, dir: &str) -> io::Result<()> {
        fs::create_dir_all(self.path(dir))
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        points::pass("disk-sync")?;
        if points::armed("sabotage-sync") {
            return Ok(());
        }
        File::open(self.path(dir))?.sync_all()
    }

    fn sync_all(&self) -> io::Result<()> {
        points::pass("disk-sync")?;
        if points::armed("sabotage-sync") {
            return Ok(());
        }
        Ok(syncfs(&*self.handle)?)
    }

    fn free(&self) -> u64 {
        statvfs(&self.root).map_or(u64::MAX, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// Takes the space now. A file system that cannot reserve is written full of zeros.
fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP) => fill(file, bytes),
        Err(error) => Err(error.into()),
    }
}

fn fill(file: &File, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; 1 << 20];
    let mut at = 0;
    while at < bytes {
        let part = usize::try_from(bytes - at).map_or(zeros.len(), |left| left.min(zeros.len()));
        file.write_all_at(&zeros[..part], at)?;
        at += part as u64;
    }
    Ok(())
}

/// Reads what there is of a file at `at`, as [`DiskFile::read_at`] has it.
///
/// # Errors
/// If the file system refuses.
pub fn read_at(file: &File, at: u64, into: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < into.len() {
        match file.read_at(&mut into[read..], at + read as u64) {
            Ok(0) => break,
            Ok(n) => read += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(read)
}

impl DiskFile for LocalFile {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        read_at(&self.0, at, into)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        points::pass("disk-write")?;
        self.0.write_all_at(bytes, at)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn sync(&self) -> io::Result<()> {
        points::pass("disk-sync")?;
        if points::armed("sabotage-sync") {
            return Ok(());
        }
        Ok(fdatasync(&self.0)?)
    }
}
