//! Files of a repository, read and written one at a time.

use data_encoding::BASE64;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Github, GithubError, RepoName, Result};

/// How many entries of a directory are named in an error.
const NAMED: usize = 50;

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its path.
    pub path: String,
    /// Git's name of what is in it, which replacing it asks for.
    pub sha: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// What is in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path.
    pub path: String,
    /// `file`, `dir`, `symlink` or `submodule`.
    #[serde(rename = "type")]
    pub kind: String,
    /// How large it is.
    #[serde(default)]
    pub size: u64,
}

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put<'a> {
    /// Where.
    pub path: &'a str,
    /// What.
    pub bytes: &'a [u8],
    /// The message of the commit.
    pub message: &'a str,
    /// The branch; the default one without.
    pub branch: Option<&'a str>,
    /// Git's name of what is there, if something is to be replaced.
    pub replaces: Option<&'a str>,
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    sha: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    content: String,
    #[serde(default)]
    encoding: String,
}

impl Github {
    /// A file at a branch, tag or commit, or at the default branch.
    ///
    /// # Errors
    /// `NotFound`, `Directory` with what is in it, `TooLarge`.
    pub async fn file(&self, name: &RepoName, path: &str, at: Option<&str>) -> Result<Content> {
        let found = match self.content(name, path, at).await? {
            Value::Array(entries) => return Err(directory(path, &entries)),
            found => found,
        };
        let odd = |message: String| GithubError::Failed { what: format!("{path:?} in {name}"), message };
        let file: File = serde_json::from_value(found).map_err(|error| odd(error.to_string()))?;
        let limit = self.shared.file_bytes as u64;
        match (&*file.kind, &*file.encoding) {
            _ if file.size > limit => Err(GithubError::TooLarge { path: path.to_owned(), bytes: file.size, limit }),
            ("file", "base64") => {
                let text: String = file.content.split_ascii_whitespace().collect();
                let bytes = BASE64.decode(text.as_bytes()).map_err(|error| odd(error.to_string()))?;
                Ok(Content { path: file.path, sha: file.sha, bytes })
            }
            // Beyond a megabyte it has to be asked for by itself.
            ("file", _) => {
                let blob = self.about(Method::GET, name, &["git", "blobs", &file.sha], format!("{path:?}"));
                let answer =
                    blob.accept("application/vnd.github.raw+json").limit(self.shared.file_bytes).send().await?;
                Ok(Content { path: file.path, sha: file.sha, bytes: answer.bytes })
            }
            (kind, _) => Err(GithubError::Refused {
                what: format!("{path:?} in {name}"),
                message: format!("it is a {kind}, not a file"),
            }),
        }
    }

    /// What is in a directory; the empty path is the top.
    ///
    /// # Errors
    /// `NotFound`; `Refused` for a file.
    pub async fn directory(&self, name: &RepoName, path: &str, at: Option<&str>) -> Result<Vec<Entry>> {
        let what = || format!("the directory {path:?} in {name}");
        match self.content(name, path, at).await? {
            Value::Array(entries) => serde_json::from_value(Value::Array(entries))
                .map_err(|error| GithubError::Failed { what: what(), message: error.to_string() }),
            _ => Err(GithubError::Refused { what: what(), message: "it is a file".to_owned() }),
        }
    }

    async fn content(&self, name: &RepoName, path: &str, at: Option<&str>) -> Result<Value> {
        let parts = split(path)?;
        let rest: Vec<&str> = std::iter::once("contents").chain(parts).collect();
        let what = format!("{path:?}{}", at.map(|at| format!(" at {at:?}")).unwrap_or_default());
        self.about(Method::GET, name, &rest, what).query("ref", at).get().await
    }

    /// Writes one file with a commit of its own; the name of the commit.
    ///
    /// # Errors
    /// `Refused` if it is there and `replaces` is not what it is.
    pub async fn put_file(&self, name: &RepoName, put: &Put<'_>) -> Result<String> {
        #[derive(Deserialize)]
        struct Done {
            commit: Named,
        }
        #[derive(Deserialize)]
        struct Named {
            sha: String,
        }
        let parts = split(put.path)?;
        let rest: Vec<&str> = std::iter::once("contents").chain(parts).collect();
        let mut body = json!({"message": put.message, "content": BASE64.encode(put.bytes)});
        for (field, value) in [("branch", put.branch), ("sha", put.replaces)] {
            if let Some(value) = value {
                body[field] = json!(value);
            }
        }
        let done: Done = self.about(Method::PUT, name, &rest, format!("{:?}", put.path)).json(body).get().await?;
        Ok(done.commit.sha)
    }
}

/// The parts of a path within a repository.
pub(crate) fn split(path: &str) -> Result<Vec<&str>> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let bad = parts.iter().any(|part| *part == ".." || part.contains('\0'));
    if bad { Err(GithubError::Name(path.chars().take(200).collect())) } else { Ok(parts) }
}

fn directory(path: &str, entries: &[Value]) -> GithubError {
    let name = |entry: &Value| {
        let slash = if entry["type"] == "dir" { "/" } else { "" };
        entry["name"].as_str().map(|name| format!("{name}{slash}"))
    };
    let mut names: Vec<String> = entries.iter().filter_map(name).take(NAMED).collect();
    if entries.len() > NAMED {
        names.push(format!("and {} more", entries.len() - NAMED));
    }
    GithubError::Directory { path: path.to_owned(), entries: names }
}
