//! Commits, and sending them elsewhere.

use std::os::unix::ffi::OsStrExt;

use super::Repo;
use super::branch::{check_name, check_revision};
use super::look::{Diff, DiffOptions, Range, places};
use super::program::Command;
use crate::{Error, Result};

/// What goes into a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Every change of the work tree, new files included, ignored ones not.
    All,
    /// The changes of these files and directories, and what is staged.
    Paths(Vec<String>),
    /// What is staged.
    Staged,
}

/// A commit that is not made yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitPlan {
    /// The commit before it; nothing if it is the first.
    pub head: Option<String>,
    /// The tree of its files.
    pub tree: String,
    /// What it is compared with: the commit before it, or the tree without files.
    pub since: String,
    /// What it changes.
    pub diff: Diff,
}

/// A commit that is made, and that no branch has yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Its name.
    pub commit: String,
    /// Where the head has to be for it.
    pub parent: Option<String>,
    /// The first line of its message.
    pub subject: String,
}

/// How to push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// Where to.
    pub remote: String,
    /// Which branch; it has the same name there.
    pub branch: String,
    /// Whether the branch follows that one from now on.
    pub follow: bool,
    /// Whether commits there may be thrown away, if they are those that were last fetched.
    pub with_lease: bool,
}

/// Bytes of names of changed files in one go.
const NAMES: usize = 64 << 20;

/// The command with an index other than the user's own.
fn at_index<'a>(command: Command<'a>, index: Option<&str>) -> Command<'a> {
    match index {
        Some(index) => command.env("GIT_INDEX_FILE", index),
        None => command,
    }
}

impl Repo {
    /// Stages the changes of files and directories; none means all. What is in repositories within the work tree is left out.
    ///
    /// # Errors
    /// [`Error::Git`].
    pub async fn add(&self, paths: &[String]) -> Result<()> {
        self.stage(None, paths).await
    }

    /// Stages into `index`, or the user's own. Not by `git add`, which asks a repository within the work tree how it is by running
    /// git in there, under that repository's own configuration.
    pub(crate) async fn stage(&self, index: Option<&str>, paths: &[String]) -> Result<()> {
        // What is staged by name is for people to decide; snapshots are taken of everything, and without being asked.
        let is_ours = index.is_some_and(|index| index.ends_with("hostel-index"));
        let args = ["-z", "--others", "--modified", "--deleted", "--exclude-standard", "--"];
        let listed =
            at_index(self.command("ls-files").await?, index).args(args).args(places(paths)?).keep(NAMES).run().await?;
        if listed.cut {
            return Err(Error::Git { command: "add".into(), why: "there are too many changed files".into() });
        }
        let names = listed.bytes.split_inclusive(|byte| *byte == 0);
        // A name that ends in a slash is a repository of its own.
        let names = names.filter(|name| !name.ends_with(b"/\0") && (!is_ours || !self.is_too_large(name)));
        let names: Vec<u8> = names.flatten().copied().collect();
        if names.is_empty() {
            return Ok(());
        }
        let args = ["--add", "--remove", "--replace", "-z", "--stdin"];
        at_index(self.command("update-index").await?, index).args(args).input(names).run().await.map(drop)
    }

    /// Whether a file is larger than those that are edited.
    fn is_too_large(&self, name: &[u8]) -> bool {
        let name = name.strip_suffix(b"\0").unwrap_or(name);
        let path = self.workspace.path().join(std::ffi::OsStr::from_bytes(name));
        path.symlink_metadata().is_ok_and(|file| file.len() > self.workspace.limits().file_bytes)
    }

