//! The text form of a script.

use std::time::Duration;

use super::pattern::Pattern;
use crate::{Fault, FaultKind, time};

/// A script that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the script: {message}")]
pub struct ScriptError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

impl From<ScriptError> for Fault {
    fn from(error: ScriptError) -> Self {
        Self::new(FaultKind::NotConfigured, error.to_string())
    }
}

/// Rules, in the order they are tried.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) rules: Vec<Rule>,
}

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) patterns: Vec<Pattern>,
    /// What to do at first, and after each round of tools.
    pub(super) rounds: Vec<Round>,
}

/// What is done at once.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Round {
    /// Only if the tools have just answered this; else it is passed over.
    pub(super) condition: Option<Pattern>,
    pub(super) lines: Vec<Line>,
}

impl Rule {
    /// The round after these answers of tools, one for each round there was.
    pub(super) fn round(&self, answers: &[String]) -> Option<&Round> {
        let follows = |at: usize, answer: &String| {
            let fits = |round: &Round| round.condition.as_ref().is_none_or(|wanted| wanted.captures(answer).is_some());
            let next = self.rounds.iter().skip(at + 1).position(fits);
            next.map_or(self.rounds.len(), |passed_over| at + 1 + passed_over)
        };
        self.rounds.get(answers.iter().fold(0, follows))
    }
}

/// One line; texts in it may hold `$1` and the like.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Line {
    Say(String),
    Think(String),
    Call { tool: String, input: String, even_if_not_offered: bool },
    Use(String),
    Count(String),
    Repeat { times: String, text: String },
    Source { url: String, title: String },
    File { media_type: String, data: String },
    Delay(Duration),
    Pace(Duration),
    Fault { kind: String, text: String },
    Hang,
    Finish(String),
    Usage { input: u64, output: u64 },
}

impl Script {
    pub(super) fn parse(text: &str) -> Result<Self, ScriptError> {
        let mut rules: Vec<Rule> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            take(&mut rules, line).map_err(|message| ScriptError { line: index + 1, message })?;
        }
        Ok(Self { rules })
    }
}

fn take(rules: &mut Vec<Rule>, line: &str) -> Result<(), String> {
    let (word, rest) = cut(line);
    if word == "on" {
        match rules.last_mut() {
            Some(rule) if rule.rounds == [Round::default()] => rule.patterns.push(Pattern::new(rest)),
            _ => rules.push(Rule { patterns: vec![Pattern::new(rest)], rounds: vec![Round::default()] }),
        }
        return Ok(());
    }
    let rule = rules.last_mut().ok_or("a script begins with a rule: on TEXT")?;
    if word == "then" {
        rule.rounds.push(Round { condition: condition(rest)?, lines: Vec::new() });
    } else if let Some(round) = rule.rounds.last_mut() {
        round.lines.push(read(word, rest)?);
    }
    Ok(())
}

fn condition(rest: &str) -> Result<Option<Pattern>, String> {
    match cut(rest) {
        ("", _) => Ok(None),
        ("if", wanted) if !wanted.is_empty() => Ok(Some(Pattern::new(wanted))),
        _ => Err(format!("expected then, or then if TEXT, found then {rest}")),
    }
}

fn read(word: &str, rest: &str) -> Result<Line, String> {
    let (first, second) = cut(rest);
    let two = || (first.to_owned(), second.to_owned());
    Ok(match word {
        "say" => Line::Say(rest.to_owned()),
        "think" => Line::Think(rest.to_owned()),
        "call" | "call!" if !first.is_empty() => {
            let (tool, input) = two();
            Line::Call { tool, input, even_if_not_offered: word == "call!" }
        }
        "use" => Line::Use(rest.to_owned()),
        "count" => Line::Count(rest.to_owned()),
        "repeat" => Line::Repeat { times: first.to_owned(), text: second.to_owned() },
        "source" => Line::Source { url: first.to_owned(), title: second.to_owned() },
        "file" => Line::File { media_type: first.to_owned(), data: second.to_owned() },
        "delay" => Line::Delay(time::parse(rest)?),
        "pace" => Line::Pace(time::parse(rest)?),
        "fault" => Line::Fault { kind: fault_kind(first)?, text: second.to_owned() },
        "hang" => Line::Hang,
        "finish" => Line::Finish(rest.to_owned()),
        "usage" => Line::Usage { input: number(first)?, output: number(second)? },
        "call" | "call!" => return Err("call needs a tool: call TOOL JSON".to_owned()),
        _ => {
            return Err(format!(
                "there is no {word:?}; there are on, then, say, think, call, use, count, repeat, source, file, delay, pace, \
                 fault, hang, finish, usage"
            ));
        }
    })
}

fn cut(line: &str) -> (&str, &str) {
    line.split_once(char::is_whitespace).map_or((line, ""), |(word, rest)| (word, rest.trim()))
}

fn fault_kind(word: &str) -> Result<String, String> {
    if word.starts_with('$') || FaultKind::parse(word).is_some() {
        return Ok(word.to_owned());
    }
    let kinds: Vec<_> = FaultKind::ALL.iter().map(|kind| kind.as_str()).collect();
    Err(format!("there is no fault {word:?}; there are {}", kinds.join(", ")))
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a number, found {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        Script::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn rules_have_patterns_and_rounds() {
        let script = Script::parse("# note\non a\non b\n  call t {}\nthen\n  say $result\n\non c\n hang").unwrap();
        assert_eq!(script.rules.len(), 2);
        assert_eq!(script.rules[0].patterns.len(), 2);
        assert_eq!(script.rules[0].rounds[1].lines, [Line::Say("$result".into())]);
        assert_eq!(script.rules[1].rounds[0].lines, [Line::Hang]);
    }

    #[test]
    fn a_round_with_a_condition_is_passed_over_if_the_tools_answered_something_else() {
        let script = "on a\n call t {}\nthen if *failed*\n call look {}\nthen\n say done\nthen if x\n say x";
        let rule = &Script::parse(script).unwrap().rules[0];
        let at = |answers: &[&str]| {
            let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
            rule.round(&answers).and_then(|round| rule.rounds.iter().position(|one| one == round))
        };
        assert_eq!(at(&[]), Some(0));
        assert_eq!((at(&["it Failed here"]), at(&["fine"])), (Some(1), Some(2)));
        assert_eq!((at(&["failed", "fine"]), at(&["failed", "failed"])), (Some(2), Some(2)));
        assert_eq!((at(&["fine", "x"]), at(&["fine", "y"]), at(&["fine", "x", "x"])), (Some(3), None, None));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        assert_eq!(wrong("\nsay a"), "line 2 of the script: a script begins with a rule: on TEXT");
        assert!(wrong("on a\nsing b").starts_with("line 2 of the script: there is no \"sing\"; there are on, then"));
        assert!(wrong("on a\nfault x").contains("there is no fault \"x\"; there are not_configured, auth"));
        assert!(wrong("on a\ndelay soon").contains("expected a time such as 20ms"));
        assert!(wrong("on a\ndelay -5s").contains("expected a time"));
        assert!(wrong("on a\ncall").contains("call TOOL JSON"));
        assert!(wrong("on a\nthen when b").contains("then if TEXT") && wrong("on a\nthen if").contains("then if TEXT"));
        assert!(wrong("on a\nusage 1 x").contains("expected a number"));
    }
}
