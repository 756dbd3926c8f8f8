//! Searching code: by text, within one repository.

use serde_json::{Value, json};

use crate::{
    answer::{Answer, Answered},
    git,
    http::Asked,
    world::World,
};

pub(super) fn code(world: &mut World, asked: &Asked) -> Answered {
    if asked.who.is_none() {
        return Err(Answer::error(401, "Requires authentication"));
    }
    let query = asked.query("q").unwrap_or_default().to_owned();
    let (qualified, words): (Vec<&str>, Vec<&str>) = query.split_whitespace().partition(|word| word.contains(':'));
    let of = |name: &str| qualified.iter().find_map(|word| word.strip_prefix(name));
    if words.is_empty() {
        return Err(Answer::invalid("Search", "q", "The search contains only logical operators"));
    }
    let text = words.join(" ").trim_matches('"').to_owned();
    let (repository, path) = (of("repo:").map(str::to_owned), of("path:").map(str::to_owned));
    let mut items = Vec::new();
    for found in world.repositories.values() {
        if repository.as_ref().is_none_or(|name| name.eq_ignore_ascii_case(&found.full_name())) {
            items.extend(within(&world.base, found, &text, path.as_deref()));
        }
    }
    Ok(Answer::ok(json!({"total_count": items.len(), "incomplete_results": false, "items": items})))
}

fn within(base: &str, repository: &crate::world::Repository, text: &str, path: Option<&str>) -> Vec<Value> {
    let branch = format!("refs/heads/{}", repository.default_branch);
    let mut args = vec!["grep", "-I", "-i", "-F", "-n", "-e", text, &branch];
    args.extend(path.iter().flat_map(|path| ["--", path]));
    let found = git::line(&repository.dir, &args).unwrap_or_default();
    let mut items: Vec<Value> = Vec::new();
    for line in found.lines() {
        let Some((path, fragment)) = line.strip_prefix(&format!("{branch}:")).and_then(|rest| {
            let mut parts = rest.splitn(3, ':');
            Some((parts.next()?, parts.nth(1)?))
        }) else {
            continue;
        };
        let part = json!({"fragment": fragment, "property": "content"});
        match items.iter_mut().find(|item| item["path"] == path) {
            Some(item) => item["text_matches"].as_array_mut().into_iter().for_each(|all| all.push(part.clone())),
            None => items.push(json!({
                "name": path.rsplit('/').next(),
                "path": path,
                "html_url": format!("{base}/{}/blob/{}/{path}", repository.full_name(), repository.default_branch),
                "repository": {"full_name": repository.full_name()},
                "score": 1.0,
                "text_matches": [part],
            })),
        }
    }
    items
}
