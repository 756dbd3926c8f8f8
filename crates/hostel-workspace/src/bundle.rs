//! Directories as one stream of bytes, to be carried elsewhere: a tar archive of directories, plain files and symbolic links.
//!
//! Links are carried as links, and never followed, neither on the way out nor on the way in. Of permissions the executable bit is
//! carried, of times that of the last change of a file; owners are not. Links inside of a repository stay where they are.
//!
//! ```
//! use hostel_workspace::{Limits, bundle::{Part, pack, unpack}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let (here, there) = (dir.path().join("here"), dir.path().join("there"));
//! std::fs::create_dir(&here)?;
//! std::fs::write(here.join("notes.md"), "what I found")?;
//! let mut stream = Vec::new();
//! pack(&[Part::files("files", &here)], &Limits::default(), &mut stream)?;
//! unpack(&mut &*stream, &[Part::files("files", &there)], &Limits::default())?;
//! assert_eq!(std::fs::read_to_string(there.join("notes.md"))?, "what I found");
//! # Ok(())
//! # }
//! ```

mod pack;
mod stamp;
mod unpack;

use std::path::Path;

use crate::Error;

pub use self::pack::pack;
pub use self::stamp::stamp;
pub use self::unpack::unpack;

/// Deeper directories are not carried: nobody keeps files there, but a hostile command may.
const DEEPEST: usize = 200;

/// No path is longer: as many names as are carried, none longer than file systems have them. Most calls of a system take
/// 4096 bytes, but whoever goes down one directory after the other gets further.
const LONGEST: u64 = 64 << 10;

/// How many things are carried at most.
const MOST: u64 = 2_000_000;

/// One directory of several that are carried together.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Its name in the stream.
    pub(crate) name: &'a str,
    /// Where it is, or is to be.
    pub(crate) dir: &'a Path,
    is_git: bool,
}

impl<'a> Part<'a> {
    /// A work tree, with the repository at its top if there is one.
    #[must_use]
    pub fn files(name: &'a str, dir: &'a Path) -> Self {
        Self { name, dir, is_git: false }
    }

    /// A repository's own directory.
    #[must_use]
    pub fn repository(name: &'a str, dir: &'a Path) -> Self {
        Self { name, dir, is_git: true }
    }

    /// Whether the thing of this path below it has git look in other places of the machine it is on: it stays there. Of a work
    /// tree whose repository is elsewhere, the files are carried alone.
    fn leads_elsewhere(&self, path: &[u8], is_directory: bool) -> bool {
        if !self.is_git && path == b".git" {
            return !is_directory;
        }
        let of_git = if self.is_git { Some(path) } else { path.strip_prefix(b".git/") };
        of_git.is_some_and(|path| ELSEWHERE.contains(&path))
    }

    /// Whether this path below it is a repository's own directory.
    fn is_repository(&self, path: &[u8]) -> bool {
        if self.is_git { path.is_empty() } else { path == b".git" }
    }

    /// Whether this path below it is inside of a repository, where a link would have git write in other places.
    fn is_in_repository(&self, path: &[u8]) -> bool {
        self.is_git || path.starts_with(b".git/")
    }
}

/// Git's files that name other directories.
const ELSEWHERE: [&[u8]; 5] =
    [b"worktrees", b"commondir", b"gitdir", b"objects/info/alternates", b"objects/info/http-alternates"];

fn refused(path: &[u8], why: impl Into<String>) -> Error {
    Error::Carried { path: String::from_utf8_lossy(path).chars().take(200).collect(), why: why.into() }
}
