//! Pull requests.

use serde_json::Value;

use super::{Here, issues::is_wanted, page};
use crate::{
    answer::{Answer, Answered},
    git, shapes,
    world::{Issue, Pull, now},
};

/// The branch of `owner:branch` or `branch`.
fn branch<'a>(here: &Here<'_>, head: &'a str) -> Option<&'a str> {
    match head.split_once(':') {
        Some((owner, branch)) => owner.eq_ignore_ascii_case(&here.repository.owner).then_some(branch),
        None => Some(head),
    }
}

pub(super) fn list(here: &Here<'_>) -> Answered {
    let asked = here.asked;
    let wanted = |issue: &Issue| {
        let Some(pull) = &issue.pull else { return false };
        // GitHub leaves out a head without its owner.
        let head = asked.query("head").filter(|head| head.contains(':')).map(|head| branch(here, head));
        is_wanted(asked, issue.open)
            && head.is_none_or(|head| head == Some(pull.head.as_str()))
            && asked.query("base").is_none_or(|base| base == pull.base)
    };
    let numbered = here.repository.issues.iter().enumerate().rev();
    let found = numbered.filter(|(_, issue)| wanted(issue));
    let all: Vec<Value> =
        found.filter_map(|(at, issue)| shapes::pull(here.base, here.repository, at + 1, issue)).collect();
    Ok(page(asked, here.base, &all))
}

pub(super) fn show(here: &Here<'_>, number: &str) -> Answered {
    let at = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let issue = at.and_then(|at| Some((at, here.repository.issues.get(at)?)));
    let shape = issue.and_then(|(at, issue)| shapes::pull(here.base, here.repository, at + 1, issue));
    Ok(Answer::ok(shape.ok_or_else(Answer::not_found)?))
}

pub(super) fn create(here: &mut Here<'_>) -> Answered {
    let by = here.asked.writer()?;
    let text = |name: &str| here.asked.text(name).unwrap_or_default().to_owned();
    let (title, base) = (text("title"), text("base"));
    let invalid = |field: &str, message: &str| Answer::invalid("PullRequest", field, message);
    let given = text("head");
    let head = branch(here, &given).ok_or_else(|| invalid("head", "head invalid"))?.to_owned();
    let at = |branch: &str| git::resolve(&here.repository.dir, &format!("refs/heads/{branch}"));
    let (from, to) = (
        at(&head).ok_or_else(|| invalid("head", "head invalid"))?,
        at(&base).ok_or_else(|| invalid("base", "base invalid"))?,
    );
    if title.trim().is_empty() {
        return Err(invalid("title", "title can't be blank"));
    }
    let count = git::line(&here.repository.dir, &["rev-list", "--count", &format!("{to}..{from}")]);
    if count.map_err(Answer::conflict)? == "0" {
        return Err(invalid("base", &format!("No commits between {base} and {head}")));
    }
    let same =
        |issue: &&Issue| issue.open && issue.pull.as_ref().is_some_and(|pull| pull.head == head && pull.base == base);
    if here.repository.issues.iter().any(|issue| same(&issue)) {
        let message = format!("A pull request already exists for {}:{head}.", here.repository.owner);
        return Err(invalid("head", &message));
    }
    let now = now();
    let made = Issue {
        id: here.id,
        title,
        body: here.asked.text("body").map(str::to_owned),
        open: true,
        labels: Vec::new(),
        assignees: Vec::new(),
        by,
        created: now,
        updated: now,
        comments: Vec::new(),
        pull: Some(Pull { head, base, draft: here.asked.body["draft"] == true }),
    };
    here.repository.issues.push(made);
    let number = here.repository.issues.len();
    let shape = shapes::pull(here.base, here.repository, number, &here.repository.issues[number - 1]);
    Ok(Answer::created(shape.ok_or_else(Answer::not_found)?))
}
