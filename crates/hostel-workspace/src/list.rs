//! What is in a directory, and which files have a name like this.

use std::ops::ControlFlow;

use globset::{GlobBuilder, GlobMatcher};
use rustix::fs::FileType;

use crate::walk::{self, WalkOptions};
use crate::{Error, Place, Result, Workspace};

/// What something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, a pipe, a socket.
    Other,
}

impl Kind {
    pub(crate) fn of(kind: FileType) -> Self {
        match kind {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Directory,
            FileType::Symlink => Self::Link,
            _ => Self::Other,
        }
    }
}

/// How to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListOptions {
    /// How many levels; one is the directory's own entries.
    pub depth: usize,
    /// Whether names that begin with a dot are listed. `.git` never is.
    pub hidden: bool,
    /// Whether what `.gitignore` leaves out is listed.
    pub ignored: bool,
}

impl Default for ListOptions {
    fn default() -> Self {
        Self { depth: 1, hidden: true, ignored: false }
    }
}

/// One entry of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path in the workspace.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Its size; nothing for directories.
    pub bytes: u64,
}

/// What [`Workspace::list`] answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The entries, each directory before what is in it.
    pub entries: Vec<Entry>,
    /// Whether there is more than was told.
    pub more: bool,
}

/// What [`Workspace::glob`] answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Globbed {
    /// Paths in the workspace, in order.
    pub paths: Vec<String>,
    /// Whether there are more than were told.
    pub more: bool,
}

impl Workspace {
    /// Lists the directory `path`.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::WrongKind`], [`Error::Outside`].
    pub fn list(&self, path: &str, options: &ListOptions) -> Result<Listing> {
        let place = Place::parse(path)?;
        let limit = self.limits().entries;
        let options = WalkOptions {
            depth: options.depth.max(1),
            hidden: options.hidden,
            ignored: options.ignored,
            stat: true,
            git: false,
        };
        let mut entries = Vec::new();
        walk::walk(self, &place, &options, &mut |item| {
            if entries.len() < limit {
                entries.push(Entry { path: item.place.to_string(), kind: item.kind, bytes: item.bytes });
                return ControlFlow::Continue(());
            }
            ControlFlow::Break(())
        })
        .map(|whole| Listing { entries, more: !whole })
    }

    /// The files and links whose paths match `pattern`: `*` within a name, `**` across directories, `?`, `[ab]`, `{a,b}`. A pattern
    /// without `/` is matched with names, in any directory.
    ///
    /// # Errors
    /// [`Error::Pattern`].
    pub fn glob(&self, pattern: &str) -> Result<Globbed> {
        let matcher = glob(pattern)?;
        let limit = self.limits().entries;
        let mut paths = Vec::new();
        let whole = walk::walk(self, &Place::root(), &WalkOptions::default(), &mut |item| {
            if item.kind == crate::Kind::Directory || !matcher.is_match(item.place.as_str()) {
                return ControlFlow::Continue(());
            }
            if paths.len() < limit {
                paths.push(item.place.to_string());
                return ControlFlow::Continue(());
            }
            ControlFlow::Break(())
        })?;
        Ok(Globbed { paths, more: !whole })
    }
}

/// A matcher of paths in the workspace.
pub(crate) fn glob(pattern: &str) -> Result<GlobMatcher> {
    let trimmed = pattern.trim_start_matches("./").trim_start_matches('/');
    let whole = if trimmed.contains('/') { trimmed.to_owned() } else { format!("**/{trimmed}") };
    let glob = GlobBuilder::new(&whole).literal_separator(true).build();
    Ok(glob
        .map_err(|error| Error::Pattern { pattern: pattern.to_owned(), why: error.kind().to_string() })?
        .compile_matcher())
}
