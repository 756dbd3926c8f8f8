//! Repositories, and whose token it is.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Github, RepoName, Result};

/// Somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Their name.
    pub login: String,
}

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// `owner/name`.
    pub full_name: String,
    /// What it is.
    pub description: Option<String>,
    /// Whether it is seen with a token only.
    pub private: bool,
    /// The branch that is meant if none is named.
    pub default_branch: String,
    /// Where people look at it.
    pub html_url: String,
    /// Where git finds it.
    pub clone_url: String,
    /// The language most of it is in.
    #[serde(default)]
    pub language: Option<String>,
    /// How many like it.
    #[serde(default)]
    pub stargazers_count: u64,
    /// How many copies of it there are.
    #[serde(default)]
    pub forks_count: u64,
    /// Issues and pull requests that are open.
    #[serde(default)]
    pub open_issues_count: u64,
    /// Whether it can no longer be changed.
    #[serde(default)]
    pub archived: bool,
    /// When it was made.
    #[serde(default)]
    pub created_at: Option<String>,
    /// What the token may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
}

/// What a token may do with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    /// Change it.
    #[serde(default)]
    pub push: bool,
}

/// A repository to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewRepository {
    /// Its name, without the owner.
    pub name: String,
    /// The organisation it is for; one's own without.
    pub org: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// Whether only those with a token see it.
    pub private: bool,
    /// Whether it begins with a README.
    pub auto_init: bool,
}

impl Github {
    /// Whose token it is.
    ///
    /// # Errors
    /// `BadToken`, `NoToken`.
    pub async fn user(&self) -> Result<User> {
        self.ask(Method::GET, &["user"], "who the token belongs to").get().await
    }

    /// A repository.
    ///
    /// # Errors
    /// `NotFound`, and all that asking can end with.
    pub async fn repository(&self, name: &RepoName) -> Result<Repository> {
        let what = format!("repository {name}");
        self.ask(Method::GET, &["repos", name.owner(), name.name()], what).get().await
    }

    /// Makes a repository.
    ///
    /// # Errors
    /// `Refused` if the name is taken.
    pub async fn create_repository(&self, new: &NewRepository) -> Result<Repository> {
        let path: Vec<&str> = match &new.org {
            Some(org) => vec!["orgs", org, "repos"],
            None => vec!["user", "repos"],
        };
        let body = json!({
            "name": new.name,
            "description": new.description,
            "private": new.private,
            "auto_init": new.auto_init,
        });
        self.ask(Method::POST, &path, format!("the repository {}", new.name)).json(body).get().await
    }
}
