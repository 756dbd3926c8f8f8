//! The tools under the names and with the parameters they once had. They work in the workspace first, and on GitHub where another
//! repository is meant or the workspace does not have it.

use hostel::{JsonSchema, Result};
use hostel_chat::{Preview, Tool};
use hostel_github::RepoName;
use hostel_workspace::{Error, Lines, Pattern, SearchOptions, Workspace};
use serde::Deserialize;

use super::{Call, change::change, commit, find, github, preview, read, refused, repository};
use crate::{CoderAgent, github::meant, workspaces::said};

#[derive(Deserialize, JsonSchema)]
struct GetFile {
    /// The file.
    path: String,
    /// Owner of the repository, if it is not the one of the project context.
    #[serde(default)]
    owner: Option<String>,
    /// The repository, if it is not the one of the project context.
    #[serde(default)]
    repo: Option<String>,
    /// A branch, tag or commit; the file as it is now without.
    #[serde(default, rename = "ref", alias = "branch")]
    at: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct SearchCode {
    /// The text to look for.
    query: String,
    /// Owner of the repository, if it is not the one of the project context.
    #[serde(default)]
    owner: Option<String>,
    /// The repository, if it is not the one of the project context.
    #[serde(default)]
    repo: Option<String>,
    /// The directory to look in.
    #[serde(default)]
    path: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CreateFile {
    /// The file. Nothing may be there yet.
    path: String,
    /// What is in it.
    content: String,
    /// Owner of the repository, if it is not the one of the project context.
    #[serde(default)]
    owner: Option<String>,
    /// The repository, if it is not the one of the project context.
    #[serde(default)]
    repo: Option<String>,
    /// With it, the file is committed.
    #[serde(default)]
    commit_message: Option<String>,
    /// The branch, which has to be the present one.
    #[serde(default)]
    branch: Option<String>,
}

pub(super) fn tools() -> Vec<Tool<CoderAgent>> {
    let about = "Reads a file of the workspace, or of a commit of it; of the repository on GitHub if it is not there, or another is said.";
    let get = Tool::new("getFileContents", about, |cx: Call, get: GetFile| async move { gotten(&cx, get).await });
    let old = Tool::new("get_file_contents", "The same as getFileContents.", |cx: Call, get: GetFile| async move {
        gotten(&cx, get).await
    });
    let about = "Searches the files of the workspace for a text, or another repository on GitHub.";
    let search = Tool::new("searchCode", about, |cx: Call, search: SearchCode| async move {
        let path = search.path.unwrap_or_default();
        if let Some(name) = elsewhere(&cx, search.owner.as_deref(), search.repo.as_deref())? {
            return github::search(&cx, &name, &search.query, Some(&path)).await;
        }
        find::found(&cx, "searchCode", Pattern::Text(search.query), SearchOptions { path, ..SearchOptions::default() })
            .await
    });
    let about = "Makes a new file in the workspace, and commits it if there is a message; on GitHub if another repository is said.";
    let create =
        Tool::new("createFile", about, |cx: Call, create: CreateFile| async move { created(&cx, create).await });
    let create = create.preview(|cx: Call, create: CreateFile| async move { shown(&cx, create).await });
    vec![get.repeatable(), old.repeatable().unlisted(), search.repeatable(), create.ask().resumable()]
}

/// The repository on GitHub that is meant, if it is another than the one that people are talking about, which is in the workspace.
fn elsewhere(cx: &Call, owner: Option<&str>, repo: Option<&str>) -> Result<Option<RepoName>> {
    if owner.is_none() && repo.is_none() {
        return Ok(None);
    }
    let name = meant(cx, owner, repo)?;
    let here = meant(cx, None, None).ok();
    Ok(if here.is_some_and(|here| here.is(&name)) { None } else { Some(name) })
}

async fn gotten(cx: &Call, get: GetFile) -> Result<String> {
    if let Some(name) = elsewhere(cx, get.owner.as_deref(), get.repo.as_deref())? {
        return github::numbered(cx, &name, &get.path, get.at.as_deref()).await;
    }
    let path = get.path.clone();
    let here = match &get.at {
        Some(at) => match repository(cx).await {
            Ok(repo) => repo.show(at, &path).await.map_err(said),
            Err(error) => Err(error),
        },
        None => read::numbered(cx, path, Lines::default()).await,
    };
    // What the workspace does not have, the repository may have.
    let Err(error) = here else { return here };
    let Ok(name) = meant(cx, None, None) else { return Err(error) };
    let context = cx.read(|me| me.context().branch)?;
    let there = github::numbered(cx, &name, &get.path, get.at.or(context).as_deref()).await;
    there.map_err(|_| error)
}

async fn shown(cx: &Call, create: CreateFile) -> Result<Preview> {
    if let Some(name) = elsewhere(cx, create.owner.as_deref(), create.repo.as_deref())? {
        let branch = create.branch.as_deref().unwrap_or("the default branch");
        return Ok(Preview::text(format!(
            "Commits {} to {branch} of {name}, on GitHub:\n\n{}",
            create.path, create.content
        )));
    }
    let shown = preview::of_change(cx, move |workspace| workspace.plan_write(&create.path, &create.content)).await?;
    Ok(match create.commit_message {
        Some(message) => shown.with_text(format!("Committed alone, as: {message}")),
        None => shown,
    })
}

async fn created(cx: &Call, create: CreateFile) -> Result<serde_json::Value> {
    let CreateFile { path, content, owner, repo, commit_message, branch } = create;
    if let Some(name) = elsewhere(cx, owner.as_deref(), repo.as_deref())? {
        let message = commit_message.unwrap_or_else(|| format!("Add {path}"));
        return github::write(cx, &name, &path, &content, &message, branch.as_deref()).await;
    }
    if let Some(branch) = branch {
        let present = repository(cx).await?.status().await.map_err(said)?.branch;
        if present.as_deref() != Some(&branch) {
            return Err(refused(format!("The workspace is not on {branch:?}."), "switch with git_branch first"));
        }
    }
    let name = path.clone();
    let plan = move |workspace: &Workspace| match workspace.kind(&name) {
        Ok(_) => Err(Error::Exists { path: name }),
        Err(_) => workspace.plan_write(&name, &content),
    };
    let mut changed = change(cx, plan).await?;
    if let Some(message) = commit_message {
        let commit = commit::committed(cx, &message, vec![path], false).await?;
        changed["commit"] = commit["commit"].clone();
    }
    Ok(changed)
}
