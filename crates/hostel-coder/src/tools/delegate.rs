//! Work side by side: agents under this one, each in a work tree and on a branch of its own, and what becomes of the branches.

use std::{path::PathBuf, time::Duration};

use hostel::{JsonSchema, Result};
use hostel_chat::{AgentRunState, AgentTask, Preview, Tool};
use hostel_workspace::git::{DiffOptions, Merged, Range, Repo, What};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, commit, cut_short, refused, repository};
use crate::{
    Budget, CoderAgent,
    child::{Errand, branch_of},
    errands,
    kept_back::left_out,
    ledger::{self, Found},
    workspaces::{Workspaces, said},
};

/// How long such an agent may take, the time included for which it waits for somebody's yes; and how many steps if nobody says.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const STEPS: u64 = 60;
/// Its time is over before that of the call is, so that the call says so.
const SLACK: Duration = Duration::from_secs(60);

#[derive(Deserialize, JsonSchema)]
struct Delegate {
    /// What to call it: small letters, digits and -, such as fix-parser. Its branch is hostel/fix-parser.
    name: String,
    /// What is to be done, with everything it has to know: it sees nothing of this conversation.
    task: String,
    /// Whether it may run commands in the sandbox.
    #[serde(default)]
    commands: bool,
    /// How often its model may be asked; 60 without.
    #[serde(default)]
    steps: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
struct Take {
    /// The name that was delegated to.
    name: String,
}

const ABOUT: &str = "Has another agent do part of the work in a work tree and on a branch of its own, hostel/NAME, which begins at the \
last commit. Call it several times in one step to have several work side by side. It reads, edits and commits there, and asks nobody; \
it answers what it did. Nothing of it is in your files before take_branch.";

/// Agents that are under another have neither.
pub(super) fn tools(cx: &hostel::Cx<CoderAgent>) -> Vec<Tool<CoderAgent>> {
    if cx.parent_id().is_some() {
        return Vec::new();
    }
    let delegate =
        Tool::new("delegate", ABOUT, |cx: Call, delegate: Delegate| async move { sent(&cx, delegate).await });
    let delegate =
        delegate.preview(|_: Call, delegate: Delegate| async move { Ok(Preview::text(conditions(&delegate))) });
    let about =
        "Merges the branch of an agent that was delegated to into the present one, and takes its work tree away.";
    let take = Tool::new("take_branch", about, |cx: Call, Take { name }: Take| async move { taken(&cx, &name).await });
    let take = take.preview(|cx: Call, Take { name }: Take| async move { would_take(&cx, &name).await });
    vec![delegate.ask().repeatable().timeout(LONGEST + SLACK), take.ask().resumable()]
}

/// Whoever says yes to it says yes to this.
fn conditions(delegate: &Delegate) -> String {
    let commands = if delegate.commands { "and runs commands in the sandbox" } else { "and runs no commands" };
    let steps = delegate.steps.unwrap_or(STEPS);
    format!(
        "An agent {:?} edits and commits on its own branch hostel/{0} without asking, {commands}; {steps} steps at most.",
        delegate.name
    )
}

async fn sent(cx: &Call, delegate: Delegate) -> Result<Value> {
    let branch = branch_of(&delegate.name)?;
    let task = AgentTask::new(&delegate.task).named(&delegate.name).display(&delegate.name).limit(LONGEST);
    let agent = cx.agent_name(&task)?;
    let done = async {
        let given = set_up(cx, &delegate, &agent, &branch).await?;
        carried_out(cx, task, &given, &delegate.name).await
    };
    let done = done.await;
    if done.is_err() {
        // What it had to itself is free again.
        errands::give_up(cx, &agent)?;
    }
    done
}

/// An errand that is about to be carried out: by whom and where, and what it begins at.
struct Given<'a> {
    agent: &'a str,
    branch: &'a str,
    repo: Repo,
    tree: Repo,
    base: String,
}

/// Everything before it: what it may take is set aside, its work tree is made, and its agent knows what it may do.
async fn set_up<'a>(cx: &Call, delegate: &Delegate, agent: &'a str, branch: &'a str) -> Result<Given<'a>> {
    let steps = Budget { steps: Some(delegate.steps.unwrap_or(STEPS).max(1)), ..Budget::default() };
    let budget = errands::begin(cx, agent, &delegate.name, steps)?;
    let repo = repository(cx).await?;
    let tree = tree(cx, &repo, agent, branch).await?;
    let base = repo.commit_id(branch).await.map_err(said)?.unwrap_or_default();
    let errand = Errand { commands: delegate.commands, budget, above: errands::above(cx)? };
    cx.sub_agent::<CoderAgent>(agent)?.prepare_errand(&errand).await?;
    Ok(Given { agent, branch, repo, tree, base })
}

async fn carried_out(cx: &Call, task: AgentTask, given: &Given<'_>, name: &str) -> Result<Value> {
    let Given { agent, branch, .. } = given;
    cx.progress(&json!({"running": true, "agent": agent, "branch": branch}))?;
    let run = cx.run_agent::<CoderAgent>(task).await?;
    let result = cx.sub_agent::<CoderAgent>(agent)?.errand_result(agent).await?;
    errands::end(cx, agent, &result.used)?;
    let changed = changed(given, name).await?;
    let summary = run.error.unwrap_or(result.summary);
    Ok(json!({"agent": agent, "branch": branch, "ended": ended(run.state), "summary": summary, "used": result.used,
        "changed": changed}))
}

