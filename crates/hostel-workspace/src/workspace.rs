//! The open directory, and the simplest things done in it: looking up, making, moving and deleting.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, fstat, mkdirat, renameat_with, statat, unlinkat};
use rustix::io::Errno;

use crate::walk::{self, WalkOptions};
use crate::{Error, Kind, Limits, Place, Result, beneath};

/// An open workspace. Clones are the same workspace.
///
/// Nothing is locked: two changes of one file at the same moment are found out by [`apply`](Self::apply), which compares before it writes.
#[derive(Debug, Clone)]
pub struct Workspace {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: OwnedFd,
    path: PathBuf,
    limits: Limits,
}

/// What a workspace takes of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Bytes of all files, git's included.
    pub bytes: u64,
    /// Files, links and directories.
    pub entries: u64,
    /// Whether everything was counted: not so if there was more than [`Limits::visited`].
    pub complete: bool,
}

impl Workspace {
    /// Opens the directory `path`.
    ///
    /// # Errors
    /// If it is not there, or not a directory.
    pub fn open(path: impl AsRef<Path>, limits: Limits) -> Result<Self> {
        let name = path.as_ref().display().to_string();
        let path = path.as_ref().canonicalize().map_err(|error| Error::of(&name, error))?;
        let root = rustix::fs::open(&path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| Error::of(&name, error))?;
        Ok(Self { inner: Arc::new(Inner { root, path, limits }) })
    }

