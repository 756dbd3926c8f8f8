//! Looking at the repository: how it stands, what differs, what was committed.

use std::fmt::Write as _;

use hostel::JsonSchema;
use hostel_chat::Tool;
use hostel_workspace::git::{DiffOptions, Range, Status};
use serde::Deserialize;

use super::{Call, repository, with_more};
use crate::{CoderAgent, kept_back::KeptBack, workspaces::said};

#[derive(Deserialize, JsonSchema)]
struct Differ {
    /// Whether to compare the last commit with what is staged, instead of with the files.
    #[serde(default)]
    staged: bool,
    /// Only these files and directories.
    #[serde(default)]
    paths: Vec<String>,
    /// Whether only counts of lines are wanted.
    #[serde(default)]
    stat: bool,
}

#[derive(Deserialize, JsonSchema)]
struct Log {
    /// A branch, tag or commit; the present one without.
    #[serde(default)]
    revision: Option<String>,
    /// How many commits; twenty without.
    #[serde(default)]
    count: Option<usize>,
    /// Only commits that touch these files and directories.
    #[serde(default)]
    paths: Vec<String>,
}

pub(super) fn tools() -> Vec<Tool<CoderAgent>> {
    let about = "How the repository stands: its branch, and what is changed, staged and new.";
    let status = Tool::new("git_status", about, |cx: Call, (): ()| async move {
        Ok(standing(&repository(&cx).await?.status().await.map_err(said)?))
    });
    let about = "What differs from the last commit. New files are not in it until they are staged.";
    let diff = Tool::new("git_diff", about, |cx: Call, differ: Differ| async move {
        let range = if differ.staged { Range::Staged } else { Range::Head };
        let options = DiffOptions { range, paths: differ.paths, stat: differ.stat, ..DiffOptions::default() };
        let diff = KeptBack::from_model(&cx)?.diff(&repository(&cx).await?, &options).await.map_err(said)?;
        Ok(diff.with_note("nothing differs"))
    });
    let log = Tool::new("git_log", "The latest commits.", |cx: Call, log: Log| async move { logged(&cx, log).await });
    vec![status.repeatable(), diff.repeatable(), log.repeatable()]
}

async fn logged(cx: &Call, log: Log) -> hostel::Result<String> {
    let count = log.count.unwrap_or(20).clamp(1, 500);
    let commits = repository(cx).await?.log(log.revision.as_deref(), count, &log.paths).await.map_err(said)?;
    let line = |commit: &hostel_workspace::git::Commit| {
        let id: String = commit.id.chars().take(12).collect();
        format!("{id} {} {}", commit.author, commit.subject)
    };
    Ok(with_more(commits.iter().map(line).collect::<Vec<_>>().join("\n"), false, "there are no commits"))
}

fn standing(status: &Status) -> String {
    let branch = status.branch.as_deref().unwrap_or("no branch");
    let mut text = format!("on {branch}, at {}\n", status.commit.as_deref().unwrap_or("no commit yet"));
    if let Some(upstream) = &status.upstream {
        let _ = writeln!(text, "{} ahead of and {} behind {upstream}", status.ahead, status.behind);
    }
    for entry in &status.entries {
        let _ = write!(text, "{}{} {}", entry.staged, entry.unstaged, entry.path);
        let _ = match &entry.from {
            Some(from) => writeln!(text, " (was {from})"),
            None => writeln!(text),
        };
    }
    if status.entries.is_empty() {
        text.push_str("nothing is changed\n");
    }
    with_more(text, status.more, "")
}
