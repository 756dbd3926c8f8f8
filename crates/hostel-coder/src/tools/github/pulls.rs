//! Pull requests.

use hostel::{Error, JsonSchema, Result};
use hostel_chat::{Preview, Tool};
use hostel_github::{Github, GithubError, NewPull, Pull, PullFilter, RepoName, StateFilter};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{Call, refused, repository},
    Listing, Of, Paging,
    once::{found_in, has_mark, marked, once},
};
use crate::{CoderAgent, github::told, ledger, workspaces::said};

#[derive(Deserialize, JsonSchema)]
struct List {
    #[serde(flatten)]
    listing: Listing,
    /// From this branch: owner:branch.
    #[serde(default)]
    head: Option<String>,
    /// For this branch.
    #[serde(default)]
    base: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Which {
    #[serde(flatten)]
    of: Of,
    /// The number of the pull request.
    #[serde(alias = "pullNumber", alias = "pull_request_number")]
    pull_number: u64,
}

#[derive(Deserialize, JsonSchema)]
struct Create {
    #[serde(flatten)]
    of: Of,
    /// What it is about, in one line.
    title: String,
    /// What it changes and why, in Markdown.
    #[serde(default)]
    body: Option<String>,
    /// The branch with the changes, which has been pushed; the present one without.
    #[serde(default)]
    head: Option<String>,
    /// The branch they are for; the default one without.
    #[serde(default)]
    base: Option<String>,
    /// Whether it is not ready yet.
    #[serde(default)]
    draft: bool,
}

pub(super) fn reading() -> Vec<Tool<CoderAgent>> {
    let about = "Lists pull requests of a repository on GitHub.";
    let list = Tool::new("githubListPullRequests", about, |cx: Call, list: List| async move {
        let Listing { of, state, paging } = list.listing;
        let (github, name) = of.on(&cx).await?;
        let Paging { page, per_page } = paging;
        let filter = PullFilter { state: state.into(), head: list.head, base: list.base, page, per_page };
        Ok(json!(github.pulls(&name, &filter).await.map_err(told)?))
    });
    let get =
        Tool::new("githubGetPullRequest", "Tells a pull request on GitHub.", |cx: Call, which: Which| async move {
            let (github, name) = which.of.on(&cx).await?;
            Ok(json!(github.pull(&name, which.pull_number).await.map_err(told)?))
        });
    vec![list.repeatable(), get.repeatable()]
}

pub(super) fn writing() -> Vec<Tool<CoderAgent>> {
    let about = "Makes a pull request on GitHub. Push its branch first, with git_push.";
    let named = |name: &str| {
        let tool =
            Tool::new(name, about, made).preview(|cx: Call, create: Create| async move { shown(&cx, create).await });
        tool.ask().resumable()
    };
    vec![named("createPullRequest"), named("githubCreatePullRequest").unlisted()]
}

async fn shown(cx: &Call, create: Create) -> Result<Preview> {
    let (github, name) = create.of.on(cx).await?;
    let draft = if create.draft { "a draft of a" } else { "a" };
    let new = complete(cx, &github, &name, create).await?;
    let text = format!(
        "Makes {draft} pull request in {name}, from {} to {}:\n\n# {}\n\n{}",
        new.head, new.base, new.title, new.body
    );
    Ok(Preview::text(text).with_fingerprint(format!("{name} {} {}", new.head, new.base)))
}

/// With the branches that were not said.
async fn complete(cx: &Call, github: &Github, name: &RepoName, create: Create) -> Result<NewPull> {
    let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let head = match given(create.head) {
        Some(head) => head,
        None => {
            let branch = repository(cx).await?.status().await.map_err(said)?.branch;
            branch.ok_or_else(|| {
                refused("The workspace is on no branch.", "say head, or begin a branch with git_branch")
            })?
        }
    };
    let base = match given(create.base) {
        Some(base) => base,
        None => github.repository(name).await.map_err(told)?.default_branch,
    };
    Ok(NewPull { title: create.title, body: create.body.unwrap_or_default(), head, base, draft: create.draft })
}

async fn made(cx: Call, create: Create) -> Result<Value> {
    let (github, name) = create.of.on(&cx).await?;
    let mut new = complete(&cx, &github, &name, create).await?;
    cx.check_preview(&format!("{name} {} {}", new.head, new.base))?;
    let mark = ledger::mark(&cx, "");
    new.body = marked(&new.body, &mark);
    let write = async { Ok(json!(github.create_pull(&name, &new).await?)) };
    let look = |_| find(&github, &name, &new, &mark);
    let made = once(&cx, "", json!({"head": new.head, "base": new.base}), write, look).await;
    made.map_err(|error| hinted(error, &new.head))
}

/// The pull request between these branches that has our mark, be it closed by now.
async fn find(github: &Github, name: &RepoName, new: &NewPull, mark: &str) -> Result<Option<Value>, GithubError> {
    let list = |page| async move {
        let between = PullFilter::between(name, &new.head, &new.base);
        github.pulls(name, &PullFilter { state: StateFilter::All, page, per_page: Some(100), ..between }).await
    };
    found_in(list, |pull: &Pull| has_mark(pull.body.as_deref(), mark)).await
}

/// GitHub says "head invalid" of a branch that it has not.
fn hinted(error: Error, head: &str) -> Error {
    let is_unpushed = error.code() == Some(hostel::Code::GithubRefused) && error.message().contains("head invalid");
    if !is_unpushed {
        return error;
    }
    error.with_fix(format!("GitHub has no branch {head}: push it first, with git_push"))
}