    /// What a commit would be now: looked at with an index of its own, so that nothing is staged.
    ///
    /// # Errors
    /// [`Error::Git`].
    pub async fn plan_commit(&self, what: &What) -> Result<CommitPlan> {
        let index = self.dir.join("hostel-plan-index");
        let _ = std::fs::remove_file(&index);
        if let Err(error) = std::fs::copy(self.dir.join("index"), &index)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(Error::of("the index", error));
        }
        let name = index.to_string_lossy();
        match what {
            What::All => self.stage(Some(&name), &[]).await?,
            What::Paths(paths) => self.stage(Some(&name), paths).await?,
            What::Staged => {}
        }
        let tree = at_index(self.command("write-tree").await?, Some(&name)).run().await?.line();
        let head = self.commit_id("HEAD").await?;
        let old = match &head {
            Some(head) => head.clone(),
            None => self.command("mktree").await?.input(Vec::new()).run().await?.line(),
        };
        let range = Range::Between(old.clone(), tree.clone());
        let diff = self.diff(&DiffOptions { range, ..DiffOptions::default() }).await?;
        Ok(CommitPlan { head, tree, since: old, diff })
    }

    /// Makes a commit and answers its name. No hook is run and nothing is signed.
    ///
    /// # Errors
    /// [`Error::Git`], also if there is nothing to commit or no message.
    pub async fn commit(&self, message: &str, what: &What) -> Result<String> {
        let prepared = self.prepare_commit(message, what).await?;
        self.finish_commit(&prepared).await?;
        Ok(prepared.commit)
    }

    /// Makes a commit as [`commit`](Self::commit) does, and leaves the branch where it is: [`finish_commit`](Self::finish_commit)
    /// moves it. Whoever writes down what is answered here can tell after a crash whether the commit was made.
    ///
    /// # Errors
    /// As for [`commit`](Self::commit).
    pub async fn prepare_commit(&self, message: &str, what: &What) -> Result<Prepared> {
        let refused = |why: &str| Error::Git { command: "commit".into(), why: why.to_owned() };
        if message.trim().is_empty() {
            return Err(refused("it needs a message"));
        }
        if self.dir.join("MERGE_HEAD").exists() {
            return Err(refused("a merge is under way: end it first"));
        }
        match what {
            What::All => self.add(&[]).await?,
            What::Paths(paths) => self.add(paths).await?,
            What::Staged => {}
        }
        let tree = self.command("write-tree").await?.run().await?.line();
        let head = self.commit_id("HEAD").await?;
        let old = match &head {
            Some(head) => self.command("rev-parse").await?.arg(format!("{head}^{{tree}}")).run().await?.line(),
            None => String::new(),
        };
        if tree == old {
            return Err(refused("there is nothing to commit"));
        }
        let parents = head.iter().flat_map(|head| ["-p", head]);
        let made = self.command("commit-tree").await?.args(parents).args(["--no-gpg-sign", "-F", "-", &tree]);
        let commit = made.input(format!("{}\n", message.trim())).run().await?.line();
        let subject = message.trim().lines().next().unwrap_or_default().to_owned();
        Ok(Prepared { commit, parent: head, subject })
    }

    /// Moves the branch on to a commit that was prepared. Once it is there, this does nothing.
    ///
    /// # Errors
    /// [`Error::Git`], also if the branch is not where it was: what somebody else committed meanwhile is not thrown away.
    pub async fn finish_commit(&self, prepared: &Prepared) -> Result<()> {
        let Prepared { commit, parent, subject } = prepared;
        let was = parent.clone().unwrap_or_else(|| "0".repeat(commit.len()));
        let args = ["-m", &format!("commit: {subject}"), "HEAD", commit, &was];
        let moved = self.command("update-ref").await?.args(args).run().await;
        match moved {
            Err(_) if self.commit_id("HEAD").await?.as_ref() == Some(commit) => Ok(()),
            moved => moved.map(drop),
        }
    }

    /// Whether `commit` is `revision` or one of those before it.
    ///
    /// # Errors
    /// [`Error::Git`], also if one of them is not there.
    pub async fn is_part_of(&self, commit: &str, revision: &str) -> Result<bool> {
        check_revision(commit)?;
        check_revision(revision)?;
        let args = ["--is-ancestor", commit, revision];
        Ok(self.command("merge-base").await?.args(args).may_fail_with(&[1]).run().await?.code == 0)
    }

    /// Puts files and directories back to what the last commit has. New files stay.
    ///
    /// # Errors
    /// [`Error::Git`].
    pub async fn discard(&self, paths: &[String]) -> Result<()> {
        let args = ["--quiet", "--source=HEAD", "--staged", "--worktree", "--"];
        self.command("restore").await?.args(args).args(places(paths)?).run().await.map(drop)
    }

    /// Sends a branch elsewhere.
    ///
    /// # Errors
    /// [`Error::Git`], with what the other side said.
    pub async fn push(&self, push: &Push) -> Result<()> {
        check_name(&push.branch)?;
        let (_, protocols) = self.remote("push", &push.remote, true).await?;
        let mut command = self.command("push").await?.args(["--quiet", "--no-verify", "--no-signed"]);
        command = if push.follow { command.arg("--set-upstream") } else { command };
        command = if push.with_lease { command.arg("--force-with-lease") } else { command };
        let branch = format!("refs/heads/{0}:refs/heads/{0}", push.branch);
        command.args(["--", &push.remote, &branch]).network(protocols).run().await.map(drop)
    }
}
