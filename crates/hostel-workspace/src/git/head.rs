//! Where the head of a work tree is, and putting it elsewhere without touching a file.

use super::Repo;
use super::branch::{check_name, check_revision};
use crate::Result;

/// Where the head is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// The branch; nothing if it is at a commit of its own.
    pub branch: Option<String>,
    /// The commit; nothing before the first.
    pub commit: Option<String>,
}

impl Repo {
    /// Where the head is.
    ///
    /// # Errors
    /// [`Error::Git`](crate::Error::Git).
    pub async fn head(&self) -> Result<Head> {
        let args = ["--quiet", "--short", "HEAD"];
        let output = self.command("symbolic-ref").await?.args(args).may_fail_with(&[1]).run().await?;
        let branch = (output.code == 0).then(|| output.line());
        Ok(Head { branch, commit: self.commit_id("HEAD").await? })
    }

    /// Puts the head, and the branch it is to be on, back to where they were. No file is touched; what is staged is forgotten if the
    /// commit is another one. Other branches stay.
    ///
    /// # Errors
    /// [`Error::Git`](crate::Error::Git), also if the commit is not there any more.
    pub async fn put_head(&self, head: &Head) -> Result<()> {
        let now = self.head().await?;
        if now == *head {
            return Ok(());
        }
        let why = ["-m", "hostel: put back"];
        if let Some(commit) = &head.commit {
            check_revision(commit)?;
        }
        match (&head.branch, &head.commit) {
            (Some(branch), commit) => {
                check_name(branch)?;
                let name = format!("refs/heads/{branch}");
                let put = self.command("update-ref").await?.args(why);
                match commit {
                    Some(commit) => put.args([&name, commit]).run().await?,
                    None => put.args(["-d", &name]).run().await?,
                };
                self.command("symbolic-ref").await?.args(why).args(["HEAD", &name]).run().await?;
            }
            (None, Some(commit)) => {
                let put = self.command("update-ref").await?.args(why);
                put.args(["--no-deref", "HEAD", commit]).run().await?;
            }
            (None, None) => {}
        }
        if now.commit != head.commit {
            self.forget_staged(head).await?;
        }
        Ok(())
    }

    async fn forget_staged(&self, head: &Head) -> Result<()> {
        let tree = head.commit.as_deref().unwrap_or("--empty");
        self.command("read-tree").await?.arg(tree).run().await?;
        let refresh = self.command("update-index").await?.args(["-q", "--refresh"]);
        refresh.may_fail_with(&[1]).run().await.map(drop)
    }
}
