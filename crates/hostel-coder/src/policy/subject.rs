//! What a call is used on: a command, paths, or its whole input. That is what patterns are compared with.

use hostel_sandbox::{
    line,
    pattern::{self, exactly},
};
use hostel_workspace::Place;
use serde_json::Value;

use super::{files::Files, ways::Ways};
use crate::workspaces::normal_address;

/// Tools that run a line in the shell.
const COMMANDS: [&str; 4] = ["run_command", "runCommand", "start_command", "send_input"];
/// Tools that change files.
const EDITS: [&str; 6] = ["replace", "apply_patch", "write_file", "createFile", "move_file", "delete_file"];
/// Tools that do nothing outside of the workspace, the sandbox and the agent.
const HELD: [&str; 3] = ["git_commit", "git_branch", "stop_command"];

/// Tools whose input is a path.
const PATHS: [&str; 10] = [
    "replace",
    "write_file",
    "createFile",
    "read_file",
    "list_files",
    "search",
    "searchCode",
    "glob",
    "getFileContents",
    "get_file_contents",
];
/// Tools that look at the whole workspace if no path is said.
const WHOLE: [&str; 4] = ["list_files", "search", "searchCode", "glob"];

/// What a call is used on.
#[derive(Debug, Clone)]
pub(super) enum Subject {
    /// A line for the shell, and the directory if it is not the workspace.
    Command(String, Option<String>),
    /// Files and directories.
    Files(Files),
    /// A text: an address, or the whole input.
    Text(String),
    /// A text that no pattern can be trusted to cover.
    Unclear(String),
}

impl Subject {
    pub(super) fn of(tool: &str, input: &Value, ways: &Ways) -> Self {
        let text = |key: &str| input[key].as_str().map(str::to_owned);
        if COMMANDS.contains(&tool) {
            return Self::of_command(input);
        }
        if tool == "clone_repository" {
            let url = text("url").unwrap_or_default();
            return normal_address(&url).map_or(Self::Unclear(url), Self::Text);
        }
        match (tool, text("path").or_else(|| WHOLE.contains(&tool).then(String::new))) {
            ("apply_patch", _) => Self::opened(&patched(input), ways),
            ("move_file", _) => {
                let ends: Vec<String> = [text("from"), text("to")].into_iter().flatten().collect();
                Self::Files(Files::whole(&ends, ways))
            }
            ("delete_file", Some(path)) => Self::Files(Files::whole(&[path], ways)),
            (tool, Some(path)) if PATHS.contains(&tool) => Self::opened(&[path], ways),
            _ => Self::Text(input.to_string()),
        }
    }

    fn of_command(input: &Value) -> Self {
        let text = |key: &str| input[key].as_str();
        let line = text("command").or_else(|| text("text")).unwrap_or_default().trim().to_owned();
        let place = text("directory").or_else(|| text("workingDirectory")).filter(|place| !place.trim().is_empty());
        let plain = |place: &str| Place::parse(place).map_or_else(|_| place.to_owned(), |place| place.to_string());
        Self::Command(line, place.map(plain).filter(|place| place != "."))
    }

    pub(super) fn opened(paths: &[String], ways: &Ways) -> Self {
        Self::Files(Files::opened(paths, ways))
    }

    pub(super) fn is_unclear(&self) -> bool {
        matches!(self, Self::Unclear(_))
    }

    pub(super) fn is_command(&self) -> bool {
        matches!(self, Self::Command(..))
    }

    /// A pattern that matches this alone; nothing where none does.
    pub(super) fn exactly(&self) -> Option<String> {
        match self {
            Self::Command(..) => Some(exactly(&self.shown())),
            Self::Text(text) => Some(exactly(text)),
            Self::Unclear(_) => None,
            Self::Files(files) => files.exactly(),
        }
    }

    /// Whether a pattern covers all of it, so that it may be allowed. A line that chains is covered only by itself.
    pub(super) fn is_within(&self, pattern: &str) -> bool {
        match self {
            Self::Command(text, place) => line::is_within(pattern, text, place.as_deref()),
            Self::Unclear(_) => false,
            Self::Files(files) => files.are_within(pattern),
            Self::Text(text) => pattern::matches(pattern, text),
        }
    }

    /// Whether a pattern covers any of it, so that it is asked about or refused.
    pub(super) fn touches(&self, pattern: &str) -> bool {
        match self {
            Self::Command(text, _) => line::touches(pattern, text),
            Self::Files(files) => files.touch(pattern),
            Self::Text(text) | Self::Unclear(text) => pattern::matches(pattern, text),
        }
    }

    /// For people.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Command(text, place) => line::shown(text, place.as_deref()),
            Self::Text(text) | Self::Unclear(text) => text.clone(),
            Self::Files(files) => files.shown(),
        }
    }
}

