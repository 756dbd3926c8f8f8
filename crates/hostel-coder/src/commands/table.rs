//! The commands there are, and the calls that they are.

use serde_json::{Value, json};

use crate::tools::by_hand::{PLAN_MODE, UNDO};

/// A command.
pub(super) struct Command {
    /// Its name, without the slash.
    pub(super) name: &'static str,
    /// What is said behind it; in brackets what may be left out.
    pub(super) takes: &'static str,
    /// What it does.
    pub(super) about: &'static str,
    /// The tool it needs.
    pub(super) tool: Option<&'static str>,
    /// The first call. `None` if something is missing behind the name.
    pub(super) call: fn(&str) -> Option<Call>,
    /// What is called next, knowing how the calls before ended.
    pub(super) next: fn(&str, &[Ending<'_>]) -> Option<Call>,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) tool: &'static str,
    pub(super) input: Value,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending<'a> {
    pub(super) output: &'a str,
    pub(super) failed: bool,
}

impl Command {
    /// How it is said.
    pub(super) fn usage(&self) -> String {
        format!("/{} {}", self.name, self.takes).trim_end().to_owned()
    }
}

const fn one(
    name: &'static str,
    takes: &'static str,
    about: &'static str,
    tool: &'static str,
    call: fn(&str) -> Option<Call>,
) -> Command {
    Command { name, takes, about, tool: Some(tool), call, next: |_, _| None }
}

/// All commands, in the order of the help.
pub(super) const COMMANDS: &[Command] = &[
    Command { name: "help", takes: "", about: "Lists these commands.", tool: None, call: |_| None, next: |_, _| None },
    one("clone", "URL [BRANCH]", "Clones a repository into the empty workspace.", "clone_repository", |rest| {
        let (url, branch) = words(rest)?;
        Some(call("clone_repository", with(json!({"url": url}), "branch", branch)))
    }),
    one("files", "[PATH]", "Lists a directory.", "list_files", |rest| Some(call("list_files", json!({"path": rest})))),
    Command {
        name: "open",
        takes: "PATH [LINE]",
        about: "Shows a file, or what is in a directory.",
        tool: Some("read_file"),
        call: |rest| {
            let (path, line) = last_number(rest);
            (!path.is_empty()).then(|| call("read_file", with(json!({"path": path}), "first", line)))
        },
        next: |rest, ended| {
            let is_directory = matches!(ended, [only] if only.failed && only.output.contains("is a directory"));
            is_directory.then(|| call("list_files", json!({"path": last_number(rest).0})))
        },
    },
    one("search", "TEXT", "Searches the files for a text.", "search", |rest| {
        some(rest).map(|text| call("search", json!({"pattern": text, "text": true})))
    }),
    one("run", "LINE", "Runs a line of shell.", "run_command", |rest| {
        some(rest).map(|line| call("run_command", json!({"command": line})))
    }),
    one("write", "PATH, and the text on the lines below", "Writes a whole file.", "write_file", |rest| {
        let (path, text) = rest.split_once('\n')?;
        let text = if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
        some(path.trim()).map(|path| call("write_file", json!({"path": path, "content": text})))
    }),
    one("move", "FROM TO", "Moves a file or directory.", "move_file", |rest| {
        let (from, to) = words(rest)?;
        to.map(|to| call("move_file", json!({"from": from, "to": to})))
    }),
    one("delete", "PATH", "Deletes a file.", "delete_file", |rest| {
        some(rest).map(|path| call("delete_file", json!({"path": path})))
    }),
    one("status", "", "Tells how the repository stands.", "git_status", |_| Some(call("git_status", json!({})))),
    one("diff", "[PATH]", "Shows what differs from the last commit.", "git_diff", |rest| {
        let paths: Vec<&str> = some(rest).into_iter().collect();
        Some(call("git_diff", json!({"paths": paths})))
    }),
    one("log", "[COUNT]", "Lists the latest commits.", "git_log", |rest| {
        let count = rest.parse::<u64>().ok().map(Value::from);
        Some(call("git_log", with(json!({}), "count", count)))
    }),
    one("commit", "MESSAGE", "Commits every change.", "git_commit", |rest| {
        some(rest).map(|message| call("git_commit", json!({"message": message})))
    }),
    one("undo", "", "Puts the files back to before the last message that changed them.", UNDO, |rest| {
        rest.is_empty().then(|| call(UNDO, json!({})))
    }),
    Command {
        name: "branch",
        takes: "NAME",
        about: "Switches to a branch, and begins it if there is none of this name.",
        tool: Some("git_branch"),
        call: |rest| {
            let is_name = !rest.is_empty() && !rest.contains(char::is_whitespace);
            is_name.then(|| call("git_log", json!({"revision": rest, "count": 1})))
        },
        next: |rest, ended| match ended {
            [looked] => Some(call("git_branch", json!({"name": rest, "create": looked.failed}))),
            _ => None,
        },
    },
    one("push", "[BRANCH]", "Pushes the branch to its remote.", "git_push", |rest| {
        let branch = some(rest).filter(|rest| !rest.contains(char::is_whitespace));
        (branch.is_some() || rest.is_empty()).then(|| call("git_push", with(json!({}), "branch", branch)))
    }),
    one(
        "pr",
        "TITLE, and what it says on the lines below",
        "Makes a pull request on GitHub of the branch, which has been pushed.",
        "createPullRequest",
        |rest| {
            let (title, body) = rest.split_once('\n').unwrap_or((rest, ""));
            let body = some(body.trim());
            some(title.trim()).map(|title| call("createPullRequest", with(json!({"title": title}), "body", body)))
        },
    ),
    one("plan", "[off]", "Begins plan mode, in which it may look and change nothing, or ends it.", PLAN_MODE, |rest| {
        let on = match rest {
            "" | "on" => true,
            "off" => false,
            _ => return None,
        };
        Some(call(PLAN_MODE, json!({"on": on})))
    }),
    one(
        "mcp",
        "[SERVER]",
        "Lists the MCP servers that the project names, or begins to use one.",
        "list_project_mcp",
        |rest| {
            Some(match rest {
                "" => call("list_project_mcp", json!(null)),
                server => call("use_project_mcp", json!({"server": server})),
            })
        },
    ),
];

fn call(tool: &'static str, input: Value) -> Call {
    Call { tool, input }
}

fn some(rest: &str) -> Option<&str> {
    Some(rest).filter(|rest| !rest.is_empty())
}

/// One word, and perhaps a second.
fn words(rest: &str) -> Option<(&str, Option<&str>)> {
    let mut words = rest.split_whitespace();
    let pair = (words.next()?, words.next());
    words.next().is_none().then_some(pair)
}

/// A path, and perhaps a number behind it.
fn last_number(rest: &str) -> (&str, Option<u64>) {
    let last = rest.rsplit_once(char::is_whitespace);
    let numbered = last.and_then(|(path, number)| Some((path.trim_end(), Some(number.parse().ok()?))));
    numbered.unwrap_or((rest, None))
}

/// The object with one more field, if there is something to put there.
fn with(mut object: Value, name: &str, value: Option<impl Into<Value>>) -> Value {
    if let Some(value) = value {
        object[name] = value.into();
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(line: &str) -> Option<Call> {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        let command = COMMANDS.iter().find(|command| command.name == name).unwrap();
        (command.call)(rest)
    }

    #[test]
    fn what_is_behind_the_name_becomes_the_input() {
        let inputs = [
            ("clone https://a.example/b", json!({"url": "https://a.example/b"})),
            ("clone https://a.example/b dev", json!({"url": "https://a.example/b", "branch": "dev"})),
            ("open src/my file.rs", json!({"path": "src/my file.rs"})),
            ("open a.rs 40", json!({"path": "a.rs", "first": 40})),
            ("search fn main(", json!({"pattern": "fn main(", "text": true})),
            ("write a b.txt\none\ntwo", json!({"path": "a b.txt", "content": "one\ntwo\n"})),
            ("diff", json!({"paths": []})),
            ("log 5", json!({"count": 5})),
            ("push", json!({})),
            ("push mend", json!({"branch": "mend"})),
            ("pr Mend it", json!({"title": "Mend it"})),
            ("pr Mend it\n\nIt was broken.\n", json!({"title": "Mend it", "body": "It was broken."})),
            ("plan", json!({"on": true})),
            ("plan off", json!({"on": false})),
            ("undo", json!({})),
            ("mcp", json!(null)),
            ("mcp files", json!({"server": "files"})),
        ];
        for (line, input) in inputs {
            assert_eq!(first(line).unwrap().input, input, "{line}");
        }
        for line in [
            "clone",
            "open",
            "search",
            "run",
            "commit",
            "branch",
            "branch a b",
            "move a",
            "write a",
            "pr",
            "push a b",
            "plan x",
            "undo x",
        ] {
            assert_eq!(first(line), None, "{line}");
        }
    }

    #[test]
    fn a_directory_is_listed_and_a_branch_begun_if_it_is_not_there() {
        let command = |name: &str| COMMANDS.iter().find(|command| command.name == name).unwrap();
        let failed = |output| [Ending { output, failed: true }];
        let fine = [Ending { output: "x", failed: false }];
        let open = command("open").next;
        assert_eq!(open("src", &failed("\"src\" is a directory, not a file")).unwrap().tool, "list_files");
        assert_eq!((open("a", &failed("there is no \"a\"")), open("a", &fine)), (None, None));
        let branch = command("branch").next;
        assert_eq!(branch("b", &failed("unknown revision")).unwrap().input, json!({"name": "b", "create": true}));
        assert_eq!(branch("b", &fine).unwrap().input, json!({"name": "b", "create": false}));
        assert_eq!(branch("b", &[fine[0], fine[0]]), None);
    }
}
