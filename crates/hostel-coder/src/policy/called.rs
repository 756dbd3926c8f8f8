//! A call as rules see it: what it is used on, what it does besides, and whose contents it shows.

use serde_json::{Value, json};

use super::{
    subject::{Subject, is_edit, is_held},
    ways::Ways,
};

/// Tools that show what is in the files they are used on, at some commit or elsewhere.
const SHOWING: [&str; 4] = ["getFileContents", "get_file_contents", "githubGetFile", "fetchFileContents"];

/// A call that is to be ruled.
#[derive(Debug)]
pub(super) struct Called<'a> {
    pub(super) tool: &'a str,
    /// What it is used on.
    pub(super) on: Subject,
    /// What it does besides what its own tool is for: it is ruled as that, too.
    pub(super) besides: Option<(&'static str, Subject)>,
    /// The files whose contents it shows without being `read_file`, be it because it shows what becomes different in them.
    pub(super) shows: Option<Subject>,
}

impl<'a> Called<'a> {
    pub(super) fn new(tool: &'a str, input: &Value, ways: &Ways) -> Self {
        let on = Subject::of(tool, input, ways);
        let shows = match (&on, input["path"].as_str()) {
            (Subject::Files(_), _) if is_edit(tool) => Some(on.clone()),
            (_, Some(path)) if SHOWING.contains(&tool) => Some(Subject::opened(&[path.to_owned()], ways)),
            _ => None,
        };
        Self { tool, besides: besides(tool, input), shows, on }
    }

    /// Whether all that it does is held by the workspace and the sandbox.
    pub(super) fn is_held(&self) -> bool {
        is_held(self.tool) && self.besides.as_ref().is_none_or(|(tool, _)| is_held(tool))
    }
}

fn besides(tool: &str, input: &Value) -> Option<(&'static str, Subject)> {
    if tool != "createFile" {
        return None;
    }
    // A file is made in a repository elsewhere.
    if ["owner", "repo"].iter().any(|key| !input[key].is_null()) {
        return Some(("githubPushFiles", Subject::Text(input.to_string())));
    }
    let message = input["commitMessage"].as_str()?;
    let commit = json!({"message": message, "paths": [input["path"]]});
    Some(("git_commit", Subject::Text(commit.to_string())))
}
