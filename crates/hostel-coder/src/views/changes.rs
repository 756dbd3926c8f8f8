//! How the repository stands, and what differs in it.

use std::fmt::Write as _;

use hostel::{Cx, JsonSchema, Result};
use hostel_workspace::{
    Content, Lines, Place, Workspace,
    git::{DiffOptions, Range, Repo, Status, StatusEntry},
};
use serde::{Deserialize, Serialize};

use super::{look, repository, told};
use crate::{CoderAgent, kept_back::KeptBack};

/// How much of a difference is told, in bytes.
const DIFF: usize = 256 << 10;

/// How the repository stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatusView {
    /// Whether there is a repository.
    pub repository: bool,
    /// The branch; `null` if the head is at a commit of its own.
    pub branch: Option<String>,
    /// The commit; `null` before the first.
    pub head: Option<String>,
    /// The branch elsewhere that is followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// Commits that it has not.
    pub ahead: usize,
    /// Commits that this one has not.
    pub behind: usize,
    /// The files that are changed.
    pub changes: Vec<ChangeView>,
    /// Whether there are more than were told.
    pub more: bool,
}

/// A file that is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeView {
    /// The file.
    pub path: String,
    /// What it was called before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// How it is changed.
    pub kind: ChangeKind,
}

/// How a file is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It is new, and staged.
    Added,
    /// What is in it is another.
    Modified,
    /// It is gone.
    Deleted,
    /// It has another name.
    Renamed,
    /// It is new, and git does not know it yet.
    Untracked,
    /// Two sides changed it, and nobody has decided.
    Conflicted,
}

/// What to compare.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhatDiff {
    /// Only this file or directory.
    #[serde(default)]
    pub path: Option<String>,
    /// Since this commit, branch, tag or snapshot; the last commit without.
    #[serde(default)]
    pub from: Option<String>,
}

/// What differs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiffView {
    /// A unified diff, files that git does not know yet included.
    pub diff: String,
    /// Whether there is more than was told.
    pub more: bool,
    /// Files that differ and are not shown, because a rule keeps them from being read.
    #[serde(default, rename = "leftOut", skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// How the repository stands.
pub(crate) async fn status(cx: &Cx<CoderAgent>) -> Result<StatusView> {
    let Some(repo) = repository(cx).await? else { return Ok(StatusView::default()) };
    let Status { branch, commit, upstream, ahead, behind, entries, more } = repo.status().await.map_err(told)?;
    let changes = entries.into_iter().map(change).collect();
    Ok(StatusView { repository: true, branch, head: commit, upstream, ahead, behind, changes, more })
}

fn change(entry: StatusEntry) -> ChangeView {
    let letters = [entry.staged, entry.unstaged];
    let is = |letter| letters.contains(&letter);
    let kind = match letters {
        _ if is('?') => ChangeKind::Untracked,
        _ if is('U') => ChangeKind::Conflicted,
        _ if is('D') => ChangeKind::Deleted,
        _ if is('R') || entry.from.is_some() => ChangeKind::Renamed,
        _ if is('A') => ChangeKind::Added,
        _ => ChangeKind::Modified,
    };
    ChangeView { path: entry.path, from: entry.from, kind }
}

/// What differs. Nothing if there is no repository.
pub(crate) async fn diff(cx: &Cx<CoderAgent>, what: WhatDiff) -> Result<DiffView> {
    let WhatDiff { path, from } = what;
    let place = path.as_deref().map(Place::parse).transpose().map_err(told)?.filter(|place| !place.is_root());
    let Some(repo) = repository(cx).await? else { return Ok(DiffView::default()) };
    let range = from.map_or(Range::Head, Range::Since);
    let paths = place.iter().map(ToString::to_string).collect();
    let kept = KeptBack::from_people(cx)?;
    let known = kept.diff(&repo, &DiffOptions { range, paths, ..DiffOptions::default() }).await.map_err(told)?;
    let mut view = DiffView { diff: known.text, more: known.more, left_out: known.left_out };
    let new = new_files(&repo, place.as_ref()).await?;
    let (hidden, new): (Vec<_>, Vec<_>) = new.into_iter().partition(|path| kept.has(path));
    view.left_out.extend(hidden);
    if !view.more && !new.is_empty() {
        let room = DIFF.saturating_sub(view.diff.len());
        let (text, more) =
            look(cx, move |workspace| Ok(additions(workspace, &new, &kept, room))).await?.unwrap_or_default();
        view.diff.push_str(&text);
        view.more = more;
    }
    Ok(shortened(view))
}

async fn new_files(repo: &Repo, below: Option<&Place>) -> Result<Vec<String>> {
    let entries = repo.status().await.map_err(told)?.entries;
    let is_asked = |path: &str| match below.map(Place::as_str) {
        None => true,
        Some(below) => path.strip_prefix(below).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
    };
    let new = entries.into_iter().filter(|entry| entry.unstaged == '?' && is_asked(&entry.path));
    Ok(new.map(|entry| entry.path).collect())
}

/// New files as git would show them, as far as there is room.
fn additions(workspace: &Workspace, paths: &[String], kept: &KeptBack, room: usize) -> (String, bool) {
    let mut text = String::new();
    for path in paths {
        if text.len() >= room {
            return (text, true);
        }
        if kept.check(workspace, path).is_err() {
            continue;
        }
        // It may have gone meanwhile.
        let Ok(page) = workspace.read(path, Lines::default()) else { continue };
        let _ = writeln!(text, "diff --git a/{path} b/{path}\nnew file mode 100644");
        match page.content {
            Content::Binary { .. } => {
                let _ = writeln!(text, "Binary files /dev/null and b/{path} differ");
            }
            Content::Text { text: lines, .. } => addition(&mut text, path, &lines),
        }
    }
    (text, false)
}

fn addition(text: &mut String, path: &str, lines: &str) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{} @@", lines.lines().count());
    for line in lines.split_inclusive('\n') {
        text.push('+');
        text.push_str(line);
    }
    if !lines.ends_with('\n') {
        text.push_str("\n\\ No newline at end of file\n");
    }
}

/// A frame is not to grow without bound: whole lines go.
fn shortened(mut view: DiffView) -> DiffView {
    if view.diff.len() > DIFF {
        let end = view.diff.floor_char_boundary(DIFF);
        let end = view.diff[..end].rfind('\n').map_or(0, |at| at + 1);
        view.diff.truncate(end);
        view.more = true;
    }
    view
}
