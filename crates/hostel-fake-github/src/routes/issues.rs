//! Issues and their comments.

use serde_json::{Value, json};

use super::{Here, page};
use crate::{
    answer::{Answer, Answered},
    http::Asked,
    shapes,
    world::{Comment, Issue, now},
};

/// Texts of a list, be they texts or objects with a name.
fn texts(value: &Value) -> Vec<String> {
    let one = |value: &Value| value.as_str().or_else(|| value["name"].as_str()).map(str::to_owned);
    value.as_array().into_iter().flatten().filter_map(one).collect()
}

/// Whether the state that is asked for is this one.
pub(super) fn is_wanted(asked: &Asked, open: bool) -> bool {
    match asked.query("state").unwrap_or("open") {
        "all" => true,
        "closed" => !open,
        _ => open,
    }
}

pub(super) fn list(here: &Here<'_>) -> Answered {
    let asked = here.asked;
    let labels: Vec<&str> = asked.query("labels").into_iter().flat_map(|all| all.split(',')).collect();
    let since = asked.query("since").unwrap_or_default();
    let wanted = |issue: &Issue| {
        is_wanted(asked, issue.open)
            && labels.iter().all(|label| issue.labels.iter().any(|own| own == label))
            && *issue.updated.to_string() >= *since
    };
    let name = here.repository.full_name();
    let numbered = here.repository.issues.iter().enumerate();
    let found = numbered.filter(|(_, issue)| wanted(issue));
    let mut all: Vec<Value> = found.map(|(at, issue)| shapes::issue(here.base, &name, at + 1, issue)).collect();
    if asked.query("direction") != Some("asc") {
        all.reverse();
    }
    Ok(page(asked, here.base, &all))
}

pub(super) fn create(here: &mut Here<'_>) -> Answered {
    let login = here.asked.writer()?;
    let title = here.asked.text("title").filter(|title| !title.trim().is_empty());
    let title = title.ok_or_else(|| Answer::invalid("Issue", "title", "title can't be blank"))?;
    let at = now();
    let made = Issue {
        id: here.id,
        title: title.to_owned(),
        body: here.asked.text("body").map(str::to_owned),
        open: true,
        labels: texts(&here.asked.body["labels"]),
        assignees: texts(&here.asked.body["assignees"]),
        by: login,
        created: at,
        updated: at,
        comments: Vec::new(),
        pull: None,
    };
    here.repository.issues.push(made);
    let number = here.repository.issues.len();
    let name = here.repository.full_name();
    Ok(Answer::created(shapes::issue(here.base, &name, number, &here.repository.issues[number - 1])))
}

pub(super) fn show(here: &mut Here<'_>, number: &str) -> Answered {
    let name = here.repository.full_name();
    let (number, issue) = here.repository.issue(number).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(shapes::issue(here.base, &name, number, issue)))
}

pub(super) fn update(here: &mut Here<'_>, number: &str) -> Answered {
    here.asked.writer()?;
    let name = here.repository.full_name();
    let (number, issue) = here.repository.issue(number).ok_or_else(Answer::not_found)?;
    let body = &here.asked.body;
    if let Some(title) = body["title"].as_str() {
        title.clone_into(&mut issue.title);
    }
    if let Some(text) = body["body"].as_str() {
        issue.body = Some(text.to_owned());
    }
    match body["state"].as_str() {
        None => {}
        Some(state @ ("open" | "closed")) => issue.open = state == "open",
        Some(_) => return Err(Answer::invalid("Issue", "state", "state is not included in the list")),
    }
    if body["labels"].is_array() {
        issue.labels = texts(&body["labels"]);
    }
    if body["assignees"].is_array() {
        issue.assignees = texts(&body["assignees"]);
    }
    issue.updated = now();
    Ok(Answer::ok(shapes::issue(here.base, &name, number, issue)))
}

pub(super) fn comments(here: &mut Here<'_>, number: &str) -> Answered {
    let name = here.repository.full_name();
    let (number, issue) = here.repository.issue(number).ok_or_else(Answer::not_found)?;
    let all: Vec<Value> =
        issue.comments.iter().map(|comment| shapes::comment(here.base, &name, number, comment)).collect();
    Ok(page(here.asked, here.base, &all))
}

pub(super) fn comment(here: &mut Here<'_>, number: &str) -> Answered {
    let by = here.asked.writer()?;
    let name = here.repository.full_name();
    let body = here.asked.text("body").unwrap_or_default().to_owned();
    if body.is_empty() {
        return Err(Answer::invalid("IssueComment", "body", "body can't be blank"));
    }
    let (number, issue) = here.repository.issue(number).ok_or_else(Answer::not_found)?;
    let made = Comment { id: here.id, body, by, created: now() };
    let shape = shapes::comment(here.base, &name, number, &made);
    issue.comments.push(made);
    issue.updated = now();
    Ok(Answer::created(json!(shape)))
}
