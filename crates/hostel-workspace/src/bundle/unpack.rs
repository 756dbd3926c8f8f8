//! Reading the stream, from anybody: nothing in it is believed.
//!
//! Every name is looked up in the directory that was made for it, one after the other, through no link; everything is made new. So
//! whatever a stream says, nothing is written outside of the directories that it is unpacked to.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat, symlinkat};
use rustix::io::Errno;
use tar::{Entry, EntryType};

use super::{DEEPEST, LONGEST, MOST, Part, refused};
use crate::{Error, Limits, Result};

/// Makes the directories of `parts` that are in the stream. None of them may be there. What was made before an error stays. Blocks.
///
/// # Errors
/// [`Error::Carried`] for a stream that [`pack`](super::pack) would not have written: paths that lead out, or through links,
/// devices, what has git look elsewhere; [`Error::TooLarge`] if there is more than `limits` has room for in a workspace.
pub fn unpack(from: &mut dyn Read, parts: &[Part<'_>], limits: &Limits) -> Result<()> {
    let mut archive = tar::Archive::new(from);
    let mut unpacker = Unpacker {
        parts,
        roots: parts.iter().map(|_| None).collect(),
        last: None,
        bytes: 0,
        limit: limits.workspace_bytes,
    };
    let (mut name, mut link, mut entries) = (None, None, 0);
    // Raw: what an entry says of the next one's name is read here, where it has a bound.
    for entry in archive.entries().map_err(unreadable)?.raw(true) {
        let mut entry = entry.map_err(unreadable)?;
        let is_name = matches!(entry.header().entry_type(), EntryType::GNULongName | EntryType::GNULongLink);
        entries += u64::from(!is_name);
        if entries > MOST {
            return Err(Error::TooLarge {
                what: "what is brought, counted in files,".into(),
                bytes: entries,
                limit: MOST,
            });
        }
        match entry.header().entry_type() {
            EntryType::GNULongName => name = Some(long(&mut entry)?),
            EntryType::GNULongLink => link = Some(long(&mut entry)?),
            kind => {
                let path = name.take().unwrap_or_else(|| entry.header().path_bytes().into_owned());
                let target = link.take();
                unpacker.one(kind, &path, target, &mut entry)?;
            }
        }
    }
    match name.or(link) {
        Some(name) => Err(refused(&name, "the stream ends before it")),
        None => unpacker.sync(),
    }
}

const NEW: OFlags =
    OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

struct Unpacker<'a> {
    parts: &'a [Part<'a>],
    roots: Vec<Option<OwnedFd>>,
    /// The directory that was used last, by its path.
    last: Option<(Vec<u8>, OwnedFd)>,
    bytes: u64,
    limit: u64,
}

