//! Snapshots: the files of a workspace at a moment, as a git tree outside of all branches.

use super::Repo;
use super::branch::{check_name, check_revision};
use crate::Result;

/// The files of a workspace at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its name, as it was given.
    pub name: String,
    /// The git tree.
    pub tree: String,
    /// The commit the head was at, if there was one.
    pub commit: Option<String>,
}

/// Where they are kept.
const REFS: &str = "refs/hostel/snapshots/";
/// And the commits that the head was at.
const HEADS: &str = "refs/hostel/heads/";

impl Repo {
    /// Keeps the files of the workspace as they are: new ones too, ignored ones not. Branches, the head and what is staged
    /// are not touched. A snapshot of this name is replaced.
    ///
    /// Files of repositories within the workspace are not part of it.
    ///
    /// # Errors
    /// [`Error::Git`](crate::Error::Git).
    pub async fn snapshot(&self, name: &str) -> Result<Snapshot> {
        check_name(name)?;
        let tree = self.tree_now().await?;
        let commit = self.commit_id("HEAD").await?;
        let mut named = format!("update {REFS}{name} {tree}\n");
        match &commit {
            // It may be left behind by its branch, and is kept as long as the snapshot.
            Some(commit) => named.push_str(&format!("update {HEADS}{name} {commit}\n")),
            None => named.push_str(&format!("delete {HEADS}{name}\n")),
        }
        self.command("update-ref").await?.arg("--stdin").input(named).run().await?;
        Ok(Snapshot { name: name.to_owned(), tree, commit })
    }

    /// Puts the files of the workspace back to `tree`, that of a snapshot, and answers the tree that they were before. Files that came
    /// since go; ignored ones stay. Branches, the head and what is staged are not touched.
    ///
    /// # Errors
    /// [`Error::Git`](crate::Error::Git). A crash in the middle leaves some files put back: restoring again goes on.
    pub async fn restore(&self, tree: &str) -> Result<String> {
        check_revision(tree)?;
        let before = self.tree_now().await?;
        self.with_own_index("read-tree").await?.args(["--reset", "-u", tree]).run().await?;
        Ok(before)
    }

    /// The names and trees of all snapshots.
    ///
    /// # Errors
    /// [`Error::Git`](crate::Error::Git).
    pub async fn snapshots(&self) -> Result<Vec<(String, String)>> {
        let output =
            self.command("for-each-ref").await?.args(["--format=%(refname)%00%(objectname)", REFS]).run().await?;
        let pair = |line: &str| {
            let (name, tree) = line.split_once('\0')?;
            Some((name.strip_prefix(REFS)?.to_owned(), tree.to_owned()))
        };
        Ok(output.text().lines().filter_map(pair).collect())
    }

    /// Whether the files of this tree are kept here.
    ///
    /// # Errors
    /// [`Error::Git`](crate::Error::Git).
    pub async fn has(&self, tree: &str) -> Result<bool> {
        check_revision(tree)?;
        let args = ["-e", &format!("{tree}^{{tree}}")];
        Ok(self.command("cat-file").await?.args(args).may_fail_with(&[1, 128]).run().await?.code == 0)
    }

    /// Packs what is kept, and removes what nothing names any more and is two weeks old.
    ///
    /// # Errors
    /// [`Error::Git`](crate::Error::Git).
    pub async fn clean_up(&self) -> Result<()> {
        self.command("gc").await?.arg("--quiet").run().await.map(drop)
    }

    /// Forgets a snapshot. What only it had goes with git's next clean-up.
    ///
    /// # Errors
    /// [`Error::Git`](crate::Error::Git).
    pub async fn forget_snapshot(&self, name: &str) -> Result<()> {
        check_name(name)?;
        let gone = format!("delete {REFS}{name}\ndelete {HEADS}{name}\n");
        self.command("update-ref").await?.arg("--stdin").input(gone).run().await.map(drop)
    }

    /// The tree of all files as they are.
    async fn tree_now(&self) -> Result<String> {
        self.begin_own_index();
        self.stage(Some(&self.own_index()), &[]).await?;
        Ok(self.with_own_index("write-tree").await?.run().await?.line())
    }

    /// A command with an index that is ours: it is kept, so that the next snapshot reads only what changed.
    async fn with_own_index(&self, name: &str) -> Result<super::program::Command<'_>> {
        Ok(self.command(name).await?.env("GIT_INDEX_FILE", self.own_index()))
    }

    /// The first time it begins as the user's own: then only what is changed has to be read.
    fn begin_own_index(&self) {
        let own = self.dir.join("hostel-index");
        if !own.exists() {
            let begun = self.dir.join("hostel-index.begun");
            // Without one, everything is read.
            let _ = std::fs::copy(self.dir.join("index"), &begun).and_then(|_| std::fs::rename(begun, own));
        }
    }

    fn own_index(&self) -> String {
        self.dir.join("hostel-index").to_string_lossy().into_owned()
    }
}