/// What is on its branch. What the agent left lying is as well, so that nothing is lost.
async fn changed(given: &Given<'_>, name: &str) -> Result<String> {
    let Given { branch, repo, tree, base, .. } = given;
    if !tree.status().await.map_err(said)?.entries.is_empty() {
        tree.commit(&format!("What {name} left"), &What::All).await.map_err(said)?;
    }
    let start = repo.commit_id("HEAD").await.map_err(said)?.unwrap_or_else(|| base.clone());
    let range = Range::Between(start, (*branch).to_owned());
    let stat = repo.diff(&DiffOptions { range, stat: true, ..DiffOptions::default() }).await.map_err(said)?;
    Ok(stat.text.trim_end().to_owned())
}

fn ended(state: AgentRunState) -> &'static str {
    match state {
        AgentRunState::Completed => "done",
        AgentRunState::Aborted => "cancelled",
        _ => "failed",
    }
}

/// The work tree of the agent, made if it is not there. One that somebody else has left on this branch becomes its own, with all
/// that lies in it.
async fn tree(cx: &Call, repo: &Repo, agent: &str, branch: &str) -> Result<Repo> {
    let child = cx.id().sub_agent(<CoderAgent as hostel::Agent>::CLASS, agent)?;
    let path = cx.env::<Workspaces>()?.directory_of(&child);
    repo.clear_unfinished_worktree(&path, branch).await.map_err(said)?;
    if let Ok(there) = repo.worktree(&path) {
        return Ok(there);
    }
    if repo.commit_id("HEAD").await.map_err(said)?.is_none() {
        return Err(refused("There is no commit to begin at.", "commit with git_commit first"));
    }
    if let Some(left) = left(repo, branch).await? {
        repo.clear_unfinished_worktree(&left, branch).await.map_err(said)?;
    }
    if let Some(left) = left(repo, branch).await? {
        return repo.move_worktree(&left, &path).await.map_err(said);
    }
    if repo.commit_id(branch).await.map_err(said)?.is_some() {
        return Err(refused(format!("There is a branch {branch} already."), "use another name, or take_branch first"));
    }
    repo.add_worktree(&path, branch, None).await.map_err(said)
}

/// The work tree that is on this branch.
async fn left(repo: &Repo, branch: &str) -> Result<Option<PathBuf>> {
    repo.prune_worktrees().await.map_err(said)?;
    let trees = repo.worktrees().await.map_err(said)?;
    Ok(trees.into_iter().skip(1).find(|tree| tree.branch.as_deref() == Some(branch)).map(|tree| tree.path))
}

/// Where both branches are.
struct Ends {
    head: String,
    tip: String,
}

impl Ends {
    async fn of(repo: &Repo, branch: &str) -> Result<Self> {
        let (head, tip) = (repo.commit_id("HEAD").await.map_err(said)?, repo.commit_id(branch).await.map_err(said)?);
        let none =
            || refused(format!("There is no branch {branch}."), "delegate makes one; git_log shows what is there");
        Ok(Self { head: head.unwrap_or_default(), tip: tip.ok_or_else(none)? })
    }

    fn fingerprint(&self) -> String {
        format!("{} {}", self.head, self.tip)
    }
}

async fn would_take(cx: &Call, name: &str) -> Result<Preview> {
    let repo = repository(cx).await?;
    let ends = Ends::of(&repo, &branch_of(name)?).await?;
    let shown = commit::shown(cx, &repo, Range::Between(ends.head.clone(), ends.tip.clone())).await?;
    let note = left_out(&shown.left_out);
    let preview = Preview::diff(cut_short(shown.text, shown.more)).with_fingerprint(ends.fingerprint());
    Ok(match note {
        Some(note) => preview.with_text(note),
        None => preview,
    })
}

async fn taken(cx: &Call, name: &str) -> Result<Value> {
    let branch = branch_of(name)?;
    if errands::is_at_work(cx, name, "")? {
        return Err(refused(format!("An agent is at work on {branch}."), "wait until its errand is over"));
    }
    let plan = async {
        let repo = repository(cx).await?;
        let ends = Ends::of(&repo, &branch).await?;
        cx.check_preview(&ends.fingerprint())?;
        Ok((json!({"tip": ends.tip}), (repo, ends.tip)))
    };
    let merge = |(repo, tip): (Repo, String)| merged(repo, tip, &branch);
    let answer = ledger::planned(cx, "take", plan, merge, |about| is_taken(cx, about, &branch)).await?;
    // What was taken needs no place of its own any more.
    let repo = repository(cx).await?;
    if let Some(left) = left(&repo, &branch).await? {
        let _ = repo.remove_worktree(&left).await;
    }
    let _ = repo.delete_branch(&branch).await;
    Ok(answer)
}

/// Merges the commit that was shown, wherever the branch is by now.
async fn merged(repo: Repo, tip: String, branch: &str) -> Result<Value> {
    match repo.merge(&tip, &format!("Take {branch}")).await.map_err(said)? {
        Merged::Conflicts(files) => {
            let fix = "make the same changes by hand, or delegate again from here with another name";
            let files = files.join(", ");
            Err(refused(format!("It does not go together with what is here, in: {files}. Nothing was changed."), fix))
        }
        Merged::Done(commit) => Ok(json!({"commit": commit, "taken": branch})),
    }
}

/// After a crash: whether it was merged. What is left of a merge that was not is given up.
async fn is_taken(cx: &Call, about: Value, branch: &str) -> Result<Found> {
    let (repo, tip) = (repository(cx).await?, about["tip"].as_str().unwrap_or_default());
    repo.abort_merge(tip).await.map_err(said)?;
    if !repo.is_part_of(tip, "HEAD").await.map_err(said)? {
        return Ok(Found::NotDone);
    }
    let commit = repo.commit_id("HEAD").await.map_err(said)?;
    Ok(Found::Done(json!({"commit": commit, "taken": branch})))
}
