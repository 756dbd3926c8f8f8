//! Files that a rule keeps from being read. Whoever shows what is in files leaves these out, and says which.

use hostel::{Cx, Result};
use hostel_workspace::{
    Error, Place, Workspace,
    git::{DiffOptions, Repo},
};

use crate::{
    CoderAgent, Rule,
    policy::{self, Ways},
    tools::cut_short,
};

/// How many such files a difference may have, and how many of them are named.
const MOST: usize = 1000;
const NAMED: usize = 10;

/// The tool whose rules say what may be seen.
const READ: &str = "read_file";

/// What is kept back, from the model or from people, who say yes by looking.
#[derive(Debug, Clone)]
pub(crate) struct KeptBack {
    rules: Vec<Rule>,
    /// What the rules are about.
    tools: Vec<String>,
}

/// A difference without what is kept back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown {
    pub(crate) text: String,
    /// Whether there is more than was told.
    pub(crate) more: bool,
    /// The files that were left out.
    pub(crate) left_out: Vec<String>,
}

impl KeptBack {
    /// From the model.
    pub(crate) fn from_model(cx: &Cx<CoderAgent>) -> Result<Self> {
        Ok(Self { rules: policy::keeping(cx, true)?, tools: vec![READ.to_owned()] })
    }

    /// From whoever looks.
    pub(crate) fn from_people(cx: &Cx<CoderAgent>) -> Result<Self> {
        Ok(Self { rules: policy::keeping(cx, false)?, tools: vec![READ.to_owned()] })
    }

    /// Also what is kept back from this tool.
    pub(crate) fn and_from(mut self, tool: &str) -> Self {
        self.tools.push(tool.to_owned());
        self
    }

    /// Whether a file of this name is kept back. Where links are followed, its name is not enough.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.hides(&Ways::Straight, path)
    }

    /// Refuses a file that is kept back, by whatever name. Blocks.
    pub(crate) fn check(&self, workspace: &Workspace, path: &str) -> hostel_workspace::Result<()> {
        let is_kept = self.hides(&Ways::In(workspace.clone()), Place::parse(path)?.as_str());
        if is_kept { Err(Error::Kept { path: path.to_owned() }) } else { Ok(()) }
    }

    /// Whether a file is kept back that is found from `start` on: links are followed to where it begins, and no further. Blocks.
    pub(crate) fn below(self, workspace: &Workspace, start: &str) -> impl Fn(&str) -> bool + use<> {
        let ways = if start.is_empty() { Ways::Straight } else { Ways::In(workspace.clone()) };
        move |path| self.hides(&ways, path)
    }

    fn hides(&self, ways: &Ways, path: &str) -> bool {
        self.tools.iter().any(|tool| policy::means(&self.rules, tool, path, ways))
    }

    /// Whether nothing is.
    pub(crate) fn is_nothing(&self) -> bool {
        self.rules.is_empty()
    }

    /// What differs, without what is kept back.
    pub(crate) async fn diff(&self, repo: &Repo, options: &DiffOptions) -> hostel_workspace::Result<Shown> {
        let left_out = self.differing(repo, options).await?;
        let options = DiffOptions { without: left_out.clone(), ..options.clone() };
        let diff = repo.diff(&options).await?;
        Ok(Shown { text: diff.text, more: diff.more, left_out })
    }

    async fn differing(&self, repo: &Repo, options: &DiffOptions) -> hostel_workspace::Result<Vec<String>> {
        if self.is_nothing() {
            return Ok(Vec::new());
        }
        let (names, is_cut) = repo.differing(options).await?;
        let kept: Vec<String> = names.into_iter().filter(|name| self.has(name)).collect();
        // A name that is no text would not be left out by its text.
        let is_unclear = kept.iter().any(|name| name.contains(char::REPLACEMENT_CHARACTER));
        if is_cut || is_unclear || kept.len() > MOST {
            return Err(Error::Kept { path: "too much of what differs".to_owned() });
        }
        Ok(kept)
    }
}

impl Shown {
    /// The text, and what was left out of it.
    pub(crate) fn with_note(self, nothing: &str) -> String {
        let note = left_out(&self.left_out);
        let mut text = self.text;
        if text.is_empty() && note.is_none() {
            text.push_str(nothing);
        }
        text = cut_short(text, self.more);
        if let Some(line) = note {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(&line);
        }
        text
    }
}

/// What is said of files that were left out.
pub(crate) fn left_out(paths: &[String]) -> Option<String> {
    if paths.is_empty() {
        return None;
    }
    let more = match paths.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = paths[..paths.len().min(NAMED)].join(", ");
    Some(format!("(not shown: {named}{more}; a rule of this agent keeps that from being read)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_named_and_no_list_grows_without_bound() {
        let shown = |left_out: Vec<String>| Shown { left_out, ..Shown::default() }.with_note("nothing differs");
        assert_eq!(shown(Vec::new()), "nothing differs");
        let words = shown(vec!["a/b".to_owned()]);
        assert_eq!(words, "(not shown: a/b; a rule of this agent keeps that from being read)");
        let many = shown((0..12).map(|n| n.to_string()).collect());
        assert!(many.contains("8, 9 and 2 more;"), "{many}");
    }
}
