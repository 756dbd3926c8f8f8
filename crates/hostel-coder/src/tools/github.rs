//! GitHub, by the tools a model is offered: those of the first life under their names and with their parameters, and what they
//! lacked.

mod commits;
mod files;
mod issues;
mod once;
mod pulls;
mod push;
mod repositories;

use hostel::{Cx, JsonSchema, Result};
use hostel_chat::Tool;
use hostel_github::{Github, RepoName, StateFilter};
use serde::Deserialize;

use super::Call;
use crate::{CoderAgent, github, workspaces::Workspaces};

pub(super) use files::{numbered, search, write};

/// Which repository.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
struct Of {
    /// Owner of the repository; that of the project context without.
    #[serde(default)]
    owner: Option<String>,
    /// The repository; that of the project context without.
    #[serde(default)]
    repo: Option<String>,
}

/// Which part of a long list.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
struct Paging {
    /// Which page, from 1.
    #[serde(default)]
    page: Option<u32>,
    /// How many on one; 30 without, 100 at most.
    #[serde(default, alias = "perPage")]
    per_page: Option<u32>,
}

/// Which of the issues or pull requests of a repository.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
struct Listing {
    #[serde(flatten)]
    of: Of,
    /// open, closed or all; open without.
    #[serde(default)]
    state: StateName,
    #[serde(flatten)]
    paging: Paging,
}

/// The states that are asked for.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum StateName {
    #[default]
    Open,
    Closed,
    All,
}

impl From<StateName> for StateFilter {
    fn from(name: StateName) -> Self {
        match name {
            StateName::Open => Self::Open,
            StateName::Closed => Self::Closed,
            StateName::All => Self::All,
        }
    }
}

impl Of {
    fn name(&self, cx: &Call) -> Result<RepoName> {
        github::meant(cx, self.owner.as_deref(), self.repo.as_deref())
    }

    /// GitHub, and the repository.
    async fn on(&self, cx: &Call) -> Result<(Github, RepoName)> {
        Ok((github::github(cx).await?, self.name(cx)?))
    }
}

/// What can be used here: what reads always, what needs a token if there is one for whoever asked.
pub(super) fn tools(cx: &Cx<CoderAgent>, workspaces: &Workspaces) -> Vec<Tool<CoderAgent>> {
    let mut tools =
        [repositories::reading(), files::reading(), issues::reading(), pulls::reading(), commits::reading()].concat();
    tools.extend(push::reading());
    if workspaces.on_github().has_token(cx) {
        for more in [repositories::writing(), files::writing(), issues::writing(), pulls::writing(), commits::writing()]
        {
            tools.extend(more);
        }
        tools.extend(push::writing());
    }
    tools
}
