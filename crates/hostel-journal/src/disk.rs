//! The disk as the journal sees it: few operations, so that a simulation can stand in for it.

pub mod local;

use std::fmt::Debug;
use std::io;

/// A directory tree. Paths are relative and use `/`. Nothing but [`DiskFile::sync`], [`Disk::sync_dir`] and
/// [`Disk::sync_all`] makes anything survive the loss of power.
pub trait Disk: Clone + Debug + Send + Sync + 'static {
    /// An open file.
    type File: DiskFile;

    /// Creates a file that must not exist yet, with `bytes` of zeros whose space is reserved.
    ///
    /// # Errors
    /// If there is no room, or the file system refuses.
    fn create(&self, path: &str, bytes: u64) -> io::Result<Self::File>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// `NotFound`, or if the file system refuses.
    fn open(&self, path: &str) -> io::Result<Self::File>;

    /// The names in a directory, in any order; none if there is no such directory.
    ///
    /// # Errors
    /// If the file system refuses.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;

    /// Removes a file. One that is not there is fine.
    ///
    /// # Errors
    /// If the file system refuses.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Renames a file, in place of whatever has the new name.
    ///
    /// # Errors
    /// If the file system refuses.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Creates a directory and those above it.
    ///
    /// # Errors
    /// If the file system refuses.
    fn create_dir(&self, dir: &str) -> io::Result<()>;

    /// Makes the names in a directory survive the loss of power.
    ///
    /// # Errors
    /// If the sync fails.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;

    /// Makes everything written so far survive the loss of power, names included.
    ///
    /// # Errors
    /// If anything could not be written since the last call.
    fn sync_all(&self) -> io::Result<()>;

    /// Bytes that may still be written; a hint.
    fn free(&self) -> u64;
}

/// An open file of a [`Disk`].
#[allow(clippy::len_without_is_empty, reason = "a file, not a collection")]
pub trait DiskFile: Debug + Send + Sync + 'static {
    /// Reads up to `into.len()` bytes at `at`; fewer only at the end of the file.
    ///
    /// # Errors
    /// If the file system refuses.
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes` at `at`.
    ///
    /// # Errors
    /// If the file system refuses; some of it may have been written.
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts or extends the file.
    ///
    /// # Errors
    /// If the file system refuses.
    fn set_len(&self, bytes: u64) -> io::Result<()>;

    /// The length in bytes.
    ///
    /// # Errors
    /// If the file system refuses.
    fn len(&self) -> io::Result<u64>;

    /// Makes the content survive the loss of power.
    ///
    /// # Errors
    /// If the sync fails. What the disk holds of unsynced writes is unknown from then on.
    fn sync(&self) -> io::Result<()>;
}

/// Reads a whole file.
///
/// # Errors
/// As [`DiskFile::read_at`].
pub fn read_all(file: &impl DiskFile) -> io::Result<Vec<u8>> {
    let length = usize::try_from(file.len()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    let read = file.read_at(0, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// The directory part of a path.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// Syncs the directory of `path` and those above it.
///
/// # Errors
/// If a sync fails.
pub fn sync_dirs_of<D: Disk>(disk: &D, path: &str) -> io::Result<()> {
    let mut dir = parent(path);
    loop {
        disk.sync_dir(dir)?;
        if dir.is_empty() {
            return Ok(());
        }
        dir = parent(dir);
    }
}
