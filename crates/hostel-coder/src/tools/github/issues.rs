//! Issues: listed, read, written, changed, commented.

use hostel::{JsonSchema, Result};
use hostel_chat::{Preview, Tool};
use hostel_github::{
    Comment, Github, GithubError, Issue, IssueChange, IssueFilter, NewIssue, RepoName, State, StateFilter,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{Call, refused},
    Listing, Of, Paging,
    once::{found_in, has_mark, marked, once, since, since_of},
};
use crate::{CoderAgent, github::told, ledger};

/// How many comments are told with an issue.
const COMMENTS: usize = 30;

#[derive(Deserialize, JsonSchema)]
struct List {
    #[serde(flatten)]
    listing: Listing,
    /// With all of these labels.
    #[serde(default)]
    labels: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Which {
    #[serde(flatten)]
    of: Of,
    /// The number of the issue.
    #[serde(alias = "issueNumber")]
    issue_number: u64,
    /// Where the issue is; only github is known.
    #[serde(default)]
    source: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Create {
    #[serde(flatten)]
    of: Of,
    /// What it is about.
    title: String,
    /// The text, in Markdown.
    #[serde(default)]
    body: Option<String>,
    /// Its labels.
    #[serde(default)]
    labels: Vec<String>,
    /// Who is to do something.
    #[serde(default)]
    assignees: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Update {
    #[serde(flatten)]
    of: Of,
    /// The number of the issue.
    #[serde(alias = "issueNumber")]
    issue_number: u64,
    /// Another title.
    #[serde(default)]
    title: Option<String>,
    /// Another text.
    #[serde(default)]
    body: Option<String>,
    /// open or closed.
    #[serde(default)]
    state: Option<OpenOrClosed>,
    /// These labels instead.
    #[serde(default)]
    labels: Option<Vec<String>>,
    /// These people instead.
    #[serde(default)]
    assignees: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum OpenOrClosed {
    Open,
    Closed,
}

#[derive(Deserialize, JsonSchema)]
struct Say {
    #[serde(flatten)]
    of: Of,
    /// The number of the issue or pull request.
    #[serde(alias = "issue_number")]
    #[serde(rename = "issueNumber")]
    issue_number: u64,
    /// The comment, in Markdown.
    body: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Status {
    /// Where the issue is; only github is known.
    #[serde(default)]
    source: Option<String>,
    #[serde(flatten)]
    of: Of,
    /// The number of the issue.
    #[serde(alias = "issue_number")]
    issue_number: u64,
    /// open or closed; another word becomes a label.
    status: String,
    /// A comment to say why.
    #[serde(default)]
    comment: Option<String>,
}

pub(super) fn reading() -> Vec<Tool<CoderAgent>> {
    let about = "Lists issues of a repository on GitHub; pull requests are among them, and say so.";
    let list = Tool::new("githubListIssues", about, |cx: Call, list: List| async move {
        let Listing { of, state, paging } = list.listing;
        let (github, name) = of.on(&cx).await?;
        let Paging { page, per_page } = paging;
        let filter = IssueFilter { state: state.into(), labels: list.labels, since: None, page, per_page };
        Ok(json!(github.issues(&name, &filter).await.map_err(told)?))
    });
    let get = Tool::new("githubGetIssue", "Tells an issue on GitHub, with its comments.", whole);
    let details = Tool::new("getIssueDetails", "The same as githubGetIssue.", whole).unlisted();
    vec![list.repeatable(), get.repeatable(), details.repeatable()]
}

async fn whole(cx: Call, which: Which) -> Result<Value> {
    only_github(which.source.as_deref())?;
    let (github, name) = which.of.on(&cx).await?;
    let issue = github.issue(&name, which.issue_number).await.map_err(told)?;
    let mut told_of = json!(issue);
    if issue.comments > 0 {
        let comments = github.comments(&name, which.issue_number, None, None).await.map_err(told)?;
        let all = comments.items.len();
        let latest: Vec<Comment> = comments.items.into_iter().skip(all.saturating_sub(COMMENTS)).collect();
        told_of["comments"] = json!(latest);
    }
    Ok(told_of)
}

fn only_github(source: Option<&str>) -> Result<()> {
    match source.filter(|source| !source.eq_ignore_ascii_case("github")) {
        None => Ok(()),
        Some(other) => {
            Err(refused(format!("There are no issues of {other:?} here."), "leave source out, or say github"))
        }
    }
}

pub(super) fn writing() -> Vec<Tool<CoderAgent>> {
    let create = Tool::new("githubCreateIssue", "Writes an issue on GitHub.", created).preview(
        |cx: Call, new: Create| async move {
            let name = new.of.name(&cx)?;
            let body = new.body.unwrap_or_default();
            Ok(Preview::text(format!("Writes an issue in {name}:\n\n# {}\n\n{body}", new.title)))
        },
    );
    let update = Tool::new("githubUpdateIssue", "Changes an issue on GitHub: what is left out stays.", updated)
        .preview(|cx: Call, update: Update| async move {
            let (name, number) = (update.of.name(&cx)?, update.issue_number);
            Ok(Preview::text(format!("Changes issue #{number} of {name}:\n\n{:#}", json!(change(update)))))
        });
    let about = "Writes a comment to an issue or pull request on GitHub.";
    let comment = Tool::new("add_issue_comment", about, commented).preview(|cx: Call, say: Say| async move {
        let name = say.of.name(&cx)?;
        Ok(Preview::text(format!("Writes a comment to #{} of {name}:\n\n{}", say.issue_number, say.body)))
    });
    let about = "Opens or closes an issue on GitHub, or labels it with another status, and says why.";
    let status = Tool::new("updateIssueStatus", about, set).preview(|cx: Call, status: Status| async move {
        let name = status.of.name(&cx)?;
        let why = status.comment.map(|text| format!(" and comments:\n\n{text}")).unwrap_or_default();
        Ok(Preview::text(format!("Sets issue #{} of {name} to {:?}{why}", status.issue_number, status.status)))
    });
    [create, update, comment, status.unlisted()].map(|tool| tool.ask().resumable()).into()
}

async fn created(cx: Call, create: Create) -> Result<Value> {
    let (github, name) = create.of.on(&cx).await?;
    let mark = ledger::mark(&cx, "");
    let new = NewIssue {
        title: create.title,
        body: Some(marked(&create.body.unwrap_or_default(), &mark)),
        labels: create.labels,
        assignees: create.assignees,
    };
    let write = async { Ok(json!(github.create_issue(&name, &new).await?)) };
    let look = |about: Value| find_issue(&github, &name, about, &mark);
    once(&cx, "", json!({"since": since(&cx)}), write, look).await
}

/// The issue with our mark.
async fn find_issue(github: &Github, name: &RepoName, about: Value, mark: &str) -> Result<Option<Value>, GithubError> {
    let since = since_of(&about);
    let list = |page| async move {
        let filter =
            IssueFilter { state: StateFilter::All, since, page, per_page: Some(100), ..IssueFilter::default() };
        github.issues(name, &filter).await
    };
    found_in(list, |issue: &Issue| has_mark(issue.body.as_deref(), mark)).await
}

fn change(update: Update) -> IssueChange {
    let state = update.state.map(|state| match state {
        OpenOrClosed::Open => State::Open,
        OpenOrClosed::Closed => State::Closed,
    });
    let Update { title, body, labels, assignees, .. } = update;
    IssueChange { title, body, state, labels, assignees }
}

async fn updated(cx: Call, update: Update) -> Result<Value> {
    let (github, name) = update.of.on(&cx).await?;
    let number = update.issue_number;
    change_once(&cx, "", &github, &name, number, change(update)).await
}

async fn change_once(
    cx: &Call,
    step: &str,
    github: &Github,
    name: &RepoName,
    number: u64,
    change: IssueChange,
) -> Result<Value> {
    if change == IssueChange::default() {
        return Err(refused("Nothing was said that could be changed.", "say title, body, state, labels or assignees"));
    }
    let write = async { Ok(json!(github.update_issue(name, number, &change).await?)) };
    let look = |_| async {
        let issue = github.issue(name, number).await?;
        Ok(change.is_made(&issue).then(|| json!(issue)))
    };
    once(cx, step, json!({}), write, look).await
}

async fn commented(cx: Call, say: Say) -> Result<Value> {
    let (github, name) = say.of.on(&cx).await?;
    comment_once(&cx, "", &github, &name, say.issue_number, &say.body).await
}

async fn comment_once(
    cx: &Call,
    step: &str,
    github: &Github,
    name: &RepoName,
    number: u64,
    text: &str,
) -> Result<Value> {
    let mark = ledger::mark(cx, step);
    let body = marked(text, &mark);
    let write = async { Ok(json!(github.comment(name, number, &body).await?)) };
    let look = |about: Value| find_comment(github, name, number, about, &mark);
    once(cx, step, json!({"since": since(cx)}), write, look).await
}

/// The comment with our mark.
async fn find_comment(
    github: &Github,
    name: &RepoName,
    number: u64,
    about: Value,
    mark: &str,
) -> Result<Option<Value>, GithubError> {
    let since = since_of(&about);
    let list = |page| github.comments(name, number, since, page);
    found_in(list, |comment: &Comment| has_mark(comment.body.as_deref(), mark)).await
}

async fn set(cx: Call, status: Status) -> Result<Value> {
    only_github(status.source.as_deref())?;
    let (github, name) = status.of.on(&cx).await?;
    let number = status.issue_number;
    if let Some(comment) = status.comment.filter(|text| !text.trim().is_empty()) {
        comment_once(&cx, "comment", &github, &name, number, &comment).await?;
    }
    let change = match &*status.status.to_lowercase() {
        "open" | "reopened" => IssueChange { state: Some(State::Open), ..IssueChange::default() },
        "closed" | "done" | "completed" => IssueChange { state: Some(State::Closed), ..IssueChange::default() },
        _ => {
            let mut labels = github.issue(&name, number).await.map_err(told)?.labels;
            if !labels.contains(&status.status) {
                labels.push(status.status);
            }
            IssueChange { labels: Some(labels), ..IssueChange::default() }
        }
    };
    change_once(&cx, "status", &github, &name, number, change).await
}
