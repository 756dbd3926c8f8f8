//! Moving and deleting.

use hostel::{JsonSchema, Result};
use hostel_chat::{Preview, Tool};
use hostel_workspace::{Error, Kind, Workspace};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Call,
    change::{self, change},
    preview, refused, within,
};
use crate::{
    CoderAgent,
    ledger::{self, Found},
    workspaces::said,
};

#[derive(Deserialize, JsonSchema)]
struct Move {
    /// The file or directory.
    from: String,
    /// Where to. Nothing may be there yet.
    to: String,
}

#[derive(Deserialize, JsonSchema)]
struct Delete {
    /// The file or directory.
    path: String,
    /// For a directory: that everything in it goes, too.
    #[serde(default)]
    recursive: bool,
}

pub(super) fn tools() -> Vec<Tool<CoderAgent>> {
    let about = "Moves a file or directory to where nothing is yet.";
    let moves = Tool::new("move_file", about, |cx: Call, input: Move| async move { moved(&cx, input).await });
    let moves = moves.preview(|cx: Call, Move { from, to }: Move| async move {
        within(&cx, move |workspace| {
            let (what, _) = preview::there(workspace, &from)?;
            Ok(Preview::text(format!("Moves {what} to {to}.")).with_fingerprint(kind(workspace, &from)?))
        })
        .await
    });
    let about = "Deletes a file; a directory only if recursive says so.";
    let deletes = Tool::new("delete_file", about, |cx: Call, Delete { path, recursive }: Delete| async move {
        // What is gone after a crash is asked of the ledger.
        let name = path.clone();
        let is_file = within(&cx, move |workspace| Ok(matches!(workspace.kind(&name), Ok(Kind::File)))).await?;
        if is_file && !ledger::has(&cx, WHOLE)? || ledger::has(&cx, change::STEP)? {
            return change(&cx, move |workspace| workspace.plan_delete(&path)).await;
        }
        deleted(&cx, path, recursive).await
    });
    let deletes = deletes.preview(|cx: Call, delete: Delete| async move {
        within(&cx, move |workspace| would_delete(workspace, &delete)).await
    });
    [moves, deletes].map(|tool| tool.ask().resumable()).into()
}

fn kind(workspace: &Workspace, path: &str) -> Result<String> {
    Ok(format!("{:?}", workspace.kind(path).map_err(said)?))
}

/// The step of a call that deletes what is no file.
const WHOLE: &str = "delete";

async fn moved(cx: &Call, Move { from, to }: Move) -> Result<Value> {
    let answer = json!({"changed": format!("moved {from} to {to}")});
    let is_there = |path: &String| {
        let path = path.clone();
        within(cx, move |workspace| Ok(workspace.kind(&path).is_ok()))
    };
    let (old, new, call, about) = (from.clone(), to.clone(), cx.clone(), json!({"from": from, "to": to}));
    let plan = within(cx, move |workspace| {
        // What is in it may have changed: it is moved as it is.
        call.check_preview(&kind(workspace, &old)?)?;
        Ok((about, (old, new)))
    });
    let done = answer.clone();
    let work = |(old, new): (String, String)| {
        within(cx, move |workspace| workspace.move_to(&old, &new).map_err(said).map(|()| done))
    };
    let check = |_| async {
        Ok(match (is_there(&from).await?, is_there(&to).await?) {
            (false, true) => Found::Done(answer.clone()),
            (true, false) => Found::NotDone,
            (true, true) => Found::Unknown(format!("Both {from:?} and {to:?} are there.")),
            (false, false) => Found::Unknown(format!("Neither {from:?} nor {to:?} is there.")),
        })
    };
    ledger::planned(cx, "move", plan, work, check).await
}

/// Deletes a directory or a link. What a crash has left of it goes the same way.
async fn deleted(cx: &Call, path: String, recursive: bool) -> Result<Value> {
    let answer = json!({"changed": format!("deleted {path}")});
    let (name, call, has_begun) = (path.clone(), cx.clone(), ledger::has(cx, WHOLE)?);
    let plan = within(cx, move |workspace| match workspace.kind(&name).map_err(said)? {
        Kind::Directory if !recursive => Err(is_directory(&name)),
        // What a crash has left half deleted was compared before it was begun.
        _ if has_begun => Ok((json!({"path": name}), ())),
        _ => {
            call.check_preview(&preview::digest(&preview::there(workspace, &name)?.1))?;
            Ok((json!({"path": name}), ()))
        }
    });
    let (name, done) = (path.clone(), answer.clone());
    let work = |()| within(cx, move |workspace| workspace.delete_all(&name).map_err(said).map(|()| done));
    let check = |_| {
        within(cx, move |workspace| match workspace.kind(&path) {
            Err(Error::NotFound { .. }) => Ok(Found::Done(answer)),
            _ => Ok(Found::NotDone),
        })
    };
    ledger::planned(cx, WHOLE, plan, work, check).await
}

fn would_delete(workspace: &Workspace, Delete { path, recursive }: &Delete) -> Result<Preview> {
    match workspace.kind(path).map_err(said)? {
        Kind::File => {
            let plan = workspace.plan_delete(path).map_err(said)?;
            Ok(Preview::diff(plan.diff()).with_fingerprint(plan.fingerprint().to_string()))
        }
        Kind::Directory if !recursive => Err(is_directory(path)),
        _ => {
            let (what, all) = preview::there(workspace, path)?;
            Ok(Preview::text(format!("Deletes {what}.")).with_fingerprint(preview::digest(&all)))
        }
    }
}

fn is_directory(path: &str) -> hostel::Error {
    refused(format!("{path:?} is a directory."), "say recursive to delete all that is in it")
}
