//! What the model may do besides talking.

pub(crate) mod by_hand;
mod change;
mod clone;
mod commit;
mod context;
mod delegate;
mod edit;
mod find;
mod github;
mod history;
mod moving;
mod notes;
mod old;
mod plan;
mod preview;
pub(crate) mod project_mcp;
mod read;
pub(crate) mod run;
mod runs;
mod tasks;

use std::sync::Arc;

use hostel::{Cx, Error, Result};
use hostel_chat::{Tool, ToolCx};
use hostel_workspace::{Workspace, git::Repo};

use crate::{
    CoderAgent, Mode,
    beside::beside,
    hands, policy, shell,
    workspaces::{Workspaces, said},
};

pub(crate) type Call = ToolCx<CoderAgent>;

/// The tools that are offered here: those of the context always, those of the workspace if the application has a place for
/// one, and commands if they can be sandboxed.
pub(crate) fn offered(me: &CoderAgent, cx: &Cx<CoderAgent>) -> Vec<Tool<CoderAgent>> {
    let mut tools = context::tools();
    tools.extend([plan::tools(), notes::tools(), tasks::tools(), runs::tools(me)].into_iter().flatten());
    let Ok(workspaces) = cx.env::<Workspaces>() else { return tools };
    for more in [read::tools(), find::tools(), history::tools(), edit::tools(), moving::tools(), commit::tools()] {
        tools.extend(more);
    }
    tools.push(clone::tool());
    tools.extend(delegate::tools(cx));
    tools.extend(project_mcp::tools(cx));
    tools.extend(by_hand::tools());
    tools.extend(old::tools());
    tools.extend(github::tools(cx, &workspaces));
    let elsewhere = hands::is_chosen(cx);
    if elsewhere || workspaces.no_commands().is_none() {
        tools.extend(run::tools(elsewhere));
        tools.extend(shell::tools::tools(elsewhere));
    }
    if workspaces.offers_old_tools() {
        tools = tools.into_iter().map(Tool::listed).collect();
    }
    if matches!(policy::mode(cx), Ok(Mode::Plan)) {
        tools.retain(|tool| !tool.may_ask());
    }
    tools
}

/// Does what blocks, in the agent's workspace, beside everything else. If the turn is stopped, what was begun is still done.
pub(crate) async fn within<T, F>(cx: &Call, work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce(&Workspace) -> Result<T> + Send + 'static,
{
    let (workspaces, id) = (cx.env::<Workspaces>()?, cx.id().clone());
    beside(move || work(&workspaces.open(&id)?)).await
}

/// The places of agents, and the workspace of this one.
pub(crate) async fn place(cx: &Call) -> Result<(Arc<Workspaces>, Workspace)> {
    Ok((cx.env::<Workspaces>()?, within(cx, |workspace| Ok(workspace.clone())).await?))
}

/// The repository in the workspace.
pub(crate) async fn repository(cx: &Call) -> Result<Repo> {
    let (workspaces, above) = (cx.env::<Workspaces>()?, cx.parent_id());
    within(cx, move |workspace| workspaces.repository(workspace, above.as_ref()).map_err(said)).await
}

/// An answer, and whether there is more than it tells.
fn with_more(text: String, more: bool, nothing: &str) -> String {
    let text = if text.is_empty() { nothing.to_owned() } else { text };
    cut_short(text, more)
}

/// A text that says so if there is more than it shows: to the model, and to whoever is asked.
pub(crate) fn cut_short(mut text: String, more: bool) -> String {
    if more {
        text.push_str("\n(there is more than is shown: ask for less at once)");
    }
    text
}

/// For what cannot be done as it was asked for.
pub(crate) fn refused(why: impl std::fmt::Display, fix: impl Into<String>) -> Error {
    Error::msg(why).with_fix(fix)
}
