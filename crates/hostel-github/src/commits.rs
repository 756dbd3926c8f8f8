//! Commits and branches, and a commit of several files at once.

use http::Method;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Github, GithubError, Page, RepoName, Result, contents};

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Commit {
    /// Its name.
    pub sha: String,
    /// Its message.
    pub message: String,
    /// Who made it, and when.
    pub author: Signature,
    /// Where people look at it.
    pub html_url: String,
}

/// Who, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The name.
    #[serde(default)]
    pub name: String,
    /// The address.
    #[serde(default)]
    pub email: String,
    /// When.
    pub date: Timestamp,
}

/// A file of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Where.
    pub path: String,
    /// What; nothing takes it away.
    pub text: Option<String>,
}

/// As GitHub tells it.
#[derive(Deserialize)]
struct Told {
    sha: String,
    #[serde(default)]
    html_url: String,
    commit: Inner,
}

#[derive(Deserialize)]
struct Inner {
    #[serde(default)]
    message: String,
    author: Signature,
}

#[derive(Deserialize)]
struct Named {
    sha: String,
}

#[derive(Deserialize)]
struct Branch {
    object: Named,
}

#[derive(Deserialize)]
struct Tree {
    tree: Named,
}

impl From<Told> for Commit {
    fn from(told: Told) -> Self {
        Self { sha: told.sha, message: told.commit.message, author: told.commit.author, html_url: told.html_url }
    }
}

impl Github {
    /// Commits up to a branch, tag or commit, newest first; of one file or directory if `path` says so.
    ///
    /// # Errors
    /// `NotFound`; `Refused` for an empty repository.
    pub async fn commits(
        &self,
        name: &RepoName,
        from: Option<&str>,
        path: Option<&str>,
        page: Option<u32>,
        per_page: Option<u32>,
    ) -> Result<Page<Commit>> {
        let ask = self.about(Method::GET, name, &["commits"], "commits").query("sha", from).query("path", path);
        let page: Page<Told> = ask.page(page, per_page).list().await?;
        Ok(page.map(Commit::from))
    }

    /// The commit a branch is at; nothing if there is no such branch.
    ///
    /// # Errors
    /// All that asking can end with.
    pub async fn branch(&self, name: &RepoName, branch: &str) -> Result<Option<String>> {
        let parts = contents::split(branch)?;
        let rest: Vec<&str> = ["git", "ref", "heads"].into_iter().chain(parts).collect();
        match self.about(Method::GET, name, &rest, format!("branch {branch:?}")).get::<Branch>().await {
            Ok(found) => Ok(Some(found.object.sha)),
            Err(GithubError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Begins a branch at a commit.
    ///
    /// # Errors
    /// `Refused` if it is there already, or the commit is not.
    pub async fn create_branch(&self, name: &RepoName, branch: &str, commit: &str) -> Result<()> {
        let body = json!({"ref": format!("refs/heads/{branch}"), "sha": commit});
        let what = format!("the branch {branch:?}");
        self.about(Method::POST, name, &["git", "refs"], what).json(body).send().await.map(drop)
    }

    /// Commits these files on top of `parent`, which a branch is at, as one commit; its name. Nothing is seen of it before the branch
    /// is moved, and that is refused if somebody else has moved it.
    ///
    /// # Errors
    /// `Refused` if the branch was moved meanwhile.
    pub async fn commit_files(
        &self,
        name: &RepoName,
        branch: &str,
        parent: &str,
        files: &[NewFile],
        message: &str,
        author: Option<&Signature>,
    ) -> Result<String> {
        let base: Tree = self.about(Method::GET, name, &["git", "commits", parent], "a commit").get().await?;
        let tree: Vec<Value> = files.iter().map(entry).collect();
        let body = json!({"base_tree": base.tree.sha, "tree": tree});
        let tree: Named = self.about(Method::POST, name, &["git", "trees"], "the files").json(body).get().await?;
        let mut body = json!({"message": message, "tree": tree.sha, "parents": [parent]});
        if let Some(author) = author {
            body["author"] = json!(author);
        }
        let commit: Named = self.about(Method::POST, name, &["git", "commits"], "the commit").json(body).get().await?;
        let parts = contents::split(branch)?;
        let rest: Vec<&str> = ["git", "refs", "heads"].into_iter().chain(parts).collect();
        let moved = json!({"sha": commit.sha, "force": false});
        self.about(Method::PATCH, name, &rest, format!("the branch {branch:?}")).json(moved).send().await?;
        Ok(commit.sha)
    }
}

fn entry(file: &NewFile) -> Value {
    let mut entry = json!({"path": file.path, "mode": "100644", "type": "blob"});
    match &file.text {
        Some(text) => entry["content"] = json!(text),
        None => entry["sha"] = Value::Null,
    }
    entry
}
