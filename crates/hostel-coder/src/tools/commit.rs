//! Commits and branches.

use hostel::{JsonSchema, Result};
use hostel_chat::{Preview, Tool};
use hostel_workspace::git::{CommitPlan, DiffOptions, Prepared, Range, Repo, What};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, cut_short, place, refused, repository};
use crate::{
    CoderAgent,
    kept_back::{KeptBack, Shown, left_out},
    ledger::{self, Found},
    workspaces::said,
};

#[derive(Deserialize, JsonSchema)]
struct Commit {
    /// The message.
    message: String,
    /// Only these files and directories; every change without.
    #[serde(default)]
    paths: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Branch {
    /// The branch.
    name: String,
    /// Whether it is begun, instead of switched to.
    #[serde(default)]
    create: bool,
    /// For a new one: the branch, tag or commit to begin at; where the files are without.
    #[serde(default)]
    from: Option<String>,
}

pub(super) fn tools() -> Vec<Tool<CoderAgent>> {
    let about = "Commits changes, new files included. A workspace without a repository gets one, with the branch main.";
    let commit = Tool::new("git_commit", about, |cx: Call, Commit { message, paths }: Commit| async move {
        committed(&cx, &message, paths, true).await
    });
    let commit = commit
        .preview(|cx: Call, Commit { message, paths }: Commit| async move { would_commit(&cx, &message, paths).await });
    let about = "Switches to a branch, or begins one.";
    let branch = Tool::new("git_branch", about, |cx: Call, branch: Branch| async move { switched(&cx, branch).await });
    let branch = branch.preview(|cx: Call, Branch { name, create, from }: Branch| async move {
        let repo = repository(&cx).await?;
        let at = at(&repo, &name, create, from.as_deref()).await?;
        let shown = match create {
            true => format!("Begins the branch {name} at {}.", from.as_deref().unwrap_or("where the files are")),
            false => format!("Switches to the branch {name}, which is at {at}."),
        };
        Ok(Preview::text(shown).with_fingerprint(at))
    });
    [commit, branch].map(|tool| tool.ask().resumable()).into()
}

/// The commit at which a branch is begun, or to which is switched.
async fn at(repo: &Repo, name: &str, create: bool, from: Option<&str>) -> Result<String> {
    let revision = if create { from.unwrap_or("HEAD") } else { name };
    Ok(repo.commit_id(revision).await.map_err(said)?.unwrap_or_else(|| "no commit".to_owned()))
}

/// All that the commit would hold. Where there is no repository yet, there is nothing to compare with.
async fn would_commit(cx: &Call, message: &str, paths: Vec<String>) -> Result<Preview> {
    let Ok(repo) = repository(cx).await else {
        let what = if paths.is_empty() { "all files".to_owned() } else { paths.join(", ") };
        return Ok(Preview::text(format!("Begins a repository with the branch main, and commits {what}:\n{message}")));
    };
    let plan = repo.plan_commit(&of(paths)).await.map_err(said)?;
    let range = Range::Between(plan.since.clone(), plan.tree.clone());
    let shown = shown(cx, &repo, range).await?;
    let note = left_out(&shown.left_out).map(|note| format!("\n{note}")).unwrap_or_default();
    let shown = Preview::diff(cut_short(shown.text, shown.more)).with_text(format!("{message}{note}"));
    Ok(shown.with_fingerprint(identity(&plan)))
}

/// What differs, for whoever is asked.
pub(super) async fn shown(cx: &Call, repo: &Repo, range: Range) -> Result<Shown> {
    let options = DiffOptions { range, ..DiffOptions::default() };
    KeptBack::from_people(cx)?.diff(repo, &options).await.map_err(said)
}

/// Refuses a commit that would hold something else than was shown.
async fn as_shown(cx: &Call, paths: &[String]) -> Result<()> {
    if cx.previewed().is_none_or(|shown| shown.fingerprint.is_none() && !shown.failed) {
        return Ok(());
    }
    let plan = repository(cx).await?.plan_commit(&of(paths.to_vec())).await.map_err(said)?;
    cx.check_preview(&identity(&plan))
}

fn identity(plan: &CommitPlan) -> String {
    format!("{:?} {}", plan.head, plan.tree)
}

fn of(paths: Vec<String>) -> What {
    if paths.is_empty() { What::All } else { What::Paths(paths) }
}

/// Commits these paths, or everything. The commit is made, then written down, then the branch is moved to it.
pub(super) async fn committed(cx: &Call, message: &str, paths: Vec<String>, is_shown: bool) -> Result<Value> {
    let plan = async {
        if is_shown {
            as_shown(cx, &paths).await?;
        }
        let repo = begun(cx).await?;
        let made = repo.prepare_commit(message, &of(paths)).await.map_err(said)?;
        let about = json!({"commit": made.commit, "parent": made.parent, "subject": made.subject});
        Ok((about, (repo, made)))
    };
    let finish = |(repo, made): (Repo, Prepared)| async move {
        repo.finish_commit(&made).await.map_err(said)?;
        Ok(json!({"commit": made.commit}))
    };
    ledger::planned(cx, "commit", plan, finish, |about| found(cx, about)).await
}

async fn found(cx: &Call, about: Value) -> Result<Found> {
    let repo = repository(cx).await?;
    let text = |name: &str| about[name].as_str().map(str::to_owned);
    let (commit, parent) = (text("commit").unwrap_or_default(), text("parent"));
    let made = Prepared { commit, parent, subject: text("subject").unwrap_or_default() };
    let head = repo.commit_id("HEAD").await.map_err(said)?;
    if head == made.parent {
        repo.finish_commit(&made).await.map_err(said)?;
    } else if head.is_none() || !repo.is_part_of(&made.commit, "HEAD").await.map_err(said)? {
        return Ok(Found::Unknown("The branch is not where this commit was to be put.".to_owned()));
    }
    Ok(Found::Done(json!({"commit": made.commit})))
}

async fn switched(cx: &Call, Branch { name, create, from }: Branch) -> Result<Value> {
    let (answer, start) = (json!({"branch": name}), from.clone());
    let plan = async {
        let repo = repository(cx).await?;
        cx.check_preview(&at(&repo, &name, create, from.as_deref()).await?)?;
        let is_there = is_there(&repo, &name).await?;
        if create && is_there {
            return Err(refused(format!("There is a branch {name:?} already."), "switch to it without create"));
        }
        Ok((json!({"branch": name, "create": create}), repo))
    };
    let change = |repo: Repo| {
        let (name, answer) = (name.clone(), answer.clone());
        async move {
            let done = if create { repo.begin_branch(&name, start.as_deref()).await } else { repo.switch(&name).await };
            done.map_err(said)?;
            Ok(answer)
        }
    };
    let check = |_| async {
        let repo = repository(cx).await?;
        if repo.status().await.map_err(said)?.branch.as_deref() != Some(&*name) {
            // One that was begun, and not switched to: nobody had it before.
            if !create || !is_there(&repo, &name).await? {
                return Ok(Found::NotDone);
            }
            repo.switch(&name).await.map_err(said)?;
        }
        Ok(Found::Done(answer.clone()))
    };
    ledger::planned(cx, "branch", plan, change, check).await
}

async fn is_there(repo: &Repo, name: &str) -> Result<bool> {
    Ok(repo.branches().await.map_err(said)?.iter().any(|branch| branch.name == name))
}

/// The repository of the workspace, begun if there is none.
async fn begun(cx: &Call) -> Result<Repo> {
    if cx.parent_id().is_some() {
        return repository(cx).await;
    }
    let (workspaces, workspace) = place(cx).await?;
    workspaces.runs_git().init(&workspace, "main").await.map_err(said)
}
