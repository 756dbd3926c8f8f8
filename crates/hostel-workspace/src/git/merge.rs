//! Taking over another branch.

use super::Repo;
use super::branch::check_revision;
use crate::{Error, Result};

/// What became of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// The present branch has it, and is at this commit now.
    Done(String),
    /// These files were changed on both sides in ways that do not go together. Nothing was changed.
    Conflicts(Vec<String>),
}

impl Repo {
    /// Merges a branch, tag or commit into the present branch, by a commit of its own if that one has gone on meanwhile. Where both
    /// do not go together everything stays as it is. No hook is run and nothing is signed.
    ///
    /// # Errors
    /// [`Error::Git`], also if changes in the work tree are in the way.
    pub async fn merge(&self, revision: &str, message: &str) -> Result<Merged> {
        check_revision(revision)?;
        let args = ["--quiet", "--no-stat", "--no-verify", "--no-gpg-sign", "--no-autostash", "-m", message, revision];
        let output = self.command("merge").await?.args(args).may_fail_with(&[1]).run().await?;
        if output.code == 0 {
            let head = self.commit_id("HEAD").await?;
            return head.map(Merged::Done).ok_or_else(|| failed("there is no commit"));
        }
        let args = ["--name-only", "--diff-filter=U", "-z"];
        let unmerged = self.command("diff").await?.args(args).run().await?.text();
        let files: Vec<String> = unmerged.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        if !self.dir.join("MERGE_HEAD").exists() {
            return Err(failed(output.errors.trim()));
        }
        self.command("merge").await?.arg("--abort").run().await?;
        Ok(Merged::Conflicts(files))
    }

    /// Gives up a merge of `commit` that a crash has left half done: everything is as it was before it. Without one nothing is done.
    ///
    /// # Errors
    /// [`Error::Git`].
    pub async fn abort_merge(&self, commit: &str) -> Result<()> {
        let merging = std::fs::read_to_string(self.dir.join("MERGE_HEAD")).unwrap_or_default();
        if merging.is_empty() || merging.trim() != commit {
            return Ok(());
        }
        self.command("merge").await?.arg("--abort").run().await.map(drop)
    }
}

fn failed(why: &str) -> Error {
    Error::Git { command: "merge".into(), why: why.to_owned() }
}
