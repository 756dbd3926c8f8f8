//! Taking the files of a workspace, and putting them back.

use hostel::{Cx, Error, Result};
use hostel_workspace::{
    Workspace,
    git::{DiffOptions, Head, Range, Repo},
};

use super::Taken;
use crate::{
    CoderAgent,
    beside::beside,
    kept_back::KeptBack,
    workspaces::{Workspaces, said},
};

/// The agent's workspace, unless it is too large.
pub(super) async fn sized(cx: &Cx<CoderAgent>) -> Result<Workspace> {
    let (workspaces, id) = (cx.env::<Workspaces>()?, cx.id().clone());
    beside(move || {
        let workspace = workspaces.open(&id)?;
        workspace.check_size().map_err(said)?;
        Ok(workspace)
    })
    .await
}

/// Keeps the files as they are under `name`: in the workspace's own repository, or in that beside it if there is none that can.
pub(crate) async fn take(workspaces: &Workspaces, workspace: &Workspace, name: &str) -> Result<Taken> {
    if let Ok(repo) = workspaces.runs_git().open(workspace)
        && let Ok(taken) = taken(&repo, name, true).await
    {
        return Ok(taken);
    }
    taken(&aside(workspaces, workspace).await?, name, false).await
}

async fn aside(workspaces: &Workspaces, workspace: &Workspace) -> Result<Repo> {
    workspaces.runs_git().shadow(workspace, &Workspaces::side(workspace.path())).await.map_err(said)
}

async fn taken(repo: &Repo, name: &str, is_own: bool) -> Result<Taken> {
    let tree = repo.snapshot(name).await.map_err(said)?.tree;
    let head = if is_own { repo.head().await.map_err(said)? } else { Head::default() };
    Ok(Taken { name: name.to_owned(), is_own, tree, branch: head.branch, commit: head.commit })
}

/// Puts the files back to what was taken, and the head of the repository to where it was. Done again, it comes to the same.
pub(crate) async fn put_back(workspaces: &Workspaces, workspace: &Workspace, taken: &Taken) -> Result<()> {
    let (place, is_own) = (workspace.clone(), taken.is_own);
    beside(move || if is_own { Workspaces::bring_git_back(&place) } else { Workspaces::put_git_aside(&place) }).await?;
    let repo = keeper(workspaces, workspace, taken).await?;
    // A command that was stopped may have been in it.
    repo.doubt();
    if !repo.has(&taken.tree).await.map_err(said)? {
        return Err(Error::msg("The files of that moment are not kept any more.")
            .with_fix("put back the conversation alone, with files: false"));
    }
    repo.restore(&taken.tree).await.map_err(said)?;
    if is_own {
        let head = Head { branch: taken.branch.clone(), commit: taken.commit.clone() };
        repo.put_head(&head).await.map_err(said)?;
    }
    Ok(())
}

/// The repository that keeps what was taken.
async fn keeper(workspaces: &Workspaces, workspace: &Workspace, taken: &Taken) -> Result<Repo> {
    match taken.is_own {
        true => workspaces.runs_git().open(workspace).map_err(said),
        false => aside(workspaces, workspace).await,
    }
}

/// What would become different on the way from one to the other; nothing if they are kept apart.
pub(crate) async fn difference(
    workspaces: &Workspaces,
    workspace: &Workspace,
    from: &Taken,
    to: &Taken,
    kept: &KeptBack,
) -> Result<Option<String>> {
    if from.is_own != to.is_own {
        return Ok(None);
    }
    let range = Range::Between(from.tree.clone(), to.tree.clone());
    let options = DiffOptions { range, ..DiffOptions::default() };
    let shown = kept.diff(&keeper(workspaces, workspace, to).await?, &options).await.map_err(said)?;
    Ok(Some(shown.with_note("")))
}

/// Forgets what was taken.
pub(crate) async fn forget(workspaces: &Workspaces, workspace: &Workspace, taken: &Taken) -> Result<()> {
    let repo = match taken.is_own {
        true => workspaces.runs_git().open(workspace).map_err(said),
        false => aside(workspaces, workspace).await,
    };
    match repo {
        Ok(repo) => repo.forget_snapshot(&taken.name).await.map_err(said),
        // It went with its repository.
        Err(_) => Ok(()),
    }
}

/// Has git pack what it keeps, beside everything else.
pub(super) fn pack(cx: &Cx<CoderAgent>, workspace: &Workspace) {
    let (cx, workspace) = (cx.clone(), workspace.clone());
    cx.clone().spawn(async move {
        let Ok(workspaces) = cx.env::<Workspaces>() else { return };
        let repo = match workspaces.runs_git().open(&workspace) {
            Ok(repo) => Ok(repo),
            Err(_) => aside(&workspaces, &workspace).await,
        };
        let Ok(repo) = repo else { return };
        if let Err(error) = repo.clean_up().await {
            tracing::debug!(agent = %cx.id(), %error, "git does not pack what it keeps");
        }
    });
}
