//! Branches: which there are, beginning one, changing to one.

use super::Repo;
use crate::{Error, Result};

/// A branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Its name.
    pub name: String,
    /// The commit it is at.
    pub commit: String,
    /// Whether it is the one of this work tree.
    pub current: bool,
    /// The branch elsewhere that it follows.
    pub upstream: Option<String>,
}

impl Repo {
    /// The branches of the repository, without those elsewhere.
    ///
    /// # Errors
    /// [`Error::Git`].
    pub async fn branches(&self) -> Result<Vec<Branch>> {
        let format = "--format=%(refname:short)%00%(objectname)%00%(HEAD)%00%(upstream:short)";
        let output = self.command("for-each-ref").await?.args([format, "refs/heads/"]).run().await?;
        let branch = |line: &str| {
            let mut fields = line.split('\0');
            let (name, commit) = (fields.next()?.to_owned(), fields.next()?.to_owned());
            let current = fields.next()? == "*";
            let upstream = fields.next().filter(|name| !name.is_empty()).map(str::to_owned);
            Some(Branch { name, commit, current, upstream })
        };
        Ok(output.text().lines().filter_map(branch).collect())
    }

    /// Begins the branch `name` at `start` (or where the work tree is) and changes to it. Changes in the work tree are kept.
    ///
    /// # Errors
    /// [`Error::Git`].
    pub async fn begin_branch(&self, name: &str, start: Option<&str>) -> Result<()> {
        check_name(name)?;
        let mut command = self.command("switch").await?.args(["--quiet", "--no-guess", "--create", name]);
        if let Some(start) = start {
            check_revision(start)?;
            command = command.args(["--no-track", start]);
        }
        command.run().await.map(drop)
    }

    /// Changes to the branch `name`. Changes in the work tree are kept; it is refused if they are in the way.
    ///
    /// # Errors
    /// [`Error::Git`].
    pub async fn switch(&self, name: &str) -> Result<()> {
        check_name(name)?;
        self.command("switch").await?.args(["--quiet", name]).run().await.map(drop)
    }

    /// Deletes the branch `name`, if it is part of the present one.
    ///
    /// # Errors
    /// [`Error::Git`].
    pub async fn delete_branch(&self, name: &str) -> Result<()> {
        check_name(name)?;
        self.command("branch").await?.args(["--quiet", "--delete", "--", name]).run().await.map(drop)
    }
}

/// Refuses what is no name of a branch, a tag or a remote, or could be taken for an option.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let fine = |c: char| c.is_alphanumeric() || "/._-+#".contains(c);
    let bad = name.is_empty()
        || name.len() > 200
        || !name.chars().all(fine)
        || name.contains("..")
        || name.contains("//")
        || name.split('/').any(|part| part.starts_with(['-', '.']) || part.ends_with('.') || part.ends_with(".lock"))
        || name.starts_with('/')
        || name.ends_with('/')
        || name == "HEAD";
    if bad {
        Err(Error::Git { command: "branch".into(), why: format!("{name:?} is not a name git takes") })
    } else {
        Ok(())
    }
}

/// Refuses what is no revision, or could be taken for an option or a range.
pub(crate) fn check_revision(revision: &str) -> Result<()> {
    let fine = |c: char| c.is_alphanumeric() || "/._-+#@{}^~".contains(c);
    if revision.is_empty()
        || revision.len() > 300
        || revision.starts_with('-')
        || !revision.chars().all(fine)
        || revision.contains("..")
    {
        return Err(Error::Git {
            command: "rev-parse".into(),
            why: format!("{revision:?} is not a commit, branch or tag"),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_git_would_misread_are_refused() {
        for name in ["main", "feature/a-1", "v1.2", "fix#12", "ä"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in
            ["", "-x", "a/-x", "a..b", "a b", "a~1", "x.lock", "HEAD", "a/", "/a", "a\n", "--upload-pack=x", ".x"]
        {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!(
            check_revision("HEAD~2").is_ok()
                && check_revision("--output=x").is_err()
                && check_revision("a..b").is_err()
        );
    }
}
