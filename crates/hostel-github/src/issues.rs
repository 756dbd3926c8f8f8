//! Issues and their comments.

use http::Method;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::{Github, Page, RepoName, Result, User};

/// An issue; every pull request is one, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// Its number in the repository.
    pub number: u64,
    /// Whether something is to be done.
    pub state: State,
    /// What it is about.
    pub title: String,
    /// The text.
    #[serde(default)]
    pub body: Option<String>,
    /// Who wrote it.
    #[serde(default)]
    pub user: Option<User>,
    /// Its labels.
    #[serde(default, deserialize_with = "names")]
    pub labels: Vec<String>,
    /// Who is to do something.
    #[serde(default)]
    pub assignees: Vec<User>,
    /// How many comments there are.
    #[serde(default)]
    pub comments: u64,
    /// Where people look at it.
    pub html_url: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When something last happened to it.
    pub updated_at: Timestamp,
    /// Whether it is a pull request.
    #[serde(
        default,
        rename(deserialize = "pull_request", serialize = "is_pull_request"),
        deserialize_with = "is_there"
    )]
    pub is_pull: bool,
}

/// Open or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Something is to be done.
    Open,
    /// Nothing more.
    Closed,
}

/// Which states are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StateFilter {
    /// The open ones.
    #[default]
    Open,
    /// The closed ones.
    Closed,
    /// Both.
    All,
}

impl StateFilter {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::All => "all",
        }
    }
}

/// Which issues are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IssueFilter {
    /// In which state.
    pub state: StateFilter,
    /// With all of these labels.
    pub labels: Vec<String>,
    /// To which something happened since then.
    pub since: Option<Timestamp>,
    /// Which page, from 1.
    pub page: Option<u32>,
    /// How many on one; 30 without, 100 at most.
    pub per_page: Option<u32>,
}

/// An issue to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NewIssue {
    /// What it is about.
    pub title: String,
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Its labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Who is to do something.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assignees: Vec<String>,
}

/// A change to an issue: what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct IssueChange {
    /// Another title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Another text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Another state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// These labels instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// These people instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignees: Option<Vec<String>>,
}

impl IssueChange {
    /// Whether an issue is as it is wanted.
    pub fn is_made(&self, issue: &Issue) -> bool {
        let same = |wanted: &Option<Vec<String>>, mut is: Vec<&str>| {
            wanted.as_ref().is_none_or(|wanted| {
                let mut wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
                wanted.sort_unstable();
                is.sort_unstable();
                wanted == is
            })
        };
        self.title.as_ref().is_none_or(|title| *title == issue.title)
            && self.body.as_ref().is_none_or(|body| *body == *issue.body.as_deref().unwrap_or_default())
            && self.state.is_none_or(|state| state == issue.state)
            && same(&self.labels, issue.labels.iter().map(String::as_str).collect())
            && same(&self.assignees, issue.assignees.iter().map(|user| user.login.as_str()).collect())
    }
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Its number.
    pub id: u64,
    /// The text.
    #[serde(default)]
    pub body: Option<String>,
    /// Who wrote it.
    #[serde(default)]
    pub user: Option<User>,
    /// Where people look at it.
    pub html_url: String,
    /// When it was written.
    pub created_at: Timestamp,
}

/// The names of labels, which are texts or objects.
fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let labels = Vec::<Value>::deserialize(deserializer)?;
    let name = |label: &Value| label.as_str().or_else(|| label["name"].as_str()).map(str::to_owned);
    Ok(labels.iter().filter_map(name).collect())
}

fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(!Value::deserialize(deserializer)?.is_null())
}

impl Github {
    /// Issues of a repository, those that changed last first; pull requests are among them.
    ///
    /// # Errors
    /// `NotFound`, and all that asking can end with.
    pub async fn issues(&self, name: &RepoName, filter: &IssueFilter) -> Result<Page<Issue>> {
        let labels = (!filter.labels.is_empty()).then(|| filter.labels.join(","));
        let ask = self.about(Method::GET, name, &["issues"], "issues").query("state", Some(filter.state.as_str()));
        ask.query("labels", labels).query("since", filter.since).page(filter.page, filter.per_page).list().await
    }

    /// One issue.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn issue(&self, name: &RepoName, number: u64) -> Result<Issue> {
        let digits = number.to_string();
        self.about(Method::GET, name, &["issues", &digits], format!("issue #{number}")).get().await
    }

    /// Writes an issue.
    ///
    /// # Errors
    /// `Forbidden`, `Refused`.
    pub async fn create_issue(&self, name: &RepoName, new: &NewIssue) -> Result<Issue> {
        self.about(Method::POST, name, &["issues"], "a new issue").json(json!(new)).get().await
    }

    /// Changes an issue or pull request.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Refused`.
    pub async fn update_issue(&self, name: &RepoName, number: u64, change: &IssueChange) -> Result<Issue> {
        let digits = number.to_string();
        let ask = self.about(Method::PATCH, name, &["issues", &digits], format!("issue #{number}"));
        ask.json(json!(change)).get().await
    }

    /// Comments of an issue or pull request, oldest first.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn comments(
        &self,
        name: &RepoName,
        number: u64,
        since: Option<Timestamp>,
        page: Option<u32>,
    ) -> Result<Page<Comment>> {
        let digits = number.to_string();
        let what = format!("the comments of #{number}");
        let ask = self.about(Method::GET, name, &["issues", &digits, "comments"], what);
        ask.query("since", since).page(page, Some(100)).list().await
    }

    /// Writes a comment to an issue or pull request.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Refused`.
    pub async fn comment(&self, name: &RepoName, number: u64, body: &str) -> Result<Comment> {
        let digits = number.to_string();
        let ask = self.about(Method::POST, name, &["issues", &digits, "comments"], format!("a comment to #{number}"));
        ask.json(json!({"body": body})).get().await
    }
}
