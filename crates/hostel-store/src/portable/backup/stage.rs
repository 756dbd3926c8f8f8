//! Copying what has changed beside what is there: nothing of the backup that exists is touched.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::super::sums;
use super::beside::{self, Taken};
use super::catalog::{Catalog, Copied, Stamp, is_plain, length};

/// A file that was changed so short a time ago may be changed again without its stamp telling.
const RESTLESS_SECONDS: i64 = 2;

/// For people, and for tools that leave out empty directories.
const UNFINISHED: &str =
    "Here `hostel backup` gathers files. If no backup is under way, one was interrupted: run it again.\n";

/// A backup in the making.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    source: &'a Path,
    target: &'a Path,
    old: Catalog,
    pub(super) new: Catalog,
    pub(super) copied: u64,
    pub(super) copied_bytes: u64,
}

impl<'a> Stage<'a> {
    /// Begins one, in place of one that was not finished.
    pub(super) fn begin(source: &'a Path, target: &'a Path, old: Catalog) -> io::Result<Self> {
        match fs::remove_dir_all(target.join(super::STAGING)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
        fs::create_dir_all(target.join(super::STAGING))?;
        fs::write(target.join(super::STAGING).join("unfinished"), UNFINISHED)?;
        let new = Catalog { source: source.to_string_lossy().into_owned(), ..Catalog::default() };
        Ok(Self { source, target, old, new, copied: 0, copied_bytes: 0 })
    }

    /// Takes a file over, its first `bytes` if that is said. It is copied unless the backup has it as it is. One that is
    /// not there any more is passed by.
    pub(super) fn take(&mut self, path: &str, bytes: Option<u64>) -> io::Result<()> {
        if !is_plain(path) {
            return Ok(());
        }
        let file = match File::open(self.source.join(path)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        let before = Stamp::of(&file.metadata()?);
        if let Some(kept) = self.kept(path, &before, bytes) {
            self.new.files.insert(path.to_owned(), kept);
            return Ok(());
        }
        let at_rest = now_seconds() - before.seconds() > RESTLESS_SECONDS;
        let mut from = (&file).take(bytes.unwrap_or(u64::MAX));
        let (copied, sum) = sums::copy(&mut from, &mut File::create(self.place(path)?)?)?;
        let unchanged = Stamp::of(&file.metadata()?) == before;
        self.add(path, Copied { sum, bytes: copied, stamp: Some(before).filter(|_| at_rest && unchanged) });
        Ok(())
    }

    /// Takes over what is no file: written anew unless the backup has it as it is.
    pub(super) fn take_beside(
        &mut self,
        path: &str,
        stamp: Option<[u8; 32]>,
        pack: impl Fn(&mut dyn Write) -> io::Result<bool>,
    ) -> io::Result<Taken> {
        if !is_plain(path) {
            return Ok(Taken::Failed("its name is no name for a file".to_owned()));
        }
        let stamp = stamp.map(Stamp::of_sum);
        if let Some(kept) = stamp.as_ref().and_then(|now| self.kept(path, now, None)) {
            self.new.files.insert(path.to_owned(), kept);
            return Ok(Taken::There);
        }
        // Beside what was taken of it before: that stays if this cannot be had.
        let place = self.place(path)?;
        let made = place.with_extension("next");
        match beside::write(&made, pack)? {
            Ok(copied) => {
                fs::rename(made, place)?;
                self.add(path, Copied { stamp, ..copied });
                Ok(Taken::There)
            }
            Err(not) => fs::remove_file(made).map(|()| not),
        }
    }

    /// Keeps what the backup has of something that could not be taken; whether it has anything.
    pub(super) fn keep_older(&mut self, path: &str) -> bool {
        if let Some(before) = self.new.files.get_mut(path) {
            before.stamp = None;
            return true;
        }
        let old = self.old.files.get(path).filter(|old| length(&self.target.join(path)) == Some(old.bytes));
        // Without a stamp: the next backup tries it again.
        let kept = old.map(|old| Copied { stamp: None, ..old.clone() });
        let is_kept = kept.is_some();
        self.new.files.extend(kept.map(|kept| (path.to_owned(), kept)));
        is_kept
    }

    /// What the backup has of a file that has not changed since.
    fn kept(&self, path: &str, now: &Stamp, bytes: Option<u64>) -> Option<Copied> {
        let old = self.old.files.get(path)?;
        let same = old.stamp.as_ref() == Some(now) && bytes.is_none_or(|bytes| bytes == old.bytes);
        (same && length(&self.target.join(path)) == Some(old.bytes)).then(|| old.clone())
    }

    /// Has a file written that is not a copy of another.
    pub(super) fn make(&mut self, path: &str, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
        let place = self.place(path)?;
        write(&place)?;
        let (bytes, sum) = sums::of_file(&place)?;
        self.add(path, Copied { sum, bytes, stamp: None });
        Ok(())
    }

    fn place(&self, path: &str) -> io::Result<PathBuf> {
        let place = self.target.join(super::STAGING).join(path);
        fs::create_dir_all(place.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
        Ok(place)
    }

    fn add(&mut self, path: &str, copied: Copied) {
        self.copied += 1;
        self.copied_bytes += copied.bytes;
        self.new.files.insert(path.to_owned(), copied);
    }
}

fn now_seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}
