//! Repositories.

use hostel::JsonSchema;
use hostel_chat::{Preview, Tool};
use hostel_github::{NewRepository, RepoName};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{super::Call, Of, once::once};
use crate::{
    CoderAgent,
    github::{github, told},
};

#[derive(Deserialize, JsonSchema)]
struct Make {
    /// Its name, without the owner.
    name: String,
    /// What it is.
    #[serde(default)]
    description: Option<String>,
    /// Whether only those with access see it.
    #[serde(default)]
    private: bool,
    /// Whether it begins with a README.
    #[serde(default, alias = "autoInit")]
    auto_init: bool,
    /// The organisation it is for; one's own without.
    #[serde(default, alias = "org")]
    organization: Option<String>,
}

pub(super) fn reading() -> Vec<Tool<CoderAgent>> {
    let about = "Tells about a repository on GitHub: what it is, its default branch, where it is cloned from.";
    let info = Tool::new("getRepositoryInfo", about, |cx: Call, of: Of| async move {
        let (github, name) = of.on(&cx).await?;
        Ok(serde_json::to_value(github.repository(&name).await.map_err(told)?)?)
    });
    vec![info.repeatable()]
}

pub(super) fn writing() -> Vec<Tool<CoderAgent>> {
    let make =
        Tool::new("githubCreateRepository", "Makes a repository on GitHub.", |cx: Call, make: Make| async move {
            made(&cx, make).await
        });
    let shown = make.preview(|_cx: Call, make: Make| async move {
        let kind = if make.private { "private" } else { "PUBLIC" };
        let owner = make.organization.as_deref().unwrap_or("the account of the token");
        Ok(Preview::text(format!("Makes the {kind} repository {} on GitHub, of {owner}.", make.name)))
    });
    vec![shown.ask().resumable()]
}

async fn made(cx: &Call, make: Make) -> hostel::Result<Value> {
    let github = github(cx).await?;
    let owner = match &make.organization {
        Some(org) => org.clone(),
        None => github.user().await.map_err(told)?.login,
    };
    let name = RepoName::new(owner, &make.name).map_err(told)?;
    // One that is there already is not ours.
    let was = github.repository(&name).await.is_ok();
    let new = NewRepository {
        name: make.name,
        org: make.organization,
        description: make.description,
        private: make.private,
        auto_init: make.auto_init,
    };
    let write = async { Ok(json!(github.create_repository(&new).await?)) };
    let look = |about: Value| {
        let (github, name) = (github.clone(), name.clone());
        async move {
            match github.repository(&name).await {
                Ok(found) if about["was"] == false => Ok(Some(json!(found))),
                Ok(_) => Ok(None),
                Err(error) if error.is_not_found() => Ok(None),
                Err(error) => Err(error),
            }
        }
    };
    once(cx, "", json!({"was": was}), write, look).await
}
