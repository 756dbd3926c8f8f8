//! Pull requests.

use http::Method;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Github, Page, RepoName, Result, State, StateFilter, User};

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// Its number among the issues.
    pub number: u64,
    /// Whether it is open.
    pub state: State,
    /// What it is about.
    pub title: String,
    /// The text.
    #[serde(default)]
    pub body: Option<String>,
    /// Who asks.
    #[serde(default)]
    pub user: Option<User>,
    /// What is asked for.
    pub head: End,
    /// Where it is to go.
    pub base: End,
    /// Whether it is not ready yet.
    #[serde(default)]
    pub draft: bool,
    /// Whether it was taken; only one that was asked for by itself knows.
    #[serde(default)]
    pub merged: Option<bool>,
    /// Whether it fits; GitHub finds out after a while.
    #[serde(default)]
    pub mergeable: Option<bool>,
    /// Where people look at it.
    pub html_url: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When something last happened to it.
    pub updated_at: Timestamp,
}

/// One end of a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// `owner:branch`.
    #[serde(default)]
    pub label: String,
    /// The branch.
    #[serde(rename = "ref")]
    pub branch: String,
    /// The commit it is at.
    pub sha: String,
}

/// A pull request to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NewPull {
    /// What it is about.
    pub title: String,
    /// The text.
    pub body: String,
    /// The branch with the changes; `owner:branch` if it is in another repository.
    pub head: String,
    /// The branch they are for.
    pub base: String,
    /// Whether it is not ready yet.
    pub draft: bool,
}

/// Which pull requests are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PullFilter {
    /// In which state.
    pub state: StateFilter,
    /// From this branch, `owner:branch`.
    pub head: Option<String>,
    /// For this branch.
    pub base: Option<String>,
    /// Which page, from 1.
    pub page: Option<u32>,
    /// How many on one; 30 without, 100 at most.
    pub per_page: Option<u32>,
}

impl PullFilter {
    /// The open ones from `head` to `base`. A head without an owner is one of the repository itself.
    #[must_use]
    pub fn between(name: &RepoName, head: &str, base: &str) -> Self {
        let head = if head.contains(':') { head.to_owned() } else { format!("{}:{head}", name.owner()) };
        Self { head: Some(head), base: Some(base.to_owned()), ..Self::default() }
    }
}

impl Github {
    /// Pull requests of a repository, newest first.
    ///
    /// # Errors
    /// `NotFound`, and all that asking can end with.
    pub async fn pulls(&self, name: &RepoName, filter: &PullFilter) -> Result<Page<Pull>> {
        let ask =
            self.about(Method::GET, name, &["pulls"], "pull requests").query("state", Some(filter.state.as_str()));
        let ask = ask.query("head", filter.head.as_ref()).query("base", filter.base.as_ref());
        ask.page(filter.page, filter.per_page).list().await
    }

    /// One pull request.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn pull(&self, name: &RepoName, number: u64) -> Result<Pull> {
        let digits = number.to_string();
        self.about(Method::GET, name, &["pulls", &digits], format!("pull request #{number}")).get().await
    }

    /// The open pull request from `head` to `base`, if there is one. A head without an owner is one of the repository itself.
    ///
    /// # Errors
    /// As [`Github::pulls`].
    pub async fn open_pull(&self, name: &RepoName, head: &str, base: &str) -> Result<Option<Pull>> {
        Ok(self.pulls(name, &PullFilter::between(name, head, base)).await?.items.into_iter().next())
    }

    /// Makes a pull request.
    ///
    /// # Errors
    /// `Refused` if a branch is not there, there is nothing between them, or there is one already; `Forbidden`.
    pub async fn create_pull(&self, name: &RepoName, new: &NewPull) -> Result<Pull> {
        let what = format!("a pull request from {} to {}", new.head, new.base);
        self.about(Method::POST, name, &["pulls"], what).json(json!(new)).get().await
    }
}
