//! Commands that people say with a slash in front: the same tools that the model has, by hand, with the same approvals, the same log
//! and the same cards. No model is asked, and none has to be there.

mod ended;
mod model;
mod table;

use hostel::{Cx, JsonSchema, Result};
use hostel_chat::Tool;
use serde::{Deserialize, Serialize};

pub(crate) use self::model::ByHand;
use self::table::{COMMANDS, Command};
use crate::{CoderAgent, tools, workspaces::Workspaces};

/// A command, as front ends complete and explain it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommandView {
    /// Its name, without the slash.
    pub name: String,
    /// How it is said, such as `/clone URL [BRANCH]`.
    pub usage: String,
    /// What it does.
    pub about: String,
}

/// The commands that can be used here.
pub(crate) async fn list(cx: &Cx<CoderAgent>) -> Result<Vec<CommandView>> {
    if let Ok(workspaces) = cx.env::<Workspaces>() {
        workspaces.probe().await;
    }
    let tools = cx.read(|me| tools::offered(me, cx))?;
    let usable = usable(|name| tools.iter().any(|tool: &Tool<CoderAgent>| tool.name() == name));
    let view = |command: &Command| {
        let (name, about) = (command.name.into(), command.about.into());
        CommandView { name, usage: command.usage(), about }
    };
    Ok(usable.map(view).collect())
}

/// The commands whose tools are offered.
fn usable(is_offered: impl Fn(&str) -> bool) -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter().filter(move |command| command.tool.is_none_or(&is_offered))
}

/// A message that is a command: its name, and what is said behind it. Two slashes begin a text like any other, and so does a path.
pub(crate) fn said(text: &str) -> Option<(&str, &str)> {
    let text = text.trim().strip_prefix('/')?;
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    (name.is_empty() || is_name(name)).then(|| (name, rest.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_and_a_word_is_a_command_and_a_path_is_not() {
        assert_eq!(said("/run cargo test"), Some(("run", "cargo test")));
        assert_eq!(said("  /help\n"), Some(("help", "")));
        assert_eq!(said("/"), Some(("", "")));
        for text in ["hello", "//run x", "/usr/bin/env is missing", "/etc/passwd", "a /run b", ""] {
            assert_eq!(said(text), None, "{text:?}");
        }
    }

    #[test]
    fn names_are_there_once_and_help_is_always() {
        let mut names: Vec<&str> = COMMANDS.iter().map(|command| command.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), COMMANDS.len());
        assert_eq!(usable(|_| false).map(|command| command.name).collect::<Vec<_>>(), ["help"]);
    }
}
