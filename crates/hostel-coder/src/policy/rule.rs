//! A rule, and which of several counts.

use hostel::{Error, JsonSchema, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

use super::{
    called::Called,
    subject::{Subject, is_named},
};

/// How an agent works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// What only looks runs; everything else asks, unless a rule says otherwise.
    #[default]
    Ask,
    /// It may look but not touch: tools that change anything are not offered, and refused.
    Plan,
    /// All that the workspace and the sandbox hold runs; what reaches beyond them still asks.
    Auto,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ask => "mode ask",
            Self::Plan => "mode plan",
            Self::Auto => "mode auto",
        })
    }
}

/// What becomes of calls that a rule means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// They run.
    Allow,
    /// Somebody is asked.
    Ask,
    /// They are refused.
    Deny,
}

/// A rule over the calls of tools. Of several that match, the strictest counts.
///
/// ```
/// use hostel_coder::{Action, Rule};
///
/// let tests = Rule { tool: "run_command".into(), pattern: Some("cargo test*".into()), action: Action::Allow };
/// assert_eq!(tests.to_string(), "allow run_command cargo test*");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// The tool, with `*` for anything; `edit` for every tool that changes files, `command` for every one that runs commands.
    pub tool: String,
    /// What it is used on, with `*` for anything: the command line, the path, the address. Everything without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// What becomes of it.
    pub action: Action,
}

/// The longest pattern.
const LONGEST: usize = 16 << 10;

impl Rule {
    /// Refuses what can never match.
    ///
    /// # Errors
    /// In words.
    pub fn check(&self) -> Result<()> {
        let long = self.pattern.as_ref().is_some_and(|pattern| pattern.len() > LONGEST) || self.tool.len() > 200;
        if self.tool.trim().is_empty() || long {
            return Err(Error::msg("A rule names a tool, and its pattern is no longer than 16 KiB.").with_fix(
                "say for example {\"tool\": \"run_command\", \"pattern\": \"cargo test*\", \"action\": \"allow\"}",
            ));
        }
        Ok(())
    }

    /// Whether it keeps something from being seen by whoever is not asked about that alone.
    pub(super) fn keeps_some(&self) -> bool {
        match self.action {
            Action::Deny => true,
            Action::Ask => self.pattern.is_some(),
            Action::Allow => false,
        }
    }

    fn means(&self, tool: &str, subject: &Subject) -> bool {
        // What cannot be read is not covered by anything, not even by a rule over everything.
        if self.action == Action::Allow && subject.is_unclear() {
            return false;
        }
        let matches = |pattern: &String| match self.action {
            Action::Allow => subject.is_within(pattern),
            Action::Ask | Action::Deny => subject.touches(pattern),
        };
        is_named(&self.tool, tool) && self.pattern.as_ref().is_none_or(matches)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.action {
            Action::Allow => "allow",
            Action::Ask => "ask",
            Action::Deny => "deny",
        };
        write!(f, "{action} {}", self.tool)?;
        self.pattern.as_ref().map_or(Ok(()), |pattern| write!(f, " {pattern}"))
    }
}

/// The rule that counts for a call. What it does besides is ruled, too: both have to be allowed, and a stricter one wins. So does one
/// that keeps files from being read whose contents the tool would show.
pub(super) fn counting<'a>(rules: impl Iterator<Item = &'a Rule> + Clone, call: &Called<'_>) -> Option<&'a Rule> {
    let own = strictest(rules.clone(), call.tool, &call.on);
    let besides = call.besides.as_ref().map(|(other, subject)| strictest(rules.clone(), other, subject));
    let reading =
        call.shows.as_ref().and_then(|shown| strictest(rules.filter(|rule| rule.keeps_some()), "read_file", shown));
    let all = [own, besides.flatten(), reading];
    let first = |action| all.into_iter().flatten().find(|rule| rule.action == action);
    let allowed = || own.filter(|_| besides.is_none_or(|rule| rule.is_some()));
    first(Action::Deny).or_else(|| first(Action::Ask)).or_else(allowed)
}