    /// Opens the directory `path`, which is made if it is not there, for its owner alone.
    ///
    /// # Errors
    /// If it cannot be made or opened.
    pub fn create(path: impl AsRef<Path>, limits: Limits) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt;

        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|error| Error::of(&path.as_ref().display().to_string(), error))?;
        Self::open(path, limits)
    }

    /// Where it is on this machine. Not for looking up names in it: that is what the other methods are for.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Its bounds.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    pub(crate) fn root(&self) -> BorrowedFd<'_> {
        self.inner.root.as_fd()
    }

    /// What is at `path`, a link at the end not followed.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Outside`].
    pub fn kind(&self, path: &str) -> Result<Kind> {
        self.kind_of(&Place::parse(path)?)
    }

    pub(crate) fn kind_of(&self, place: &Place) -> Result<Kind> {
        let Some((parent, name)) = place.split() else { return Ok(Kind::Directory) };
        let dir = self.dir(&parent)?;
        let stat = statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| Error::of(place.as_str(), error))?;
        Ok(Kind::of(FileType::from_raw_mode(stat.st_mode)))
    }

    /// The directory `place`, open.
    pub(crate) fn dir(&self, place: &Place) -> Result<OwnedFd> {
        beneath::open_dir(self.root(), place.as_str()).map_err(|error| Error::of(place.as_str(), error))
    }

    /// The regular file `place`, open for reading. Devices, pipes and sockets are refused.
    pub(crate) fn file(&self, place: &Place) -> Result<(File, u64, u32)> {
        let wrong = |is| Error::WrongKind { path: place.to_string(), is, wanted: "a file" };
        let opened = beneath::open(self.root(), place.as_str(), OFlags::RDONLY);
        let file = match opened {
            Err(Errno::NXIO) => return Err(wrong("a socket or a pipe")),
            opened => opened.map_err(|error| Error::of(place.as_str(), error))?,
        };
        let stat = fstat(&file).map_err(|error| Error::of(place.as_str(), error))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok((File::from(file), stat.st_size.unsigned_abs(), stat.st_mode & 0o777)),
            FileType::Directory => Err(wrong("a directory")),
            _ => Err(wrong("a device, a pipe or a socket")),
        }
    }

    /// The directory around `place`, open, and the name in it. Missing directories are made if `make` says so.
    pub(crate) fn around(&self, place: &Place, make: bool) -> Result<(OwnedFd, String)> {
        let Some((parent, name)) = place.split() else {
            return Err(Error::WrongKind { path: ".".into(), is: "the workspace itself", wanted: "something in it" });
        };
        if make {
            self.make_dirs(&parent)?;
        }
        Ok((self.dir(&parent)?, name.to_owned()))
    }

    fn make_dirs(&self, place: &Place) -> Result<()> {
        match self.dir(place) {
            Err(Error::NotFound { .. }) => {}
            answer => return answer.map(drop),
        }
        let (dir, name) = self.around(place, true)?;
        match mkdirat(&dir, name.as_str(), Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(Error::of(place.as_str(), error)),
        }
    }

    /// Makes the directory `path`, and those around it.
    ///
    /// # Errors
    /// [`Error::GitsOwn`], [`Error::Outside`], or [`Error::WrongKind`] if a file is in the way.
    pub fn make_dir(&self, path: &str) -> Result<()> {
        let place = Place::parse(path)?;
        if !place.is_root() {
            place.writable()?;
        }
        self.make_dirs(&place)?;
        self.dir(&place).map(drop)
    }

    /// Moves a file, a link or a directory, to where nothing is yet.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Exists`], [`Error::GitsOwn`], [`Error::Outside`].
    pub fn move_to(&self, from: &str, to: &str) -> Result<()> {
        let (from, to) = (Place::parse(from)?, Place::parse(to)?);
        from.writable()?;
        to.writable()?;
        if to != from && to.is_in(&from) {
            return Err(Error::Outside { path: to.to_string(), why: "a directory cannot be moved into itself" });
        }
        self.kind_of(&from)?;
        let (from_dir, from_name) = self.around(&from, false)?;
        let (to_dir, to_name) = self.around(&to, true)?;
        rename_new(from_dir.as_fd(), &from_name, to_dir.as_fd(), &to_name)
            .map_err(|error| Error::of(to.as_str(), error))
    }

    /// Deletes a directory with everything in it, or a file or link. Links are not followed.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::GitsOwn`], [`Error::Outside`]. What was deleted before an error stays deleted.
    pub fn delete_all(&self, path: &str) -> Result<()> {
        let place = Place::parse(path)?;
        place.writable()?;
        let (dir, name) = self.around(&place, false)?;
        remove(dir.as_fd(), &name, 0).map_err(|error| Error::of(place.as_str(), error))
    }

    /// Counts what the workspace takes of the disk.
    ///
    /// # Errors
    /// If a directory cannot be read.
    pub fn usage(&self) -> Result<Usage> {
        let mut usage = Usage::default();
        let options = WalkOptions { ignored: true, git: true, stat: true, ..WalkOptions::default() };
        usage.complete = walk::walk(self, &Place::root(), &options, &mut |item| {
            usage.entries += 1;
            usage.bytes += item.bytes;
            std::ops::ControlFlow::Continue(())
        })?;
        Ok(usage)
    }

    /// Refuses a workspace that is larger than [`Limits::workspace_bytes`].
    ///
    /// # Errors
    /// [`Error::TooLarge`], or if it cannot be counted.
    pub fn check_size(&self) -> Result<Usage> {
        let usage = self.usage()?;
        let limit = self.limits().workspace_bytes;
        if usage.bytes > limit || !usage.complete {
            return Err(Error::TooLarge { what: "the workspace".into(), bytes: usage.bytes, limit });
        }
        Ok(usage)
    }
}

/// Renames to a name that is not taken. Where the file system cannot promise that in one step, it is looked at first.
pub(crate) fn rename_new(
    from_dir: BorrowedFd<'_>,
    from: &str,
    to_dir: BorrowedFd<'_>,
    to: &str,
) -> Result<(), io::Error> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    match renameat_with(from_dir, from, to_dir, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => {}
        answer => return Ok(answer?),
    }
    match statat(to_dir, to, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Err(Errno::EXIST.into()),
        Err(Errno::NOENT) => Ok(rustix::fs::renameat(from_dir, from, to_dir, to)?),
        Err(error) => Err(error.into()),
    }
}

/// How deep a directory may be to be deleted: each level holds a descriptor.
const DEEPEST: usize = 200;

fn remove(dir: BorrowedFd<'_>, name: &str, depth: usize) -> Result<(), Errno> {
    match unlinkat(dir, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) if depth < DEEPEST => {}
        answer => return answer,
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let inner = rustix::fs::openat(dir, name, flags, Mode::empty())?;
    for child in walk::names(&inner)? {
        remove(inner.as_fd(), &child, depth + 1)?;
    }
    unlinkat(dir, name, AtFlags::REMOVEDIR)
}
