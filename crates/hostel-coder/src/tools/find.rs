//! Finding: by directory, by name, by what is in the files.

use std::fmt::Write as _;

use hostel::{JsonSchema, Result};
use hostel_chat::Tool;
use hostel_workspace::{Found, Kind, ListOptions, Pattern, SearchOptions};
use serde::Deserialize;

use super::{Call, with_more, within};
use crate::{CoderAgent, kept_back::KeptBack, workspaces::said};

#[derive(Deserialize, JsonSchema)]
struct List {
    /// The directory; the whole workspace without.
    #[serde(default)]
    path: String,
    /// How many levels; one without.
    #[serde(default)]
    depth: Option<usize>,
    /// Whether what .gitignore leaves out is listed, too.
    #[serde(default)]
    ignored: bool,
}

#[derive(Deserialize, JsonSchema)]
struct Glob {
    /// Such as src/**/*.rs.
    pattern: String,
}

#[derive(Deserialize, JsonSchema)]
struct Search {
    /// What to look for: a regular expression, or plain text if `text` says so.
    pattern: String,
    /// Whether the pattern is this very text.
    #[serde(default)]
    text: bool,
    /// The directory or file to look in; the whole workspace without.
    #[serde(default)]
    path: String,
    /// Only files like these, such as *.rs; with ! before it, without these.
    #[serde(default)]
    globs: Vec<String>,
    /// Whether a is A.
    #[serde(default)]
    ignore_case: bool,
    /// Whether only whole words count.
    #[serde(default)]
    words: bool,
    /// Whether a match may span lines.
    #[serde(default)]
    multiline: bool,
    /// Lines told before and after each match.
    #[serde(default)]
    context: usize,
}

pub(super) fn tools() -> Vec<Tool<CoderAgent>> {
    let list = Tool::new("list_files", "Lists a directory of the workspace.", |cx: Call, list: List| async move {
        listing(&cx, list).await
    });
    let glob = Tool::new("glob", "Finds files by the pattern of their paths.", |cx: Call, glob: Glob| async move {
        let found = within(&cx, move |workspace| workspace.glob(&glob.pattern).map_err(said)).await?;
        Ok(with_more(found.paths.join("\n"), found.more, "no file is like that"))
    });
    let about = "Searches the text of files as ripgrep does; what .gitignore leaves out is not looked at.";
    let search = Tool::new("search", about, |cx: Call, search: Search| async move {
        let Search { pattern, text, path, globs, ignore_case, words, multiline, context } = search;
        let pattern = if text { Pattern::Text(pattern) } else { Pattern::Regex(pattern) };
        let context = context.min(20);
        let options = SearchOptions { path, globs, ignore_case, words, multiline, context, ..SearchOptions::default() };
        found(&cx, "search", pattern, options).await
    });
    vec![list.repeatable(), glob.repeatable(), search.repeatable()]
}

async fn listing(cx: &Call, list: List) -> Result<String> {
    let options = ListOptions { depth: list.depth.unwrap_or(1).max(1), hidden: true, ignored: list.ignored };
    let listing = within(cx, move |workspace| workspace.list(&list.path, &options).map_err(said)).await?;
    let mut text = String::new();
    for entry in &listing.entries {
        let _ = match entry.kind {
            Kind::Directory => writeln!(text, "{}/", entry.path),
            Kind::File => writeln!(text, "{} ({} bytes)", entry.path, entry.bytes),
            Kind::Link => writeln!(text, "{} (a symbolic link)", entry.path),
            Kind::Other => writeln!(text, "{} (a device, a pipe or a socket)", entry.path),
        };
    }
    Ok(with_more(text, listing.more, "nothing is there"))
}

/// What a search finds, as ripgrep prints it.
///
/// Files that a rule keeps from being read are left out, wherever the search began, and whatever is in them.
pub(super) async fn found(cx: &Call, tool: &str, pattern: Pattern, options: SearchOptions) -> Result<String> {
    let kept = KeptBack::from_model(cx)?.and_from(tool);
    let found = within(cx, move |workspace| {
        let is_kept = kept.below(workspace, &options.path);
        workspace.search_where(&pattern, &options, |path| !is_kept(path)).map_err(said)
    })
    .await?;
    let mut text = with_more(printed(&found), found.more, &format!("nothing was found in {} files", found.searched));
    if found.left_out > 0 {
        let _ = write!(
            text,
            "\n({} files were not looked at: a rule of this agent keeps them from being read)",
            found.left_out
        );
    }
    Ok(text)
}

fn printed(found: &Found) -> String {
    let mut text = String::new();
    for file in &found.files {
        for line in &file.lines {
            let mark = if line.is_match { ':' } else { '-' };
            let _ = writeln!(text, "{}{mark}{}{mark}{}", file.path, line.number, line.text);
        }
    }
    text
}
