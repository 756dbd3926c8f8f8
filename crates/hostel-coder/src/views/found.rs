//! What a search of the files finds.

use hostel::{Cx, JsonSchema, Result};
use hostel_workspace::{Found, Pattern, SearchOptions, Workspace};
use serde::{Deserialize, Serialize};

use super::look;
use crate::{CoderAgent, kept_back::KeptBack};

/// What to look for, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhatFind {
    /// A text, or a regular expression if `regex` says so. Capitals count only if there are some.
    pub query: String,
    /// A directory or file; the whole workspace without.
    #[serde(default)]
    pub path: Option<String>,
    /// Whether the query is a regular expression.
    #[serde(default)]
    pub regex: bool,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundView {
    /// The lines, file by file.
    pub matches: Vec<MatchView>,
    /// How many files were looked at.
    pub searched: usize,
    /// How many were not, because a rule keeps them from being read.
    #[serde(default, rename = "leftOut", skip_serializing_if = "is_none")]
    pub left_out: usize,
    /// Whether there is more than was told.
    pub more: bool,
}

/// A line that matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MatchView {
    /// The file.
    pub path: String,
    /// The number of the line, from 1.
    pub line: u64,
    /// The line.
    pub text: String,
}

/// Searches the text of files; what `.gitignore` leaves out is not looked at.
pub(crate) async fn search(cx: &Cx<CoderAgent>, what: WhatFind) -> Result<FoundView> {
    let WhatFind { query, path, regex } = what;
    if query.is_empty() {
        return Ok(FoundView::default());
    }
    let ignore_case = !query.chars().any(char::is_uppercase);
    let options = SearchOptions { path: path.unwrap_or_default(), ignore_case, ..SearchOptions::default() };
    let pattern = if regex { Pattern::Regex(query) } else { Pattern::Text(query) };
    let kept = KeptBack::from_people(cx)?;
    let search = move |workspace: &Workspace| {
        let is_kept = kept.below(workspace, &options.path);
        workspace.search_where(&pattern, &options, |path| !is_kept(path))
    };
    Ok(look(cx, search).await?.map(view).unwrap_or_default())
}

fn view(found: Found) -> FoundView {
    let of_file = |file: hostel_workspace::FileMatches| {
        let path = file.path;
        let lines = file.lines.into_iter().filter(|line| line.is_match);
        lines.map(move |line| MatchView { path: path.clone(), line: line.number, text: line.text })
    };
    let matches = found.files.into_iter().flat_map(of_file).collect();
    FoundView { matches, searched: found.searched, left_out: found.left_out, more: found.more }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over like this")]
fn is_none(count: &usize) -> bool {
    *count == 0
}
