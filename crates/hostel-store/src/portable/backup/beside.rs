//! What is kept of agents outside of their databases, in a backup: one stream for each agent that has something.
//!
//! It cannot be held still together with the journal, and need not be: what was looked at before the end of the journal was taken, and is
//! found the same afterwards, is as it was at that moment. What somebody works in is taken after that moment, and named.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::super::sums::Summing;
use super::super::tree;
use super::catalog::{Copied, Stamp};
use super::stage::Stage;
use crate::Store;

/// Where it is in a backup.
pub(crate) const BESIDE: &str = "belongings";

/// What is kept of one agent in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// By which it is known there: a name for a file, which stays the same and is no other's.
    pub name: String,
    /// What changes whenever it does; nothing if it was changed so short a time ago that another change might not tell.
    pub stamp: Option<[u8; 32]>,
}

/// One place outside of the data directory's databases, such as that of workspaces, as a backup sees it.
pub struct Beside<'a> {
    /// What it is called: small letters, digits and hyphens.
    pub name: &'a str,
    /// Everything in it.
    pub held: &'a dyn Fn() -> io::Result<Vec<Held>>,
    /// Writes what has this name as one stream; `false` if it is gone. Where this fails, and it is not `out` that does, it is left out.
    pub pack: &'a dyn Fn(&str, &mut dyn Write) -> io::Result<bool>,
}

impl fmt::Debug for Beside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beside").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a backup has not got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Its place and name.
    pub what: String,
    /// Why it could not be taken.
    pub why: String,
    /// Whether the backup still has it as an earlier one took it.
    pub has_older: bool,
}

/// What was found of one place, and how it was then.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeMap<String, Option<[u8; 32]>>);

/// What has to be said of it afterwards.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) worked_in: Vec<String>,
    pub(super) left_out: Vec<LeftOut>,
}

/// Where one is in a backup.
pub(super) fn path_of(beside: &Beside<'_>, name: &str) -> String {
    format!("{BESIDE}/{}/{name}.tar", beside.name)
}

/// Hears how many of how many are done, and how many bytes were copied.
pub(super) type Tell<'a> = &'a mut dyn FnMut(u64, u64, u64);

/// Takes everything as it is before the end of the journal is.
pub(super) fn before(stage: &mut Stage<'_>, beside: &Beside<'_>, told: &mut Told, tell: Tell<'_>) -> io::Result<Seen> {
    let mut seen = Seen::default();
    let all = (beside.held)()?;
    let of = all.len() as u64;
    for (done, held) in (0..).zip(all) {
        tell(done, of, stage.copied_bytes);
        let taken = take(stage, beside, &held, told)?;
        seen.0.insert(held.name, held.stamp.filter(|_| taken));
    }
    Ok(seen)
}

/// Takes anew what is not as it was. What is gone was there at the moment of the backup, and stays in it.
pub(super) fn after(
    stage: &mut Stage<'_>,
    beside: &Beside<'_>,
    seen: &Seen,
    told: &mut Told,
    tell: Tell<'_>,
) -> io::Result<()> {
    let all = (beside.held)()?;
    let of = all.len() as u64;
    for (done, held) in (0..).zip(all) {
        tell(done, of, stage.copied_bytes);
        if held.stamp.is_some() && seen.0.get(&held.name) == Some(&held.stamp) {
            continue;
        }
        if take(stage, beside, &held, told)? {
            told.worked_in.push(format!("{}/{}", beside.name, held.name));
        }
    }
    pass_by_what_is_gone(beside, told)
}

/// What could not be taken because its agent was destroyed meanwhile, or was destroyed after that, is missed by nobody.
fn pass_by_what_is_gone(beside: &Beside<'_>, told: &mut Told) -> io::Result<()> {
    let of_this = format!("{}/", beside.name);
    if !told.left_out.iter().any(|left| left.what.starts_with(&of_this)) {
        return Ok(());
    }
    let there: BTreeSet<String> = (beside.held)()?.into_iter().map(|held| held.name).collect();
    told.left_out.retain(|left| left.what.strip_prefix(&of_this).is_none_or(|name| there.contains(name)));
    Ok(())
}

/// Whether it is in the backup now as it was when it was looked at.
fn take(stage: &mut Stage<'_>, beside: &Beside<'_>, held: &Held, told: &mut Told) -> io::Result<bool> {
    let path = path_of(beside, &held.name);
    told.left_out.retain(|left| left.what != format!("{}/{}", beside.name, held.name));
    match stage.take_beside(&path, held.stamp, |out| (beside.pack)(&held.name, out))? {
        Taken::There => Ok(true),
        Taken::Gone => Ok(false),
        Taken::Failed(why) => {
            let has_older = stage.keep_older(&path);
            told.left_out.push(LeftOut { what: format!("{}/{}", beside.name, held.name), why, has_older });
            Ok(false)
        }
    }
}

/// What became of one.
#[derive(Debug)]
pub(super) enum Taken {
    There,
    Gone,
    Failed(String),
}

/// Writes one to a new file.
pub(super) fn write(
    place: &Path,
    pack: impl Fn(&mut dyn Write) -> io::Result<bool>,
) -> io::Result<Result<Copied, Taken>> {
    let mut out = Watched { out: Summing::new(BufWriter::new(File::create(place)?)), failed: None };
    let packed = pack(&mut out);
    if let Some(failed) = out.failed {
        return Err(failed);
    }
    let (file, bytes, sum) = out.out.into_parts();
    file.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(match packed {
        Ok(true) => Ok(Copied { sum, bytes, stamp: None }),
        Ok(false) => Err(Taken::Gone),
        Err(error) => Err(Taken::Failed(error.to_string())),
    })
}

/// Tells an error of the backup's disk from one of what is read.
struct Watched<W> {
    out: W,
    failed: Option<io::Error>,
}

impl<W: Write> Watched<W> {
    fn note<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        done.map_err(|error| {
            let shown = io::Error::new(error.kind(), error.to_string());
            if error.kind() != io::ErrorKind::Interrupted {
                self.failed = Some(error);
            }
            shown
        })
    }
}

impl<W: Write> Write for Watched<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes);
        self.note(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out.flush();
        self.note(flushed)
    }
}

impl Stamp {
    /// That of something that is no file.
    pub(super) fn of_sum(sum: [u8; 32]) -> Self {
        let part = |at: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&sum[at..at + 8]);
            eight
        };
        Self::new(
            i64::from_be_bytes(part(0)),
            i64::from_be_bytes(part(8)),
            u64::from_be_bytes(part(16)),
            u64::from_be_bytes(part(24)),
        )
    }
}

impl Store {
    /// What the backup that this directory was has brought of one place, and nobody has put back yet: the name of each, and its file,
    /// which is to be removed when that is done.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read.
    pub fn brought(&self, of: &str) -> io::Result<Vec<(String, PathBuf)>> {
        match self.inner.keeper {
            Some(_) => brought(self.inner.layout.root(), of),
            None => Ok(Vec::new()),
        }
    }
}

/// [`Store::brought`], of any directory.
pub(crate) fn brought(root: &Path, of: &str) -> io::Result<Vec<(String, PathBuf)>> {
    let dir = root.join(BESIDE).join(of);
    let names = tree::names(&dir)?.into_iter();
    Ok(names.filter_map(|file| file.strip_suffix(".tar").map(|name| (name.to_owned(), dir.join(&file)))).collect())
}