/// The files that a patch names, of either kind. One that cannot be read is refused by the tool, and names none.
fn patched(input: &Value) -> Vec<String> {
    hostel_workspace::files_of_patch(input["patch"].as_str().unwrap_or_default()).unwrap_or_default()
}

/// Whether the name of a rule means this tool: `edit` and `command` mean all such tools.
pub(super) fn is_named(name: &str, tool: &str) -> bool {
    match name {
        "edit" => EDITS.contains(&tool),
        "command" => COMMANDS.contains(&tool),
        name => pattern::matches(name, tool),
    }
}

/// Whether the tool shows what becomes different in files.
pub(super) fn is_edit(tool: &str) -> bool {
    EDITS.contains(&tool)
}

/// Whether all that the tool does is held by the workspace and the sandbox.
pub(super) fn is_held(tool: &str) -> bool {
    COMMANDS.contains(&tool) || EDITS.contains(&tool) || HELD.contains(&tool)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(tool: &str, input: &Value) -> Subject {
        Subject::of(tool, input, &Ways::Straight)
    }

    fn command(line: &str) -> Subject {
        of("run_command", &json!({"command": line}))
    }

    #[test]
    fn a_line_that_chains_is_covered_by_itself_alone() {
        assert!(command("cargo test -p x").is_within("cargo test*"));
        for line in [
            "cargo test; rm -rf /",
            "cargo test && x",
            "cargo test | x",
            "cargo test $(x)",
            "cargo test `x`",
            "cargo test\nx",
            "cargo test > x",
        ] {
            assert!(!command(line).is_within("cargo test*") && !command(line).is_within("*"), "{line:?}");
            assert!(command(line).is_within(&command(line).exactly().unwrap()), "{line:?}");
            assert!(command(line).touches("cargo test*"), "{line:?}");
        }
        assert!(command("cd a && rm -rf b").touches("rm *"));
    }

    #[test]
    fn a_patch_is_used_on_every_file_it_names() {
        let patch = "*** Begin Patch\n*** Update File: a.rs\n*** Move to: ./b.rs\n@@\n-x\n+y\n*** Add File: c/d.rs\n+z\n*** End Patch";
        let subject = of("apply_patch", &json!({"patch": patch}));
        assert_eq!(subject.shown(), "a.rs, b.rs, c/d.rs");
        assert!(subject.touches("c/*") && !subject.is_within("c/*") && subject.is_within("*.rs"));
        let diff = "diff --git a/x b/x\n--- a/x\n+++ b/y\n@@ -1 +1 @@\n-1\n+2\n";
        assert_eq!(of("apply_patch", &json!({"patch": diff})).shown(), "x, y");
        // What is no patch is not applied, and covered by nothing.
        let nothing = of("apply_patch", &json!({"patch": "*** Update File: a.rs"}));
        assert!(nothing.shown().is_empty() && !nothing.is_within("*") && !nothing.touches("*"));
    }

    #[test]
    fn an_address_is_ruled_as_git_is_given_it() {
        let clone = |url: &str| of("clone_repository", &json!({"url": url}));
        for url in
            ["https://github.com/ok/../evil/x", "https://github.com/ok/%2e%2e/evil/x", "HTTPS://GitHub.com/evil/x"]
        {
            assert!(!clone(url).is_within("https://github.com/ok/*"), "{url}");
            assert!(clone(url).touches("https://github.com/evil/*"), "{url}");
        }
        assert!(!clone("/srv/ok/../x").is_within("/srv/ok/*") && !clone("nothing").is_within("*"));
    }

    #[test]
    fn always_is_no_wider_than_the_call() {
        let here = of("run_command", &json!({"command": "make"}));
        let there = of("run_command", &json!({"command": "make", "directory": "sub"}));
        assert!(!there.is_within(&here.exactly().unwrap()) && !here.is_within(&there.exactly().unwrap()));
        assert!(there.is_within(&there.exactly().unwrap()) && there.is_within("mak*"));
        let other = |more: u8| of("mcp_send", &json!({"path": "a", "url": "b", "more": more}));
        assert!(!other(1).is_within(&other(2).exactly().unwrap()));
        assert!(of("send_input", &json!({"text": "x; rm -rf y"})).touches("rm *"));
    }

    #[test]
    fn looking_around_touches_no_rule_of_what_is_below() {
        let search = of("search", &json!({"pattern": "x"}));
        assert!(!search.touches("secrets/*") && search.touches("."));
    }

    #[test]
    fn a_directory_touches_what_is_in_it() {
        let delete = |path: &str| of("delete_file", &json!({"path": path}));
        assert!(delete("secrets").touches("secrets/*") && delete("./secrets/a").touches("secrets/*"));
        assert!(!delete("secret").touches("secrets/*"));
    }
}
