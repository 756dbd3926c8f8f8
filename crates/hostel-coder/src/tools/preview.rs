//! What the tools would do, for whoever is to say yes.

use hostel::Result;
use hostel_chat::{Preview, Tool};
use hostel_workspace::{Kind, ListOptions, Plan, Workspace};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::{Call, change::change, within};
use crate::{CoderAgent, workspaces::said};

/// A tool that plans a change of files, shows its diff to whoever is asked, and makes it.
pub(super) fn editing<T>(
    name: &str,
    about: &str,
    plan: fn(&Workspace, T) -> hostel_workspace::Result<Plan>,
) -> Tool<CoderAgent>
where
    T: DeserializeOwned + JsonSchema + Send + 'static,
{
    let run =
        move |cx: Call, input: T| async move { change(&cx, move |workspace: &Workspace| plan(workspace, input)).await };
    let shows = move |cx: Call, input: T| async move {
        of_change(&cx, move |workspace: &Workspace| plan(workspace, input)).await
    };
    Tool::new(name, about, run).preview(shows).ask().resumable()
}

/// The diff of a change that is not made yet.
pub(super) async fn of_change<F>(cx: &Call, plan: F) -> Result<Preview>
where
    F: FnOnce(&Workspace) -> hostel_workspace::Result<Plan> + Send + 'static,
{
    within(cx, move |workspace| {
        let plan = plan(workspace).map_err(said)?;
        let shown = Preview::diff(plan.diff()).with_text(plan.summary().trim_end());
        Ok(shown.with_fingerprint(plan.fingerprint().to_string()))
    })
    .await
}

/// What is at `path`, all that is in it included: in words, and as what tells it from others. Blocks.
pub(super) fn there(workspace: &Workspace, path: &str) -> Result<(String, String)> {
    let kind = workspace.kind(path).map_err(said)?;
    if kind != Kind::Directory {
        return Ok((format!("the {} {path}", name(kind)), name(kind).to_owned()));
    }
    let all = ListOptions { depth: usize::MAX, hidden: true, ignored: true };
    let listing = workspace.list(path, &all).map_err(said)?;
    let files = listing.entries.iter().filter(|entry| entry.kind != Kind::Directory);
    let (count, bytes) = files.fold((0, 0), |(count, bytes), entry| (count + 1, bytes + entry.bytes));
    let at_least = if listing.more { "at least " } else { "" };
    let words = format!("the directory {path} with {at_least}{count} files of {bytes} bytes together");
    Ok((words, format!("{:?}", listing.entries)))
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Link => "link",
        Kind::Other => "special file",
    }
}

/// What tells one text from another.
pub(super) fn digest(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    data_encoding::HEXLOWER.encode(&Sha256::digest(text))
}
