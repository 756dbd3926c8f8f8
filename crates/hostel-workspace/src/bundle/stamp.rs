//! Whether anything has changed since the last look, without reading a file.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, FileType, Mode, Stat, fstat, openat, statat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::Part;
use super::pack::{DIRECTORY, each, unreadable};
use crate::{Error, Result};

/// What was changed so short a time ago may be changed again without its time telling.
const RESTLESS_SECONDS: i64 = 2;

/// What changes whenever a name, a file, a link or a right below the directories does, as far as they are carried: told by lengths and by
/// the times of changes that nobody can set back. `None` if something was changed within the last seconds, so that another change might not tell.
/// Blocks.
///
/// # Errors
/// [`Error::Carried`] for what cannot be read.
pub fn stamp(parts: &[Part<'_>]) -> Result<Option<[u8; 32]>> {
    let mut look = Look { hash: Sha256::new(), newest: i64::MIN };
    for part in parts {
        match openat(CWD, part.dir, DIRECTORY, Mode::empty()) {
            Err(Errno::NOENT) => {}
            Err(error) => return Err(Error::of(part.name, error)),
            Ok(dir) => {
                let mut path = part.name.as_bytes().to_vec();
                let stat = fstat(&dir).map_err(|error| unreadable(&path, error))?;
                look.note(&path, &stat);
                look.inside(part, &dir, &mut path, 1)?;
            }
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed());
    let at_rest = now.saturating_sub(look.newest) > RESTLESS_SECONDS;
    Ok(at_rest.then(|| look.hash.finalize().into()))
}

struct Look {
    hash: Sha256,
    newest: i64,
}

impl Look {
    fn inside(&mut self, part: &Part<'_>, dir: &OwnedFd, path: &mut Vec<u8>, depth: usize) -> Result<()> {
        // What is gone meanwhile has changed the directory.
        each(part, dir, path, depth, |name, path| self.one(part, dir, name, path, depth))
    }

    fn one(&mut self, part: &Part<'_>, dir: &OwnedFd, name: &CString, path: &mut Vec<u8>, depth: usize) -> Result<()> {
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| unreadable(path, error))?;
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if part.leads_elsewhere(path.get(part.name.len() + 1..).unwrap_or_default(), is_directory) {
            return Ok(());
        }
        self.note(path, &stat);
        if !is_directory {
            return Ok(());
        }
        let inner = openat(dir, name, DIRECTORY, Mode::empty()).map_err(|error| unreadable(path, error))?;
        self.inside(part, &inner, path, depth + 1)
    }

    fn note(&mut self, path: &[u8], stat: &Stat) {
        self.newest = self.newest.max(stat.st_ctime);
        self.hash.update((path.len() as u64).to_be_bytes());
        self.hash.update(path);
        for number in [stat.st_ctime, stat.st_ctime_nsec.cast_signed(), stat.st_size] {
            self.hash.update(number.to_be_bytes());
        }
        self.hash.update(stat.st_ino.to_be_bytes());
        self.hash.update(stat.st_mode.to_be_bytes());
    }
}
