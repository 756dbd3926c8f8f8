//! What a path means once every link on the way is followed, one name after the other.

use rustix::fs::readlinkat;
use rustix::io::Errno;

use crate::{Error, Place, Result, Workspace};

/// How many links are followed: as many as the kernel follows.
const LINKS: usize = 40;

impl Workspace {
    /// The place that `path` leads to: every link is followed, at the end, too. Names that are not there stay as they are.
    ///
    /// Somebody may put a link there right afterwards: what has to be opened is opened by its own path, and is inside in any case.
    ///
    /// # Errors
    /// [`Error::Outside`] if it leads out, or in circles: nothing can be opened by such a path. [`Error::Io`] if that cannot be
    /// found out.
    ///
    /// ```
    /// # use hostel_workspace::{Limits, Workspace};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let workspace = Workspace::open(dir.path(), Limits::default())?;
    /// # std::fs::create_dir(dir.path().join("src"))?;
    /// std::os::unix::fs::symlink("src", dir.path().join("link"))?;
    /// assert_eq!(workspace.real_path("link/new.rs")?.as_str(), "src/new.rs");
    /// # Ok(())
    /// # }
    /// ```
    pub fn real_path(&self, path: &str) -> Result<Place> {
        let mut left = names(Place::parse(path)?.as_str());
        let (mut at, mut links) = (Place::root(), 0);
        while let Some(name) = left.pop() {
            match name.as_str() {
                "" | "." => continue,
                ".." => at = at.split().ok_or_else(|| outside(path))?.0,
                _ => match self.target(&at.join(&name))? {
                    None => at = at.join(&name),
                    Some(target) if target.starts_with('/') || links == LINKS => return Err(outside(path)),
                    Some(target) => {
                        links += 1;
                        left.extend(names(&target));
                    }
                },
            }
        }
        Ok(at)
    }

    /// The place that `path` has itself: every link on the way is followed, one at the end is not. That is what is moved and deleted.
    ///
    /// # Errors
    /// Those of [`real_path`](Self::real_path).
    pub fn real_entry(&self, path: &str) -> Result<Place> {
        match Place::parse(path)?.split() {
            None => Ok(Place::root()),
            Some((around, name)) => Ok(self.real_path(around.as_str())?.join(name)),
        }
    }

    /// Where the link at `place` points to; nothing if there is no link.
    fn target(&self, place: &Place) -> Result<Option<String>> {
        let failed = |error: std::io::Error| Error::Io { path: place.to_string(), source: error };
        match readlinkat(self.root(), place.as_str(), Vec::new()) {
            Ok(target) => target.into_string().map(Some).map_err(|error| failed(std::io::Error::other(error))),
            Err(Errno::INVAL | Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(failed(error.into())),
        }
    }
}

/// The names of a path, the last one first.
fn names(path: &str) -> Vec<String> {
    path.split('/').rev().map(str::to_owned).collect()
}

fn outside(path: &str) -> Error {
    Error::Outside { path: path.to_owned(), why: "a symbolic link on the way leads out, or in circles" }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::Limits;

    #[test]
    fn links_are_followed_one_after_the_other_as_far_as_they_stay_inside() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/b/key"), "x").unwrap();
        for (target, link) in [
            ("a/b/key", "file"),
            ("a//b/", "way"),
            ("../way", "a/back"),
            ("back/../b", "a/round"),
            ("../..", "a/b/out"),
            ("/etc", "absolute"),
            ("circle", "circle"),
            ("nothing/../new", "hanging"),
        ] {
            symlink(target, dir.path().join(link)).unwrap();
        }
        let workspace = Workspace::open(dir.path(), Limits::default()).unwrap();
        let real = |path: &str| workspace.real_path(path).map(|place| place.as_str().to_owned());
        for (path, place) in [
            ("a/b/key", "a/b/key"),
            ("./file", "a/b/key"),
            ("way/key", "a/b/key"),
            ("a/back/key", "a/b/key"),
            ("a/round/new/file", "a/b/new/file"),
            ("a/back/out", ""),
            ("hanging/x", "new/x"),
            ("not/there", "not/there"),
            ("a/b/key/x", "a/b/key/x"),
            ("", ""),
        ] {
            assert_eq!(real(path).unwrap(), place, "{path}");
        }
        for path in ["absolute/passwd", "circle", "../x", "/etc"] {
            assert!(matches!(real(path), Err(Error::Outside { .. })), "{path}");
        }
        let entry = |path: &str| workspace.real_entry(path).unwrap().as_str().to_owned();
        assert_eq!((entry("file"), entry("way/out"), entry(".")), ("file".into(), "a/b/out".into(), String::new()));
    }
}
