//! The project context, by its two tools of old.

use hostel::JsonSchema;
use hostel_chat::Tool;
use serde::Deserialize;

use super::Call;
use crate::{CoderAgent, context::ContextChange};

/// The change as a model makes it: its first life called two fields otherwise.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Change {
    /// Owner of the repository.
    #[serde(default, alias = "owner")]
    repo_owner: Option<String>,
    /// Name of the repository.
    #[serde(default, alias = "repo")]
    repo_name: Option<String>,
    /// The branch.
    #[serde(default)]
    branch: Option<String>,
    /// A path within the repository.
    #[serde(default)]
    path: Option<String>,
}

pub(super) fn tools() -> Vec<Tool<CoderAgent>> {
    vec![set(), get(), repository()]
}

fn set() -> Tool<CoderAgent> {
    let about = "Changes the given fields of the project context; the others stay. An empty text clears one.";
    Tool::new("setProjectContext", about, |cx: Call, change: Change| async move {
        let given = |field: Option<String>| field.map(|text| Some(text).filter(|text| !text.is_empty()));
        let Change { repo_owner, repo_name, branch, path } = change;
        let change = ContextChange {
            repo_owner: given(repo_owner),
            repo_name: given(repo_name),
            branch: given(branch),
            path: given(path),
        };
        cx.update(|me| me.change_context(change))
    })
    .repeatable()
}

fn get() -> Tool<CoderAgent> {
    Tool::new(
        "getProjectContext",
        "The project context.",
        |cx: Call, (): ()| async move { cx.read(CoderAgent::context) },
    )
    .repeatable()
}

#[derive(Deserialize, JsonSchema)]
struct Repository {
    /// Owner of the repository.
    owner: String,
    /// Name of the repository.
    repo: String,
    /// The branch; main without.
    #[serde(default)]
    branch: Option<String>,
}

/// Another of its old names, with the parameters it had then.
fn repository() -> Tool<CoderAgent> {
    let about = "Says which repository and branch people are talking about.";
    Tool::new("setRepositoryContext", about, |cx: Call, Repository { owner, repo, branch }: Repository| async move {
        let change = ContextChange {
            repo_owner: Some(Some(owner)),
            repo_name: Some(Some(repo)),
            branch: Some(Some(branch.unwrap_or_else(|| "main".to_owned()))),
            path: None,
        };
        cx.update(|me| me.change_context(change))
    })
    .repeatable()
}
