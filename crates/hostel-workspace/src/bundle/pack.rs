//! Writing the stream.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat, statat};
use rustix::io::Errno;
use tar::{EntryType, Header};

use super::{DEEPEST, MOST, Part, refused};
use crate::{Error, Limits, Result};

/// Writes the directories that are there. Devices, pipes and sockets are left out, and what is gone before it is reached. A file that is written
/// to meanwhile is taken as it is found. Answers whether any of the directories was there. Blocks.
///
/// # Errors
/// [`Error::TooLarge`] if there is more than `limits` has room for in a workspace, [`Error::Carried`] for what cannot be read, and
/// what writing has to say.
pub fn pack(parts: &[Part<'_>], limits: &Limits, out: &mut dyn Write) -> Result<bool> {
    let mut packer = Packer { tar: tar::Builder::new(out), bytes: 0, entries: 0, limit: limits.workspace_bytes };
    let mut any = false;
    for part in parts {
        match openat(CWD, part.dir, DIRECTORY, Mode::empty()) {
            Err(Errno::NOENT) => {}
            Err(error) => return Err(Error::of(part.name, error)),
            Ok(dir) => {
                any = true;
                packer.part(part, &dir)?;
            }
        }
    }
    packer.tar.finish().map_err(written)?;
    Ok(any)
}

pub(super) const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// What an entry is called that has the name of the next one.
const LONG: &[u8] = b"././@LongLink";

struct Packer<'a> {
    tar: tar::Builder<&'a mut dyn Write>,
    bytes: u64,
    entries: u64,
    limit: u64,
}

impl Packer<'_> {
    fn part(&mut self, part: &Part<'_>, dir: &OwnedFd) -> Result<()> {
        let mut path = part.name.as_bytes().to_vec();
        self.write(&path, EntryType::Directory, &fstat(dir).map_err(|e| unreadable(&path, e))?, &[], io::empty())?;
        self.inside(part, dir, &mut path, 1)
    }

    fn inside(&mut self, part: &Part<'_>, dir: &OwnedFd, path: &mut Vec<u8>, depth: usize) -> Result<()> {
        each(part, dir, path, depth, |name, path| self.one(part, dir, name, path, depth))
    }

    fn one(&mut self, part: &Part<'_>, dir: &OwnedFd, name: &CString, path: &mut Vec<u8>, depth: usize) -> Result<()> {
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| unreadable(path, error))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        let below = path.get(part.name.len() + 1..).unwrap_or_default();
        if part.leads_elsewhere(below, kind == FileType::Directory) {
            return Ok(());
        }
        match kind {
            FileType::Directory => {
                let inner = openat(dir, name, DIRECTORY, Mode::empty()).map_err(|error| unreadable(path, error))?;
                self.write(path, EntryType::Directory, &stat, &[], io::empty())?;
                self.inside(part, &inner, path, depth + 1)
            }
            FileType::RegularFile => self.file(dir, name, path),
            FileType::Symlink if part.is_in_repository(below) => Ok(()),
            FileType::Symlink => {
                let target = readlinkat(dir, name, Vec::new()).map_err(|error| unreadable(path, error))?;
                self.write(path, EntryType::Symlink, &stat, target.as_bytes(), io::empty())
            }
            _ => Ok(()),
        }
    }

    fn file(&mut self, dir: &OwnedFd, name: &CString, path: &[u8]) -> Result<()> {
        let file = openat(dir, name, FILE, Mode::empty()).map_err(|error| unreadable(path, error))?;
        let stat = fstat(&file).map_err(|error| unreadable(path, error))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(());
        }
        // The length was said before; what a writer has cut off since is made up for.
        let length = stat.st_size.unsigned_abs();
        self.bytes = self.bytes.saturating_add(length);
        if self.bytes > self.limit {
            return Err(Error::TooLarge { what: "the workspace".into(), bytes: self.bytes, limit: self.limit });
        }
        let bytes = File::from(file).chain(io::repeat(0)).take(length);
        self.write(path, EntryType::Regular, &stat, &[], bytes)
    }

    fn write(&mut self, path: &[u8], kind: EntryType, stat: &Stat, link: &[u8], bytes: impl Read) -> Result<()> {
        self.entries += 1;
        if self.entries > MOST {
            let what = "the workspace, counted in files,".into();
            return Err(Error::TooLarge { what, bytes: self.entries, limit: MOST });
        }
        let size = if kind == EntryType::Regular { stat.st_size.unsigned_abs() } else { 0 };
        let mut header = header(kind, size);
        header.set_mode(if stat.st_mode & 0o100 != 0 { 0o755 } else { 0o644 });
        header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
        self.name(path, EntryType::GNULongName, |gnu| &mut gnu.name, &mut header)?;
        self.name(link, EntryType::GNULongLink, |gnu| &mut gnu.linkname, &mut header)?;
        header.set_cksum();
        self.tar.append(&header, bytes).map_err(written)
    }

    /// Puts a name into a header, or, if it is too long for that, before it.
    fn name(
        &mut self,
        name: &[u8],
        long: EntryType,
        field: fn(&mut tar::GnuHeader) -> &mut [u8; 100],
        into: &mut Header,
    ) -> Result<()> {
        if let Some(field) = into.as_gnu_mut().map(field) {
            let short = name.len().min(field.len());
            field[..short].copy_from_slice(&name[..short]);
        }
        if name.len() <= 100 {
            return Ok(());
        }
        let mut before = header(long, name.len() as u64 + 1);
        if let Some(gnu) = before.as_gnu_mut() {
            gnu.name[..LONG.len()].copy_from_slice(LONG);
        }
        before.set_cksum();
        self.tar.append(&before, name.chain(&[0][..])).map_err(written)
    }
}

fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mode(0o644);
    header.set_mtime(0);
    header
}

/// Looks at everything in a directory, in order, with its path. What is gone meanwhile is passed over.
///
/// # Errors
/// [`Error::Carried`] if directories are nested too deeply or this one cannot be read, and what looking has to say.
pub(super) fn each(
    part: &Part<'_>,
    dir: &OwnedFd,
    path: &mut Vec<u8>,
    depth: usize,
    mut look: impl FnMut(&CString, &mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    if depth > DEEPEST {
        return Err(refused(path, "directories are nested too deeply"));
    }
    let mut names = names(dir).map_err(|error| unreadable(path, error))?;
    if part.is_repository(path.get(part.name.len() + 1..).unwrap_or_default()) {
        // What names objects is taken before them, so that of a repository at work nothing is named that is not there.
        names.sort_by_key(|name| name.as_bytes() == b"objects");
    }
    for name in names {
        let length = path.len();
        path.push(b'/');
        path.extend_from_slice(name.as_bytes());
        match look(&name, path) {
            Ok(()) | Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        path.truncate(length);
    }
    Ok(())
}

/// The names in a directory, in order.
fn names(dir: impl AsFd) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

pub(super) fn unreadable(path: &[u8], error: Errno) -> Error {
    let path = std::ffi::OsStr::from_bytes(path).to_string_lossy().into_owned();
    match error {
        Errno::NOENT => Error::NotFound { path },
        // It was a directory, or no link, a moment ago: somebody moves things. It is taken as gone.
        Errno::LOOP | Errno::NOTDIR => Error::NotFound { path },
        _ => refused(path.as_bytes(), format!("it cannot be read ({})", io::Error::from(error))),
    }
}

fn written(error: io::Error) -> Error {
    Error::Io { path: "the stream".into(), source: error }
}
