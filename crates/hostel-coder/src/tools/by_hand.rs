//! What people alone do, by a command: the model is not told of it, and it does nothing in an answer to anything else.

use hostel::{JsonSchema, Result};
use hostel_chat::{Preview, Room, Tool};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, place, preview::digest, refused};
use crate::{
    CoderAgent, Mode, PolicyChange, commands,
    kept_back::KeptBack,
    ledger::{self, Found},
    policy,
    snapshots::{self, Taken},
    work::cut,
};

/// Begins or ends plan mode.
pub(crate) const PLAN_MODE: &str = "plan_mode";
/// Puts files back.
pub(crate) const UNDO: &str = "undo_changes";
/// What the model is not told of.
pub(crate) const TOOLS: [&str; 2] = [PLAN_MODE, UNDO];

const STEP: &str = "undo";

#[derive(Deserialize, JsonSchema)]
struct Turn {
    /// Whether it begins.
    on: bool,
}

pub(super) fn tools() -> Vec<Tool<CoderAgent>> {
    let plan = Tool::new(PLAN_MODE, "Begins or ends plan mode, by hand.", |cx: Call, Turn { on }: Turn| async move {
        turned(&cx, on)
    });
    let about = "Puts the files back to before the last message that changed them, by hand.";
    let undo = Tool::new(UNDO, about, |cx: Call, (): ()| async move { undone(&cx).await });
    let undo = undo.preview(|cx: Call, _: Value| async move { Ok(back(&cx).await?.shown()) });
    vec![plan.repeatable(), undo.ask().resumable()]
}

/// Refuses if what is answered is not this command.
fn check_command(cx: &Call, name: &str) -> Result<()> {
    let (asked, said) = (snapshots::asked(cx, cx.turn_id())?, Room::of(cx.cx()).transcript()?);
    let message = said.iter().find(|message| Some(&message.id) == asked.as_ref());
    let last = message.and_then(|message| message.parts.iter().filter_map(|part| part["text"].as_str()).next_back());
    let is_it = last.and_then(commands::said).is_some_and(|(found, _)| found == name);
    if is_it && cx.parent_id().is_none() {
        return Ok(());
    }
    Err(refused(format!("Only people do this, by saying /{name}."), "tell them if you think that they should"))
}

fn turned(cx: &Call, on: bool) -> Result<&'static str> {
    check_command(cx, "plan")?;
    let usual = policy::usual_mode(cx);
    let mode = if on { Mode::Plan } else { usual };
    cx.try_update(|_| policy::change(cx, PolicyChange { mode: Some(mode), rules: None }))?;
    Ok(match mode {
        Mode::Plan => "In plan mode: it may look, and change nothing, until /plan off.",
        Mode::Ask => "Out of plan mode: what changes anything asks first, unless a rule says otherwise.",
        Mode::Auto => "Out of plan mode: what stays in the workspace and the sandbox runs; what reaches out asks.",
    })
}

/// Where the files are put back to, and what would become different.
struct Back {
    target: Taken,
    said: String,
    diff: Option<String>,
    /// The commit that the branch would leave, if it would.
    commit: Option<String>,
}

async fn back(cx: &Call) -> Result<Back> {
    check_command(cx, "undo")?;
    let Some((message, target)) = snapshots::last_change(cx, cx.turn_id())? else {
        return Err(refused(
            "No message of this conversation has changed a file.",
            "the page shows what was said when",
        ));
    };
    let (workspaces, workspace) = place(cx).await?;
    let now = snapshots::take(&workspaces, &workspace, "undo").await?;
    // The model reads it later.
    let kept = KeptBack::from_model(cx)?;
    let diff = snapshots::difference(&workspaces, &workspace, &now, &target, &kept).await?;
    let commit = now.commit.filter(|commit| Some(commit) != target.commit.as_ref());
    Ok(Back { target, said: words(cx, &message)?, diff, commit })
}

/// The beginning of what was said.
fn words(cx: &Call, message: &str) -> Result<String> {
    let said = Room::of(cx.cx()).transcript()?;
    let parts = said.iter().filter(|found| found.id == message).flat_map(|found| &found.parts);
    let text = parts.filter_map(|part| part["text"].as_str()).next().unwrap_or_default();
    Ok(cut(text.lines().next().unwrap_or_default(), 60))
}

impl Back {
    fn fingerprint(&self) -> String {
        digest(&format!("{} {:?} {:?}", self.target.tree, self.diff, self.commit))
    }

    fn summary(&self) -> String {
        format!("the files are as they were before \"{}\"", self.said)
    }

    fn shown(&self) -> Preview {
        let mut text = format!("Afterwards {}.", self.summary());
        if let Some(commit) = &self.commit {
            text.push_str(&format!(" The branch leaves commit {}, too.", &commit[..commit.len().min(12)]));
        }
        let shown = match &self.diff {
            Some(diff) => Preview::diff(diff).with_text(text),
            None => Preview::text(text),
        };
        shown.with_fingerprint(self.fingerprint())
    }
}

async fn undone(cx: &Call) -> Result<Value> {
    let plan = async {
        let back = back(cx).await?;
        cx.check_preview(&back.fingerprint())?;
        let answer = json!({"changed": back.summary(), "diff": back.diff});
        Ok((json!({"target": back.target, "answer": answer}), (back.target, answer)))
    };
    let make = |(target, answer): (Taken, Value)| put_back(cx, target, answer);
    // Done again, it comes to the same.
    let check = |mut about: Value| async move {
        let target = serde_json::from_value(about["target"].take())?;
        Ok(Found::Done(put_back(cx, target, about["answer"].take()).await?))
    };
    ledger::planned(cx, STEP, plan, make, check).await
}

async fn put_back(cx: &Call, target: Taken, answer: Value) -> Result<Value> {
    let (workspaces, workspace) = place(cx).await?;
    let _alone = workspaces.alone().await;
    snapshots::put_back(&workspaces, &workspace, &target).await?;
    Ok(answer)
}
