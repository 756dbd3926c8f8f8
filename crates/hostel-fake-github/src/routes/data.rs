//! Branches, trees, commits: git's own objects.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::{Here, contents, page};
use crate::{
    answer::{Answer, Answered},
    git,
    git::Author,
    shapes,
    world::author,
};

pub(super) fn commits(here: &Here<'_>) -> Answered {
    let repository = &here.repository;
    if git::branches(&repository.dir).is_empty() {
        return Err(Answer::error(409, "Git Repository is empty."));
    }
    let from = here.asked.query("sha").unwrap_or(&repository.default_branch);
    let from = git::resolve(&repository.dir, from).ok_or_else(Answer::not_found)?;
    let mut args = vec!["rev-list", "--max-count=1000", &from];
    if let Some(path) = here.asked.query("path") {
        args.extend(["--", path]);
    }
    let listed = git::line(&repository.dir, &args).map_err(Answer::conflict)?;
    let all: Vec<Value> = listed.lines().filter_map(|id| shapes::commit(here.base, repository, id)).collect();
    Ok(page(here.asked, here.base, &all))
}

fn shape(branch: &str, commit: &str) -> Value {
    json!({"ref": format!("refs/heads/{branch}"), "object": {"type": "commit", "sha": commit}})
}

/// The commit of a branch, by its whole name.
fn head(here: &Here<'_>, branch: &str) -> Option<String> {
    let name = format!("refs/heads/{branch}");
    git::branches(&here.repository.dir).into_iter().find(|(own, _)| *own == name).map(|(_, at)| at)
}

pub(super) fn reference(here: &Here<'_>, branch: &str) -> Answered {
    let commit = head(here, branch).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(shape(branch, &commit)))
}

pub(super) fn begin(here: &Here<'_>) -> Answered {
    here.asked.writer()?;
    let name = here.asked.text("ref").unwrap_or_default();
    let sha = here.asked.text("sha").unwrap_or_default();
    let Some(branch) = name.strip_prefix("refs/heads/") else {
        return Err(Answer::error(422, "Reference name must start with 'refs/' and contain at least two slashes."));
    };
    if head(here, branch).is_some() {
        return Err(Answer::error(422, "Reference already exists"));
    }
    git::run(&here.repository.dir, &["update-ref", name, sha, &"0".repeat(40)], b"")
        .map_err(|_| Answer::error(422, "Object does not exist"))?;
    Ok(Answer::created(shape(branch, sha)))
}

pub(super) fn move_to(here: &Here<'_>, branch: &str) -> Answered {
    here.asked.writer()?;
    let old = head(here, branch).ok_or_else(|| Answer::error(422, "Reference does not exist"))?;
    let sha = here.asked.text("sha").unwrap_or_default();
    let ahead = git::run(&here.repository.dir, &["merge-base", "--is-ancestor", &old, sha], b"").is_ok();
    if !ahead && here.asked.body["force"] != true {
        return Err(Answer::error(422, "Update is not a fast forward"));
    }
    git::run(&here.repository.dir, &["update-ref", &format!("refs/heads/{branch}"), sha, &old], b"")
        .map_err(|_| Answer::error(422, "Object does not exist"))?;
    Ok(Answer::ok(shape(branch, sha)))
}

pub(super) fn blob(here: &Here<'_>, id: &str) -> Answered {
    let bytes = git::run(&here.repository.dir, &["cat-file", "blob", id], b"").map_err(|_| Answer::not_found())?;
    if here.asked.accept.contains("raw") {
        return Ok(Answer::bytes(bytes));
    }
    let content = contents::in_lines(&BASE64.encode(&bytes));
    Ok(Answer::ok(json!({"sha": id, "size": bytes.len(), "encoding": "base64", "content": content})))
}

pub(super) fn commit(here: &Here<'_>, id: &str) -> Answered {
    let whole = shapes::commit(here.base, here.repository, id).ok_or_else(Answer::not_found)?;
    let mut shape = whole["commit"].clone();
    shape["sha"] = whole["sha"].clone();
    shape["parents"] = whole["parents"].clone();
    Ok(Answer::ok(shape))
}

pub(super) fn tree(here: &Here<'_>) -> Answered {
    here.asked.writer()?;
    let entries = here.asked.body["tree"].as_array().cloned().unwrap_or_default();
    let file = |entry: &Value| {
        let path = entry["path"].as_str()?.to_owned();
        let gone = entry.get("sha").is_some_and(Value::is_null);
        let content = entry["content"].as_str().map(|text| text.as_bytes().to_vec());
        (gone || content.is_some()).then_some((path, content))
    };
    let files: Option<Vec<_>> = entries.iter().map(file).collect();
    let files = files.ok_or_else(|| Answer::error(422, "Must supply either tree.sha or tree.content"))?;
    let base = here.asked.text("base_tree");
    let sha = git::tree(&here.repository.dir, base, &files).map_err(|error| Answer::error(422, &error.to_string()))?;
    Ok(Answer::created(json!({"sha": sha, "truncated": false})))
}

pub(super) fn make(here: &Here<'_>) -> Answered {
    let login = here.asked.writer()?;
    let body = &here.asked.body;
    let parents = body["parents"].as_array().into_iter().flatten();
    let parents: Vec<String> = parents.filter_map(|parent| parent.as_str().map(str::to_owned)).collect();
    let own = author(&login);
    let of = |field: &str, default: &str| body["author"][field].as_str().unwrap_or(default).to_owned();
    let author = Author { name: of("name", &own.name), email: of("email", &own.email), date: of("date", &own.date) };
    let tree = here.asked.text("tree").unwrap_or_default();
    let message = here.asked.text("message").unwrap_or_default();
    let sha = git::commit(&here.repository.dir, tree, &parents, message, &author)
        .map_err(|error| Answer::error(422, &error.to_string()))?;
    let shape = json!({"sha": sha, "message": message, "tree": {"sha": tree}});
    Ok(Answer::created(shape))
}
