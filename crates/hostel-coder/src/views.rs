//! What front ends see of a workspace: its files, how its repository stands, what differs. They look, and change nothing: a
//! connection that may only read may ask for all of it, and no workspace is made because somebody looks.

mod changes;
mod files;
mod found;

use hostel::{Code, Cx, Error, Result};
use hostel_workspace::{Workspace, git::Repo};

pub(crate) use self::{
    changes::{DiffView, StatusView, WhatDiff, diff, status},
    files::{FileView, FilesView, WhichLines, list, read},
    found::{FoundView, WhatFind, search},
};
use crate::{CoderAgent, workspaces::Workspaces};

/// Looks at the workspace beside everything else; `None` if nothing was ever put there.
async fn look<T, F>(cx: &Cx<CoderAgent>, look: F) -> Result<Option<T>>
where
    T: Send + 'static,
    F: FnOnce(&Workspace) -> hostel_workspace::Result<T> + Send + 'static,
{
    let (workspaces, id) = (offered(cx)?, cx.id().clone());
    let looked = tokio::task::spawn_blocking(move || workspaces.existing(&id).map(|there| look(&there))).await?;
    looked.transpose().map_err(told)
}

/// The repository in the workspace, if there is one.
async fn repository(cx: &Cx<CoderAgent>) -> Result<Option<Repo>> {
    let (workspaces, above) = (offered(cx)?, cx.parent_id());
    let open = move |workspace: &Workspace| match workspace.kind(".git") {
        Err(hostel_workspace::Error::NotFound { .. }) => Ok(None),
        _ => workspaces.repository(workspace, above.as_ref()).map(Some),
    };
    Ok(look(cx, open).await?.flatten())
}

fn offered(cx: &Cx<CoderAgent>) -> Result<std::sync::Arc<Workspaces>> {
    let none = |_| {
        Error::coded(Code::NoWorkspace, "Agents have no workspaces here.")
            .with_fix("share `Workspaces` with them by `App::env`; docs/coder.md has an example")
    };
    cx.env::<Workspaces>().map_err(none)
}

/// What a workspace refuses, as front ends are told.
#[allow(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
fn told(error: hostel_workspace::Error) -> Error {
    use hostel_workspace::Error as E;
    let (code, fix) = match &error {
        E::NotFound { .. } => (Code::FileUnknown, "list the directory to see what is there"),
        E::Outside { .. } => (Code::OutsideWorkspace, "give a path relative to the workspace, without `..`"),
        E::Git { .. } | E::GitTimeout { .. } => (Code::GitFailed, "what git said tells why"),
        E::Kept { .. } => (Code::WorkspaceRefused, "getPolicy shows the rules, and setPolicy changes them"),
        _ => (Code::WorkspaceRefused, "the sentence says what it can be used for"),
    };
    let text = error.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    Error::coded(code, format!("{first}{}.", letters.as_str())).with_fix(fix)
}
