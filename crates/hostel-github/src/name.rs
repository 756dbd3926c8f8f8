//! `owner/name`.

use std::{fmt, str::FromStr};

use crate::GithubError;

/// The name of a repository: `owner/name`.
///
/// ```
/// use hostel_github::RepoName;
///
/// let name: RepoName = "https://github.com/ada/engine.git".parse()?;
/// assert_eq!(name.to_string(), "ada/engine");
/// assert!(RepoName::new("ada", "../engine").is_err());
/// # Ok::<(), hostel_github::GithubError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoName {
    owner: String,
    name: String,
}

impl RepoName {
    /// This repository of this owner.
    ///
    /// # Errors
    /// `Name` if either cannot be a name.
    pub fn new(owner: impl Into<String>, name: impl Into<String>) -> Result<Self, GithubError> {
        let (owner, name) = (owner.into(), name.into());
        let plain = |text: &str| {
            (1..=100).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
                && text.bytes().any(|byte| byte != b'.')
        };
        match plain(&owner) && plain(&name) {
            true => Ok(Self { owner, name }),
            false => Err(GithubError::Name(format!("{owner}/{name}").chars().take(210).collect())),
        }
    }

    /// Whose it is.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Its name without the owner.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this is the same: GitHub's names have no case.
    pub fn is(&self, other: &Self) -> bool {
        self.owner.eq_ignore_ascii_case(&other.owner) && self.name.eq_ignore_ascii_case(&other.name)
    }
}

impl FromStr for RepoName {
    type Err = GithubError;

    /// Reads `owner/name`, or the address of a repository.
    fn from_str(text: &str) -> Result<Self, GithubError> {
        let path = text.split_once("://").map_or(text, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
        let path = path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        match path.split_once('/') {
            Some((owner, name)) => Self::new(owner, name),
            None => Err(GithubError::Name(text.chars().take(210).collect())),
        }
    }
}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_read_and_nothing_else() {
        for text in ["a/b", "https://github.com/a/b", "http://127.0.0.1:80/a/b.git/", "a/b.git"] {
            assert_eq!(text.parse::<RepoName>().unwrap().to_string(), "a/b", "{text}");
        }
        for text in ["", "a", "a/", "/b", "a/b/c", "a/..", "a/b?x", "a b/c", "https://github.com/a"] {
            assert!(text.parse::<RepoName>().is_err(), "{text}");
        }
    }
}