impl Unpacker<'_> {
    fn one<R: Read>(
        &mut self,
        kind: EntryType,
        path: &[u8],
        target: Option<Vec<u8>>,
        entry: &mut Entry<'_, R>,
    ) -> Result<()> {
        let names = names(path)?;
        let Some((part, names)) = names.split_first() else { return Err(refused(path, "it has no name")) };
        let Some(at) = self.parts.iter().position(|known| known.name.as_bytes() == *part) else {
            return Err(refused(path, "nothing of this name belongs here"));
        };
        let Some((name, around)) = names.split_last() else { return self.begin(at, kind, path) };
        let below = names.join(&b'/');
        if self.parts[at].leads_elsewhere(&below, kind == EntryType::Directory) {
            return Err(refused(path, "it would have git look in other places"));
        }
        if kind == EntryType::Symlink && self.parts[at].is_in_repository(&below) {
            return Err(refused(path, "git would write through it"));
        }
        let failed = |error: Errno| match error {
            Errno::NOSPC | Errno::DQUOT => Error::of(&String::from_utf8_lossy(path), error),
            _ => refused(path, io::Error::from(error).to_string()),
        };
        let (bytes, limit) = (self.bytes, self.limit);
        let dir = self.around(at, around, path)?;
        match kind {
            EntryType::Directory => {
                mkdirat(dir, OsStr::from_bytes(name), Mode::RWXU | Mode::RWXG | Mode::RWXO).map_err(failed)
            }
            EntryType::Symlink => {
                let target = target.or_else(|| entry.header().link_name_bytes().map(Into::into)).unwrap_or_default();
                if target.is_empty() || target.contains(&0) {
                    return Err(refused(path, "it is a link to nothing"));
                }
                symlinkat(OsStr::from_bytes(&target), dir, OsStr::from_bytes(name)).map_err(failed)
            }
            EntryType::Regular => {
                let mode = entry.header().mode().unwrap_or(0);
                let mode = if mode & 0o100 == 0 { 0o666 } else { 0o777 };
                let size = entry.header().entry_size().map_err(unreadable)?;
                let sum = bytes.saturating_add(size);
                if sum > limit {
                    return Err(Error::TooLarge { what: "what is brought".into(), bytes: sum, limit });
                }
                let file = openat(dir, OsStr::from_bytes(name), NEW, Mode::from_raw_mode(mode)).map_err(failed)?;
                self.bytes = sum;
                fill(path, &mut File::from(file), size, entry)
            }
            _ => Err(refused(path, "it is neither a file, nor a directory, nor a symbolic link")),
        }
    }

    /// Makes the directory of a part.
    fn begin(&mut self, at: usize, kind: EntryType, path: &[u8]) -> Result<()> {
        if kind != EntryType::Directory {
            return Err(refused(path, "it is no directory"));
        }
        let dir = self.parts[at].dir;
        DirBuilder::new().mode(0o700).create(dir).map_err(|error| Error::of(self.parts[at].name, error))?;
        let opened = openat(CWD, dir, DIRECTORY, Mode::empty());
        self.roots[at] = Some(opened.map_err(|error| Error::of(self.parts[at].name, error))?);
        Ok(())
    }

    /// The directory in which something is to be made, open.
    fn around(&mut self, at: usize, names: &[&[u8]], path: &[u8]) -> Result<&OwnedFd> {
        let Some(root) = &self.roots[at] else { return Err(refused(path, "the directory around it was not brought")) };
        if names.is_empty() {
            return Ok(root);
        }
        let key = [self.parts[at].name.as_bytes(), &names.join(&b'/')].join(&b'/');
        if self.last.as_ref().is_none_or(|(last, _)| *last != key) {
            let mut dir: Option<OwnedFd> = None;
            for name in names {
                let next = openat(dir.as_ref().unwrap_or(root), OsStr::from_bytes(name), DIRECTORY, Mode::empty());
                dir = Some(next.map_err(|_| refused(path, "what is around it is no directory that was brought"))?);
            }
            self.last = dir.map(|dir| (key, dir));
        }
        self.last.as_ref().map(|(_, dir)| dir).ok_or_else(|| refused(path, "it has no directory"))
    }

    /// What was made is on the disk.
    fn sync(&self) -> Result<()> {
        #[cfg(target_os = "linux")]
        if let Some(dir) = self.roots.iter().flatten().next() {
            rustix::fs::syncfs(dir).map_err(|error| Error::of("what was brought", error))?;
        }
        Ok(())
    }
}

fn fill<R: Read>(path: &[u8], file: &mut File, size: u64, entry: &mut Entry<'_, R>) -> Result<()> {
    let changed =
        entry.header().mtime().ok().and_then(|at| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(at)));
    let written = io::copy(entry, file).map_err(|error| Error::of(&String::from_utf8_lossy(path), error))?;
    if written != size {
        return Err(refused(path, "it ends in the middle"));
    }
    // A time that this file system has not is no reason to refuse the file.
    changed.map_or(Ok(()), |at| file.set_modified(at)).unwrap_or_default();
    Ok(())
}

/// The names of a path, all of them plain.
fn names(path: &[u8]) -> Result<Vec<&[u8]>> {
    let plain = path.strip_suffix(b"/").unwrap_or(path);
    let names: Vec<&[u8]> = plain.split(|byte| *byte == b'/').collect();
    let odd = |name: &&[u8]| name.is_empty() || matches!(*name, b"." | b"..") || name.contains(&0);
    if path.len() as u64 > LONGEST || names.len() > DEEPEST + 1 || names.iter().any(odd) {
        return Err(refused(path, "it is not a path of plain names"));
    }
    Ok(names)
}

/// A name that was too long for a header.
fn long<R: Read>(entry: &mut Entry<'_, R>) -> Result<Vec<u8>> {
    let mut name = Vec::new();
    entry.take(LONGEST + 2).read_to_end(&mut name).map_err(unreadable)?;
    if name.last() == Some(&0) {
        name.pop();
    }
    if name.len() as u64 > LONGEST {
        return Err(refused(&name, "its name is longer than any path"));
    }
    Ok(name)
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: io::Error) -> Error {
    refused(b"the stream", format!("it cannot be read ({error})"))
}
