//! What things look like in JSON, as GitHub documents them.

use serde_json::{Value, json};

use crate::{
    git,
    world::{Comment, Issue, Repository},
};

pub(crate) fn user(login: &str) -> Value {
    json!({"login": login, "id": 1001, "type": "User", "site_admin": false})
}

pub(crate) fn repository(base: &str, repository: &Repository, writes: bool) -> Value {
    let full = repository.full_name();
    let open = repository.issues.iter().filter(|issue| issue.open).count();
    json!({
        "id": repository.id,
        "name": repository.name,
        "full_name": full,
        "private": repository.private,
        "owner": user(&repository.owner),
        "html_url": format!("{base}/{full}"),
        "description": repository.description,
        "fork": false,
        "url": format!("{base}/api/v3/repos/{full}"),
        "clone_url": format!("{base}/{full}.git"),
        "default_branch": repository.default_branch,
        "language": null,
        "stargazers_count": 0,
        "forks_count": 0,
        "open_issues_count": open,
        "archived": false,
        "visibility": if repository.private { "private" } else { "public" },
        "created_at": repository.created.to_string(),
        "updated_at": repository.created.to_string(),
        "permissions": {"admin": writes, "push": writes, "pull": true},
    })
}

/// An issue; of a pull request, what it is as an issue.
pub(crate) fn issue(base: &str, repository: &str, number: usize, issue: &Issue) -> Value {
    let kind = if issue.pull.is_some() { "pull" } else { "issues" };
    let labels: Vec<Value> = issue.labels.iter().map(|name| json!({"name": name, "color": "ededed"})).collect();
    let assignees: Vec<Value> = issue.assignees.iter().map(|login| user(login)).collect();
    let mut shape = json!({
        "id": issue.id,
        "number": number,
        "state": if issue.open { "open" } else { "closed" },
        "state_reason": null,
        "title": issue.title,
        "body": issue.body,
        "user": user(&issue.by),
        "labels": labels,
        "assignees": assignees,
        "comments": issue.comments.len(),
        "html_url": format!("{base}/{repository}/{kind}/{number}"),
        "created_at": issue.created.to_string(),
        "updated_at": issue.updated.to_string(),
    });
    if issue.pull.is_some() {
        shape["pull_request"] = json!({"html_url": format!("{base}/{repository}/pull/{number}")});
    }
    shape
}

pub(crate) fn comment(base: &str, repository: &str, number: usize, comment: &Comment) -> Value {
    json!({
        "id": comment.id,
        "body": comment.body,
        "user": user(&comment.by),
        "html_url": format!("{base}/{repository}/issues/{number}#issuecomment-{}", comment.id),
        "created_at": comment.created.to_string(),
        "updated_at": comment.created.to_string(),
    })
}

pub(crate) fn pull(base: &str, repository: &Repository, number: usize, issue: &Issue) -> Option<Value> {
    let pull = issue.pull.as_ref()?;
    let full = repository.full_name();
    let end = |branch: &str| {
        let at = git::resolve(&repository.dir, branch).unwrap_or_default();
        json!({"label": format!("{}:{branch}", repository.owner), "ref": branch, "sha": at, "repo": {"full_name": full}})
    };
    let mut shape = self::issue(base, &full, number, issue);
    shape["head"] = end(&pull.head);
    shape["base"] = end(&pull.base);
    shape["draft"] = json!(pull.draft);
    shape["merged"] = json!(false);
    shape["mergeable"] = json!(true);
    let range = format!("refs/heads/{}..refs/heads/{}", pull.base, pull.head);
    let commits = git::line(&repository.dir, &["rev-list", "--count", &range]).unwrap_or_default();
    shape["commits"] = json!(commits.parse::<u64>().unwrap_or(0));
    Some(shape)
}

/// A commit as the list of commits has it.
pub(crate) fn commit(base: &str, repository: &Repository, id: &str) -> Option<Value> {
    let format = "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B";
    let text = git::line(&repository.dir, &["show", "--no-patch", format, id]).ok()?;
    let fields: Vec<&str> = text.splitn(10, '\0').collect();
    let [sha, tree, parents, name, email, date, committer, address, when, message] = fields[..] else { return None };
    let parents: Vec<Value> = parents.split_whitespace().map(|sha| json!({"sha": sha})).collect();
    // GitHub tells times in UTC with a Z.
    let utc = |text: &str| text.replace("+00:00", "Z");
    let full = repository.full_name();
    Some(json!({
        "sha": sha,
        "html_url": format!("{base}/{full}/commit/{sha}"),
        "commit": {
            "message": message.trim_end(),
            "tree": {"sha": tree},
            "author": {"name": name, "email": email, "date": utc(date)},
            "committer": {"name": committer, "email": address, "date": utc(when)},
        },
        "author": null,
        "parents": parents,
    }))
}