/// The strictest rule that means this call: no before a question before yes; the first of equals.
pub(super) fn strictest<'a>(
    rules: impl IntoIterator<Item = &'a Rule>,
    tool: &str,
    subject: &Subject,
) -> Option<&'a Rule> {
    let strictness = |rule: &&Rule| match rule.action {
        Action::Deny => 0,
        Action::Ask => 1,
        Action::Allow => 2,
    };
    rules.into_iter().filter(|rule| rule.means(tool, subject)).min_by_key(strictness)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::Ways;

    fn counting<'a>(rules: &'a [Rule], tool: &str, input: &serde_json::Value) -> Option<&'a Rule> {
        super::counting(rules.iter(), &Called::new(tool, input, &Ways::Straight))
    }

    fn rule(tool: &str, pattern: &str, action: Action) -> Rule {
        Rule { tool: tool.to_owned(), pattern: Some(pattern.to_owned()), action }
    }

    #[test]
    fn the_strictest_rule_counts() {
        let rules = [
            rule("run_command", "cargo *", Action::Allow),
            rule("command", "cargo publish*", Action::Deny),
            rule("*", "cargo install*", Action::Ask),
        ];
        let of = |line: &str| {
            let subject = Subject::of("run_command", &json!({"command": line}), &Ways::Straight);
            strictest(&rules, "run_command", &subject).map(|rule| rule.action)
        };
        assert_eq!(of("cargo test"), Some(Action::Allow));
        assert_eq!(of("cargo test && cargo publish"), Some(Action::Deny));
        assert_eq!(of("cargo install x"), Some(Action::Ask));
        assert_eq!(of("ls"), None);
    }

    #[test]
    fn a_file_that_is_committed_is_ruled_as_a_commit_too() {
        let any = |tool: &str, action| Rule { tool: tool.to_owned(), pattern: None, action };
        let input = json!({"path": "a", "content": "b", "commitMessage": "c"});
        let of = |rules: &[Rule]| counting(rules, "createFile", &input).map(|rule| rule.action);
        let edit = any("edit", Action::Allow);
        assert_eq!(of(&[edit.clone(), any("git_commit", Action::Deny)]), Some(Action::Deny));
        assert_eq!(of(&[edit.clone(), any("git_commit", Action::Ask)]), Some(Action::Ask));
        assert_eq!(of(std::slice::from_ref(&edit)), None);
        assert_eq!(of(&[edit, any("git_*", Action::Allow)]), Some(Action::Allow));
    }

    #[test]
    fn what_is_kept_from_being_read_is_not_shown_by_a_change_of_it_either() {
        let rules = |action| [rule("read_file", "secrets/*", action), rule("edit", "*", Action::Allow)];
        let of = |tool: &str, input: serde_json::Value, action| {
            counting(&rules(action), tool, &input).map(|rule| rule.action)
        };
        for action in [Action::Deny, Action::Ask] {
            for (tool, input) in [
                ("write_file", json!({"path": "secrets/a", "content": "x"})),
                ("replace", json!({"path": "./secrets/a", "old": "x", "new": "y"})),
                ("apply_patch", json!({"patch": "*** Begin Patch\n*** Delete File: secrets/a\n*** End Patch"})),
                ("delete_file", json!({"path": "secrets"})),
                ("move_file", json!({"from": "secrets/a", "to": "b"})),
                ("getFileContents", json!({"path": "secrets/a", "ref": "HEAD~1"})),
                ("get_file_contents", json!({"path": "secrets/a"})),
                ("githubGetFile", json!({"path": "/secrets/a", "owner": "a", "repo": "b"})),
                ("fetchFileContents", json!({"path": "secrets//a"})),
            ] {
                assert_eq!(of(tool, input, action), Some(action), "{tool}");
            }
            assert_eq!(of("write_file", json!({"path": "a"}), action), Some(Action::Allow));
        }
        // A question about everything that is read is none about what is changed, and takes the place of no other.
        let all = [
            Rule { tool: "read_file".to_owned(), pattern: None, action: Action::Ask },
            rule("edit", "*", Action::Allow),
        ];
        let of =
            |rules: &[Rule], path: &str| counting(rules, "write_file", &json!({"path": path})).map(|rule| rule.action);
        assert_eq!(of(&all, "a"), Some(Action::Allow));
        let both: Vec<Rule> = all.into_iter().chain(rules(Action::Ask)).collect();
        assert_eq!((of(&both, "a"), of(&both, "secrets/a")), (Some(Action::Allow), Some(Action::Ask)));
    }

    #[test]
    fn an_address_that_cannot_be_read_is_allowed_by_no_rule_and_refused_by_those_over_everything() {
        let any = |action| Rule { tool: "clone_repository".to_owned(), pattern: None, action };
        let of = |url: &str, action| {
            let input = json!({"url": url});
            counting(&[any(action)], "clone_repository", &input).map(|rule| rule.action)
        };
        for url in ["nothing", "/srv/ok/../x", "git@github.com:a/b", ""] {
            assert_eq!(of(url, Action::Allow), None, "{url}");
            assert_eq!(of(url, Action::Deny), Some(Action::Deny), "{url}");
        }
        assert_eq!(of("https://github.com/a/b", Action::Allow), Some(Action::Allow));
    }

    #[test]
    fn a_rule_without_a_tool_is_refused() {
        assert!(rule(" ", "x", Action::Allow).check().is_err());
        assert!(rule("*", &"x".repeat(LONGEST + 1), Action::Allow).check().is_err());
        assert!(rule("edit", "src/*", Action::Allow).check().is_ok());
    }
}
