//! Commits and branches on GitHub.

use hostel::{JsonSchema, Result};
use hostel_chat::{Preview, Tool};
use hostel_github::{GithubError, NewFile};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{Call, refused},
    Of, Paging,
    once::once,
};
use crate::{CoderAgent, github::told};

#[derive(Deserialize, JsonSchema)]
struct List {
    #[serde(flatten)]
    of: Of,
    /// The branch, tag or commit to begin at; the default branch without.
    #[serde(default, alias = "branch")]
    sha: Option<String>,
    /// Only commits that changed this file or directory.
    #[serde(default)]
    path: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Deserialize, JsonSchema)]
struct Branch {
    #[serde(flatten)]
    of: Of,
    /// The new branch.
    branch: String,
    /// The branch to begin at; the default one without.
    #[serde(default, alias = "fromBranch")]
    from_branch: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Push {
    #[serde(flatten)]
    of: Of,
    /// The branch, which is there already.
    branch: String,
    /// The files, each as a whole.
    files: Vec<File>,
    /// The message of the commit.
    message: String,
}

#[derive(Deserialize, JsonSchema)]
struct File {
    /// Where.
    path: String,
    /// What is in it.
    content: String,
}

pub(super) fn reading() -> Vec<Tool<CoderAgent>> {
    let about = "Lists commits of a repository on GitHub, newest first.";
    let list = Tool::new("githubListCommits", about, |cx: Call, list: List| async move {
        let (github, name) = list.of.on(&cx).await?;
        let found = github
            .commits(&name, list.sha.as_deref(), list.path.as_deref(), list.paging.page, list.paging.per_page)
            .await;
        Ok(json!(found.map_err(told)?))
    });
    vec![list.repeatable()]
}

pub(super) fn writing() -> Vec<Tool<CoderAgent>> {
    let branch = Tool::new("githubCreateBranch", "Begins a branch on GitHub, without the workspace.", begun).preview(
        |cx: Call, branch: Branch| async move {
            let name = branch.of.name(&cx)?;
            let from = branch.from_branch.as_deref().unwrap_or("the default branch");
            Ok(Preview::text(format!("Begins the branch {} of {name} at {from}.", branch.branch)))
        },
    );
    let about = "Writes files to a branch on GitHub as one commit, without the workspace.";
    let push = Tool::new("githubPushFiles", about, pushed).preview(|cx: Call, push: Push| async move {
        let name = push.of.name(&cx)?;
        let files: String = push.files.iter().map(|file| format!("\n\n==> {}\n{}", file.path, file.content)).collect();
        Ok(Preview::text(format!("Commits to {} of {name}: {}{files}", push.branch, push.message)))
    });
    [branch, push].map(|tool| tool.ask().resumable()).into()
}

async fn begun(cx: Call, begin: Branch) -> Result<Value> {
    let (github, name) = begin.of.on(&cx).await?;
    let from = match begin.from_branch {
        Some(from) => from,
        None => github.repository(&name).await.map_err(told)?.default_branch,
    };
    let commit = github.branch(&name, &from).await.map_err(told)?;
    let commit = commit.ok_or_else(|| refused(format!("{name} has no branch {from:?}."), "say another from_branch"))?;
    // One that is there already is not ours.
    let was = github.branch(&name, &begin.branch).await.map_err(told)?.is_some();
    let done = |commit: &Value| json!({"branch": begin.branch, "commit": commit});
    let write = async {
        github.create_branch(&name, &begin.branch, &commit).await?;
        Ok(done(&json!(commit)))
    };
    let look = |about: Value| {
        let (github, name, done) = (&github, &name, &done);
        let branch = &begin.branch;
        async move {
            let found = github.branch(name, branch).await?;
            Ok(found.filter(|at| about["was"] == false && about["commit"] == **at).map(|at| done(&json!(at))))
        }
    };
    once(&cx, "", json!({"was": was, "commit": commit}), write, look).await
}

async fn pushed(cx: Call, push: Push) -> Result<Value> {
    let (github, name) = push.of.on(&cx).await?;
    let parent = github.branch(&name, &push.branch).await.map_err(told)?;
    let parent = parent.ok_or_else(|| {
        refused(format!("{name} has no branch {:?}.", push.branch), "begin it with githubCreateBranch")
    })?;
    let files: Vec<NewFile> =
        push.files.into_iter().map(|file| NewFile { path: file.path, text: Some(file.content) }).collect();
    let (branch, message) = (&push.branch, &push.message);
    let done = |commit: &str| json!({"branch": branch, "commit": commit, "files": files.len()});
    let write = async { Ok(done(&github.commit_files(&name, branch, &parent, &files, message, None).await?)) };
    let look = |about: Value| {
        let (github, name, done) = (&github, &name, &done);
        async move {
            // Ours is one of those since the commit that we began with.
            let recent = github.commits(name, Some(branch), None, None, Some(100)).await?.items;
            let since = recent.iter().take_while(|commit| about["parent"] != commit.sha);
            let ours = since.filter(|commit| commit.message.trim() == message.trim()).last();
            Ok::<_, GithubError>(ours.map(|commit| done(&commit.sha)))
        }
    };
    once(&cx, "", json!({"parent": parent}), write, look).await
}
