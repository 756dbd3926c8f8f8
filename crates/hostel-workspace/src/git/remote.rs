//! Repositories elsewhere: where they are, what they have, and in whose name they are asked.

use std::sync::Arc;

use super::branch::{check_name, check_revision};
use super::{Credential, Git, Repo, Transport};
use crate::Result;

impl Git {
    /// The same git, which shows these credentials as well and may use these transports as well.
    #[must_use]
    pub fn with_credentials(&self, credentials: &[Credential], transports: &[Transport]) -> Self {
        let mut options = (*self.options).clone();
        options.credentials.extend_from_slice(credentials);
        options.transports.extend(transports.iter().filter(|own| !self.options.transports.contains(own)));
        Self { options: Arc::new(options), calm: Arc::clone(&self.calm) }
    }
}

impl Repo {
    /// The address that a remote is pushed to; nothing if there is no such remote.
    ///
    /// # Errors
    /// [`Error::Git`](crate::Error::Git).
    pub async fn remote_url(&self, remote: &str) -> Result<Option<String>> {
        check_name(remote)?;
        let asked = self.command("remote").await?.args(["get-url", "--push", "--", remote]);
        let output = asked.may_fail_with(&[2, 128]).run().await?;
        Ok((output.code == 0).then(|| output.line()).filter(|url| !url.is_empty()))
    }

    /// Gives a repository elsewhere a name here.
    ///
    /// # Errors
    /// [`Error::Git`](crate::Error::Git), if the name is taken or the address is not allowed.
    pub async fn add_remote(&self, remote: &str, url: &str) -> Result<()> {
        check_name(remote)?;
        let (address, _) = self.git.address("remote", url)?;
        self.command("remote").await?.args(["add", "--", remote, &address]).run().await.map(drop)
    }

    /// The commit that a branch is at elsewhere, now; nothing if there is no such branch.
    ///
    /// # Errors
    /// [`Error::Git`](crate::Error::Git).
    pub async fn remote_branch(&self, remote: &str, branch: &str) -> Result<Option<String>> {
        check_name(branch)?;
        let (_, protocols) = self.remote("ls-remote", remote, true).await?;
        let name = format!("refs/heads/{branch}");
        let asked = self.command("ls-remote").await?.args(["--quiet", "--", remote, &name]);
        let output = asked.network(protocols).run().await?.text();
        let found = output.lines().filter_map(|line| line.split_once('\t')).find(|(_, own)| *own == name);
        Ok(found.map(|(commit, _)| commit.to_owned()))
    }

    /// Notes that a branch is elsewhere under the same name, as a push that `follow`s does: for one that arrived there, and whose
    /// end was not seen. Nothing is sent.
    ///
    /// # Errors
    /// [`Error::Git`](crate::Error::Git), if it is not there.
    pub async fn follow(&self, remote: &str, branch: &str) -> Result<()> {
        check_name(branch)?;
        self.fetch(remote).await?;
        let upstream = format!("--set-upstream-to={remote}/{branch}");
        self.command("branch").await?.args(["--quiet", &upstream, "--", branch]).run().await.map(drop)
    }

    /// Moves the present branch and the work tree forward to `revision`, if nothing of their own stands between.
    ///
    /// # Errors
    /// [`Error::Git`](crate::Error::Git), if the branch has commits of its own, or changes in the work tree are in the way.
    pub async fn forward(&self, revision: &str) -> Result<()> {
        check_revision(revision)?;
        let args =
            ["--quiet", "--ff-only", "--no-verify", "--no-stat", "--no-verify-signatures", "--no-autostash", revision];
        self.command("merge").await?.args(args).run().await.map(drop)
    }

    /// How many commits `to` has that `from` has not; nothing if one of them is not there.
    ///
    /// # Errors
    /// [`Error::Git`](crate::Error::Git).
    pub async fn count_between(&self, from: &str, to: &str) -> Result<Option<usize>> {
        check_revision(from)?;
        check_revision(to)?;
        let asked = self.command("rev-list").await?.args(["--count", &format!("{from}..{to}"), "--"]);
        let output = asked.may_fail_with(&[128]).run().await?;
        Ok(output.line().parse().ok().filter(|_| output.code == 0))
    }
}
