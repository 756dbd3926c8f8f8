//! The workspace's branch and its remote: pushed, fetched, pulled, in the name of whoever asked.

use std::time::Duration;

use hostel::{JsonSchema, Result};
use hostel_chat::{Preview, Tool};
use hostel_workspace::git::{Push, Repo, Status};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{Call, place, refused};
use crate::{
    CoderAgent, github,
    ledger::{self, Found},
    workspaces::said,
};

#[derive(Deserialize, JsonSchema)]
struct Out {
    /// The remote; origin without.
    #[serde(default)]
    remote: Option<String>,
    /// The branch; the present one without.
    #[serde(default)]
    branch: Option<String>,
    /// Whether commits there may be thrown away, if nobody has pushed others since they were fetched.
    #[serde(default)]
    force: bool,
}

#[derive(Deserialize, JsonSchema)]
struct In {
    /// The remote; origin without.
    #[serde(default)]
    remote: Option<String>,
}

/// How long it may take: git has ten minutes.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

pub(super) fn reading() -> Vec<Tool<CoderAgent>> {
    let about = "Gets what is new at the remote. Branches and files of the workspace stay as they are.";
    let fetch = Tool::new("git_fetch", about, |cx: Call, from: In| async move { fetched(&cx, from).await });
    let about =
        "Gets what is new at the remote and moves the present branch forward to it, if it has no commits of its own.";
    let pull = Tool::new("git_pull", about, |cx: Call, from: In| async move { pulled(&cx, from).await });
    vec![fetch.repeatable().timeout(PATIENCE), pull.ask().resumable().timeout(PATIENCE)]
}

pub(super) fn writing() -> Vec<Tool<CoderAgent>> {
    let about = "Pushes a branch of the workspace to its remote.";
    let push = Tool::new("git_push", about, |cx: Call, out: Out| async move { pushed(&cx, out).await });
    let shown = push.preview(|cx: Call, out: Out| async move { shown(&cx, out).await });
    vec![shown.ask().resumable().timeout(PATIENCE)]
}

/// A push that is ready to be made.
struct Ready {
    repo: Repo,
    url: String,
    push: Push,
    commit: String,
}

async fn ready(cx: &Call, out: Out) -> Result<Ready> {
    let remote = out.remote.unwrap_or_else(|| "origin".to_owned());
    let (repo, url) = remote_of(cx, &remote, true).await?;
    let branch = match out.branch {
        Some(branch) => branch,
        None => present(&repo).await?.0,
    };
    let commit = repo.commit_id(&format!("refs/heads/{branch}")).await.map_err(said)?;
    let commit = commit
        .ok_or_else(|| refused(format!("There is no branch {branch:?} with a commit."), "commit something first"))?;
    let push = Push { remote, branch, follow: true, with_lease: out.force };
    Ok(Ready { repo, url, push, commit })
}

/// The present branch, and how it stands.
async fn present(repo: &Repo) -> Result<(String, Status)> {
    let status = repo.status().await.map_err(said)?;
    match status.branch.clone() {
        Some(branch) => Ok((branch, status)),
        None => Err(refused("The workspace is on no branch.", "begin one with git_branch")),
    }
}

/// The repository, asking the remote in the name of whoever asked, and the remote's address.
async fn remote_of(cx: &Call, remote: &str, changes: bool) -> Result<(Repo, String)> {
    let (workspaces, workspace) = place(cx).await?;
    let repo = workspaces.runs_git().open(&workspace).map_err(said)?;
    let url = match repo.remote_url(remote).await.map_err(said)? {
        Some(url) => url,
        None if remote == "origin" => begun(cx, &repo).await?,
        None => return Err(refused(format!("There is no remote {remote:?}."), "leave remote out")),
    };
    if changes && !url.contains("://") || url.starts_with("file:") {
        return Err(refused(
            "The remote is a directory of the server's machine: nothing is pushed there.",
            "push elsewhere",
        ));
    }
    workspaces.check_address(&url)?;
    let git = github::git(cx, &workspaces, &url).await?;
    Ok((git.open(&workspace).map_err(said)?, url))
}

