//! Cloning a repository into the workspace: beside it at first, so that a crash leaves the workspace empty or whole.

use std::{sync::Arc, time::Duration};

use hostel::{JsonSchema, Result};
use hostel_chat::{Preview, Tool};
use hostel_workspace::{Kind, Workspace, git::CloneOptions};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, place, refused, repository, within};
use crate::{
    CoderAgent, github,
    ledger::{self, Found},
    workspaces::{Workspaces, normal_address, said},
};

#[derive(Deserialize, JsonSchema)]
struct Clone {
    /// The address: https://host/path.
    url: String,
    /// Only this branch or tag.
    #[serde(default)]
    branch: Option<String>,
    /// Only so many of the latest commits.
    #[serde(default)]
    depth: Option<u32>,
}

pub(super) fn tool() -> Tool<CoderAgent> {
    let about = "Clones a repository into the workspace, which has to be empty.";
    Tool::new("clone_repository", about, |cx: Call, clone: Clone| async move { cloned(&cx, clone).await })
        .preview(|cx: Call, Clone { url, branch, depth }: Clone| async move {
            cx.env::<Workspaces>()?.check_address(&url)?;
            let url = normal_address(&url).unwrap_or(url);
            let branch = branch.map(|branch| format!(", only {branch}")).unwrap_or_default();
            let depth = depth.map(|depth| format!(", the latest {depth} commits")).unwrap_or_default();
            Ok(Preview::text(format!("Clones {url}{branch}{depth} into the workspace, over the network.")))
        })
        .ask()
        .resumable()
        .timeout(Duration::from_secs(15 * 60))
}

async fn cloned(cx: &Call, Clone { url, branch, depth }: Clone) -> Result<Value> {
    let (url, options) = (&url, &CloneOptions { branch, depth });
    let plan = async {
        let (workspaces, workspace) = place(cx).await?;
        workspaces.check_address(url)?;
        github::git(cx, &workspaces, url).await?.check_address(url).map_err(said)?;
        within(cx, is_empty).await?;
        Ok((json!({"url": url}), (workspaces, workspace)))
    };
    let work = |(workspaces, workspace): (Arc<Workspaces>, Workspace)| async move {
        let beside = workspaces.beside(&workspace).await?;
        let made = github::git(cx, &workspaces, url).await?.clone_into(&beside, url, options).await;
        if let Err(error) = made {
            workspaces.discard(beside).await?;
            return Err(said(error));
        }
        workspaces.put(beside, workspace).await?;
        answer(cx).await
    };
    // The workspace is taken by the clone in one step: it is all there, or nothing is.
    let check = |_| async {
        match within(cx, |workspace| Ok(workspace.kind(".git").is_ok())).await? {
            true => answer(cx).await.map(Found::Done),
            false => Ok(Found::NotDone),
        }
    };
    let made = ledger::planned(cx, "clone", plan, work, check).await?;
    github::talked_about(cx, url)?;
    Ok(made)
}

fn is_empty(workspace: &Workspace) -> Result<()> {
    let taken = std::fs::read_dir(workspace.path())?.next().is_some();
    if taken {
        return Err(refused("The workspace is not empty.", "work with what is there, or delete it first"));
    }
    Ok(())
}

async fn answer(cx: &Call) -> Result<Value> {
    let status = repository(cx).await?.status().await.map_err(said)?;
    let has_instructions = within(cx, |workspace| Ok(matches!(workspace.kind("AGENTS.md"), Ok(Kind::File)))).await?;
    Ok(json!({"branch": status.branch, "commit": status.commit, "hasInstructions": has_instructions}))
}
