//! Files on GitHub: read, searched, and written one at a time.

use hostel::{JsonSchema, Result};
use hostel_chat::Tool;
use hostel_github::{Github, GithubError, Put, RepoName};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{Call, refused},
    Of, Paging,
    once::once,
};
use crate::{
    CoderAgent,
    github::{github, told},
    kept_back::{self, KeptBack},
    workspaces::said,
};

#[derive(Deserialize, JsonSchema)]
struct Get {
    #[serde(flatten)]
    of: Of,
    /// The file or directory.
    path: String,
    /// A branch, tag or commit; the default branch without.
    #[serde(default, alias = "ref")]
    branch: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Search {
    /// What to look for; GitHub's qualifiers such as repo:owner/name, path:src or language:rust may be in it.
    #[serde(alias = "query")]
    q: String,
    #[serde(flatten)]
    of: Of,
    #[serde(flatten)]
    paging: Paging,
}

pub(super) fn reading() -> Vec<Tool<CoderAgent>> {
    let about = "Reads a file of a repository on GitHub as it is on a branch, or lists a directory. For what is in the workspace \
        read_file is better.";
    let get = Tool::new("githubGetFile", about, read);
    let old = Tool::new("fetchFileContents", "The same as githubGetFile.", read).unlisted();
    vec![get.repeatable(), old.repeatable()]
}

async fn read(cx: Call, get: Get) -> Result<String> {
    let name = get.of.name(&cx)?;
    numbered(&cx, &name, &get.path, get.branch.as_deref()).await
}

/// A file on GitHub as text, with where it is from; a directory as a list.
pub(in super::super) async fn numbered(cx: &Call, name: &RepoName, path: &str, at: Option<&str>) -> Result<String> {
    let (github, path) = (github(cx).await?, &*place(path)?);
    let place = format!("on GitHub: {name}{}", at.map(|at| format!(" at {at}")).unwrap_or_default());
    let file = match github.file(name, path, at).await {
        Ok(file) => file,
        Err(GithubError::Directory { .. }) => return listed(&github, name, path, at, &place).await,
        Err(error) => return Err(told(error)),
    };
    match std::str::from_utf8(&file.bytes) {
        Ok(text) if !text.contains('\0') => Ok(format!("({} {place})\n{text}", file.path)),
        _ => Ok(format!("({} {place} is not text; it has {} bytes)", file.path, file.bytes.len())),
    }
}

/// The path of a file in a repository: what leads up again is no name that a rule could know.
fn place(path: &str) -> Result<String> {
    let place = hostel_workspace::Place::parse(path.trim_matches('/'));
    place.map(|place| place.as_str().to_owned()).map_err(said)
}

async fn listed(github: &Github, name: &RepoName, path: &str, at: Option<&str>, place: &str) -> Result<String> {
    let entries = github.directory(name, path, at).await.map_err(told)?;
    let line = |entry: &hostel_github::Entry| match &*entry.kind {
        "dir" => format!("{}/", entry.path),
        _ => format!("{} ({} bytes)", entry.path, entry.size),
    };
    let lines: Vec<String> = entries.iter().map(line).collect();
    Ok(format!("(the directory {path:?} {place})\n{}", lines.join("\n")))
}

/// What needs a token: GitHub searches for nobody else.
pub(super) fn writing() -> Vec<Tool<CoderAgent>> {
    let about = "Searches code on GitHub: all of it, or one repository if owner and repo are said.";
    let find = Tool::new("githubSearchCode", about, |cx: Call, search: Search| async move {
        let of = match (&search.of.owner, &search.of.repo) {
            (None, None) => String::new(),
            _ => format!(" repo:{}", search.of.name(&cx)?),
        };
        let found = github(&cx)
            .await?
            .search_code(&format!("{}{of}", search.q), search.paging.page, search.paging.per_page)
            .await;
        let mut found = found.map_err(told)?;
        let (kept, mut left_out) = (KeptBack::from_model(&cx)?, Vec::new());
        for one in &mut found.page.items {
            if kept.has(&one.path) {
                one.fragments.clear();
                left_out.push(one.path.clone());
            }
        }
        let mut found = json!(found);
        if let Some(note) = kept_back::left_out(&left_out) {
            found["leftOut"] = note.into();
        }
        Ok(found)
    });
    vec![find.repeatable()]
}

/// What is found for a text in one repository.
pub(in super::super) async fn search(cx: &Call, name: &RepoName, text: &str, path: Option<&str>) -> Result<String> {
    let path = path.filter(|path| !path.is_empty()).map(|path| format!(" path:{path}")).unwrap_or_default();
    let found = github(cx).await?.search_code(&format!("{text} repo:{name}{path}"), None, None).await.map_err(told)?;
    let mut lines = vec![format!("(on GitHub: {name}, {} files)", found.total)];
    let (kept, mut left_out) = (KeptBack::from_model(cx)?, Vec::new());
    for found in &found.page.items {
        if kept.has(&found.path) {
            left_out.push(found.path.clone());
            continue;
        }
        let fragments = found.fragments.iter().flat_map(|text| text.lines());
        lines.extend(fragments.map(|line| format!("{}: {line}", found.path)));
    }
    lines.extend(kept_back::left_out(&left_out));
    Ok(lines.join("\n"))
}

/// Makes a file on GitHub, with a commit of its own.
pub(in super::super) async fn write(
    cx: &Call,
    name: &RepoName,
    path: &str,
    content: &str,
    message: &str,
    branch: Option<&str>,
) -> Result<Value> {
    let (github, path) = (github(cx).await?, &*place(path)?);
    let there = github.file(name, path, branch).await;
    let is_ours = |found: &hostel_github::Content| found.bytes == content.as_bytes();
    // After a crash it may be there because it was made.
    if !cx.is_again() && !matches!(&there, Err(error) if error.is_not_found()) {
        there.map_err(told)?;
        return Err(refused(format!("{path:?} is in {name} already."), "change it in the workspace, and push that"));
    }
    let done = |commit: Option<String>| json!({"changed": format!("added {path} to {name}"), "commit": commit});
    let put = Put { path, bytes: content.as_bytes(), message, branch, replaces: None };
    let make = async { Ok(done(Some(github.put_file(name, &put).await?))) };
    let look = |_| async {
        match github.file(name, path, branch).await {
            Ok(found) => Ok(is_ours(&found).then(|| done(None))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    };
    once(cx, "", json!({"path": path}), make, look).await
}
