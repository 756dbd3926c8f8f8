//! A name inside a workspace: relative, without `..`, told apart from git's own files.

use std::fmt;

use crate::{Error, Result};

/// A place inside a workspace: names joined by `/`. The workspace itself is the empty place.
///
/// ```
/// use hostel_workspace::Place;
///
/// assert_eq!(Place::parse("./src//lib.rs").unwrap().as_str(), "src/lib.rs");
/// assert_eq!(Place::parse(".").unwrap().as_str(), "");
/// assert!(Place::parse("src/../../etc").is_err());
/// assert!(Place::parse("/etc/passwd").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(String);

/// The longest path that is looked at.
const LONGEST: usize = 4096;

impl Place {
    /// Reads a path as people and models write it.
    ///
    /// # Errors
    /// [`Error::Outside`] for what cannot be inside: absolute paths, `..`, `~`, NUL, and what is longer than any path.
    pub fn parse(path: &str) -> Result<Self> {
        let outside = |why| Error::Outside { path: path.chars().take(200).collect(), why };
        if path.len() > LONGEST {
            return Err(outside("it is longer than any path"));
        }
        if path.contains('\0') {
            return Err(outside("it has a NUL in it"));
        }
        if path.starts_with('/') {
            return Err(outside("it is absolute; give it relative to the workspace"));
        }
        if path == "~" || path.starts_with("~/") {
            return Err(outside("there is no home directory here; give it relative to the workspace"));
        }
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
        if names.contains(&"..") {
            return Err(outside("it has `..` in it"));
        }
        Ok(Self(names.join("/")))
    }

    /// The workspace itself.
    #[must_use]
    pub fn root() -> Self {
        Self(String::new())
    }

    /// The path, without `.` and doubled slashes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the workspace itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The directory around it and its own name; nothing for the workspace itself.
    #[must_use]
    pub fn split(&self) -> Option<(Self, &str)> {
        if self.is_root() {
            return None;
        }
        match self.0.rsplit_once('/') {
            Some((parent, name)) => Some((Self(parent.to_owned()), name)),
            None => Some((Self::root(), &self.0)),
        }
    }

    /// The place `name` inside this one.
    pub(crate) fn join(&self, name: &str) -> Self {
        if self.is_root() { Self(name.to_owned()) } else { Self(format!("{}/{name}", self.0)) }
    }

    /// Whether it is `other` or inside of it.
    pub(crate) fn is_in(&self, other: &Self) -> bool {
        other.is_root() || self.0.strip_prefix(&other.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Refuses what belongs to git, in any spelling that some file system takes for it.
    pub(crate) fn writable(&self) -> Result<()> {
        let gits = |name: &str| {
            let name = name.trim_end_matches(['.', ' ']);
            name.eq_ignore_ascii_case(".git") || name.eq_ignore_ascii_case("git~1")
        };
        if self.0.split('/').any(gits) {
            return Err(Error::GitsOwn { path: self.0.clone() });
        }
        if self.is_root() {
            return Err(Error::WrongKind { path: ".".into(), is: "the workspace itself", wanted: "something in it" });
        }
        Ok(())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "." } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gits_own_names_are_known_in_every_spelling() {
        for path in [".git", ".git/config", "a/.GIT/hooks/x", ".git./config", ".git /x", "GIT~1/config"] {
            assert!(Place::parse(path).unwrap().writable().is_err(), "{path}");
        }
        for path in [".gitignore", "a/.github/x", "git/x", ".gitmodules"] {
            assert!(Place::parse(path).unwrap().writable().is_ok(), "{path}");
        }
    }

    #[test]
    fn a_place_is_in_itself_and_in_what_is_around_it_only() {
        let place = |path| Place::parse(path).unwrap();
        assert!(place("a/b").is_in(&place("a")) && place("a").is_in(&place("a")) && place("a").is_in(&Place::root()));
        assert!(!place("ab").is_in(&place("a")));
    }
}