/// Makes the repository of the project context the remote of a workspace that has none.
async fn begun(cx: &Call, repo: &Repo) -> Result<String> {
    let name = github::meant(cx, None, None).map_err(|_| {
        let fix = "set the project context to a repository on GitHub, which becomes the remote";
        refused("The workspace has no remote.", fix)
    })?;
    let url = github::github(cx).await?.clone_url(&name);
    let git = github::git(cx, &*cx.env::<crate::Workspaces>()?, &url).await?;
    git.open(repo.workspace()).map_err(said)?.add_remote("origin", &url).await.map_err(said)?;
    Ok(url)
}

async fn shown(cx: &Call, out: Out) -> Result<Preview> {
    let Ready { repo, url, push, commit } = ready(cx, out).await?;
    let there = format!("refs/remotes/{}/{}", push.remote, push.branch);
    let count = repo.count_between(&there, &commit).await.map_err(said)?;
    let what = match count {
        None => "a branch that is new there, as far as is known".to_owned(),
        Some(0) => "no new commits, as far as is known".to_owned(),
        Some(1) => "1 commit".to_owned(),
        Some(count) => format!("{count} commits"),
    };
    let log = repo.log(Some(&commit), count.unwrap_or(10).min(20), &[]).await.map_err(said)?;
    let lines: String = log.iter().map(|commit| format!("\n{:.12} {}", commit.id, commit.subject)).collect();
    let force = if push.with_lease { " What is there and was fetched may be thrown away." } else { "" };
    let text = format!("Pushes {} to {url}: {what}.{force}{lines}", push.branch);
    Ok(Preview::text(text).with_fingerprint(format!("{url} {} {commit} {}", push.branch, push.with_lease)))
}

async fn pushed(cx: &Call, out: Out) -> Result<Value> {
    let Ready { repo, url, push, commit } = ready(cx, out).await?;
    if !ledger::has(cx, "")? {
        cx.check_preview(&format!("{url} {} {commit} {}", push.branch, push.with_lease))?;
    }
    let done = json!({"remote": push.remote, "branch": push.branch, "commit": commit, "url": url});
    let (repo, push, done) = (&repo, &push, &done);
    let plan = async { Ok((json!({"commit": commit}), ())) };
    let work = |()| async move {
        repo.push(push).await.map_err(said)?;
        Ok(done.clone())
    };
    // Where the branch is there tells it; pushing what is there already would change nothing.
    let check = |about: Value| async move {
        let there = repo.remote_branch(&push.remote, &push.branch).await.map_err(said)?;
        if !there.is_some_and(|at| about["commit"] == at) {
            return Ok(Found::NotDone);
        }
        // Git may not have come to noting it here. That is a convenience; the push is made in any case.
        let _ = repo.follow(&push.remote, &push.branch).await;
        Ok(Found::Done(done.clone()))
    };
    ledger::planned(cx, "", plan, work, check).await
}

async fn fetched(cx: &Call, from: In) -> Result<Value> {
    let remote = from.remote.unwrap_or_else(|| "origin".to_owned());
    let (repo, url) = remote_of(cx, &remote, false).await?;
    repo.fetch(&remote).await.map_err(said)?;
    let status = repo.status().await.map_err(said)?;
    Ok(
        json!({"url": url, "branch": status.branch, "upstream": status.upstream, "ahead": status.ahead, "behind": status.behind}),
    )
}

async fn pulled(cx: &Call, from: In) -> Result<Value> {
    let remote = from.remote.unwrap_or_else(|| "origin".to_owned());
    let (repo, _) = remote_of(cx, &remote, false).await?;
    repo.fetch(&remote).await.map_err(said)?;
    let (branch, status) = present(&repo).await?;
    let to = status.upstream.unwrap_or_else(|| format!("{remote}/{branch}"));
    repo.forward(&to).await.map_err(said)?;
    Ok(
        json!({"branch": branch, "from": to, "commits": status.behind, "commit": repo.commit_id("HEAD").await.map_err(said)?}),
    )
}
