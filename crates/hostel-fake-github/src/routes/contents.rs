//! Files and directories.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::Here;
use crate::{
    answer::{Answer, Answered},
    git,
    world::author,
};

/// Beyond this a file's content is left out, and the raw one has to be asked for.
const INLINE: usize = 1 << 20;

pub(super) fn show(here: &Here<'_>, path: &str) -> Answered {
    let repository = &here.repository;
    let revision = here.asked.query("ref").unwrap_or(&repository.default_branch);
    let commit = git::resolve(&repository.dir, revision)
        .ok_or_else(|| Answer::error(404, &format!("No commit found for the ref {revision}")))?;
    if path.is_empty() {
        return directory(here, &commit, path);
    }
    let listed = git::line(&repository.dir, &["ls-tree", "-l", &commit, "--", path]).unwrap_or_default();
    match entry(&listed) {
        Some(("tree", ..)) => directory(here, &commit, path),
        Some(("blob", sha, size)) => file(here, path, sha, size),
        _ => Err(Answer::not_found()),
    }
}

/// Kind, name and size of a line of `git ls-tree -l`.
fn entry(line: &str) -> Option<(&str, &str, usize)> {
    let (front, _) = line.split_once('\t')?;
    let mut fields = front.split_whitespace().skip(1);
    Some((fields.next()?, fields.next()?, fields.next()?.parse().unwrap_or(0)))
}

fn file(here: &Here<'_>, path: &str, sha: &str, size: usize) -> Answered {
    let bytes = git::run(&here.repository.dir, &["cat-file", "blob", sha], b"").map_err(Answer::conflict)?;
    if here.asked.accept.contains("raw") {
        return Ok(Answer::bytes(bytes));
    }
    let mut shape = shape(path, sha, size, "file");
    let (content, encoding) = match size {
        0..=INLINE => (in_lines(&BASE64.encode(&bytes)), "base64"),
        _ => (String::new(), "none"),
    };
    shape["content"] = json!(content);
    shape["encoding"] = json!(encoding);
    Ok(Answer::ok(shape))
}

/// As GitHub does: sixty letters a line.
pub(super) fn in_lines(text: &str) -> String {
    text.as_bytes().chunks(60).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect()
}

fn directory(here: &Here<'_>, commit: &str, path: &str) -> Answered {
    let tree = format!("{commit}:{path}");
    let listed = git::line(&here.repository.dir, &["ls-tree", "-l", &tree]).map_err(|_| Answer::not_found())?;
    let one = |line: &str| {
        let (kind, sha, size) = entry(line)?;
        let name = line.split_once('\t')?.1;
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        Some(shape(&path, sha, size, if kind == "tree" { "dir" } else { "file" }))
    };
    Ok(Answer::ok(listed.lines().filter_map(one).collect()))
}

fn shape(path: &str, sha: &str, size: usize, kind: &str) -> Value {
    let name = path.rsplit('/').next().unwrap_or(path);
    json!({"type": kind, "name": name, "path": path, "sha": sha, "size": size})
}

pub(super) fn put(here: &Here<'_>, path: &str) -> Answered {
    let login = here.asked.writer()?;
    let repository = &here.repository;
    let branch = here.asked.text("branch").unwrap_or(&repository.default_branch).to_owned();
    let missing = |field: &str| Answer::error(422, &format!("Invalid request.\n\n\"{field}\" wasn't supplied."));
    let message = here.asked.text("message").ok_or_else(|| missing("message"))?;
    let content = here.asked.text("content").ok_or_else(|| missing("content"))?;
    let clean: String = content.split_whitespace().collect();
    let bytes = BASE64.decode(clean.as_bytes()).map_err(|_| Answer::error(422, "content is not valid Base64"))?;
    let head = git::resolve(&repository.dir, &branch);
    let has_commits = !git::branches(&repository.dir).is_empty();
    if head.is_none() && has_commits {
        return Err(Answer::error(404, &format!("Branch {branch} not found")));
    }
    let old = head.and_then(|head| {
        git::line(&repository.dir, &["rev-parse", "--verify", "--quiet", &format!("{head}:{path}")]).ok()
    });
    match (old.as_deref(), here.asked.text("sha")) {
        (Some(_), None) => return Err(missing("sha")),
        (Some(old), Some(sha)) if old != sha => {
            return Err(Answer::error(409, &format!("{path} does not match {sha}")));
        }
        _ => {}
    }
    let files = [(path.to_owned(), Some(bytes.clone()))];
    let commit = repository.commit(&branch, &files, message, &author(&login)).map_err(Answer::conflict)?;
    let sha = git::line(&repository.dir, &["rev-parse", &format!("{commit}:{path}")]).map_err(Answer::conflict)?;
    let body =
        json!({"content": shape(path, &sha, bytes.len(), "file"), "commit": {"sha": commit, "message": message}});
    Ok(Answer::new(if old.is_some() { 200 } else { 201 }, body))
}
