//! What the editor asks while somebody types: how a word goes on, whether the text is at its end, what a key means.

use std::borrow::Cow;
use std::sync::Arc;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{
    Cmd, ConditionalEventHandler, Context, Event, EventContext, Helper, KeyCode, KeyEvent, RepeatCount, Result,
};

use super::state::{Mode, State};
use crate::output::{Paint, harmless};

/// Commands and the files of the workspace.
pub(super) struct Help(pub(super) Arc<State>);

/// A key that answers a question, where one waits for it.
pub(super) struct Answers(pub(super) Arc<State>);

impl Helper for Help {}

impl Hinter for Help {
    type Hint = String;

    /// No hint is given; but it is asked for with every change of the line.
    fn hint(&self, line: &str, _: usize, _: &Context<'_>) -> Option<String> {
        self.0.typed(line);
        None
    }
}

impl Completer for Help {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        let (start, word) = word(&line[..at]);
        if start == 0 && word.starts_with('/') {
            let found = self.0.commands(word).into_iter();
            return Ok((0, found.map(|name| Pair { replacement: format!("{name} "), display: name }).collect()));
        }
        let (directory, beginning) = word.rsplit_once('/').unwrap_or(("", word));
        let found = self.0.entries(directory).into_iter().filter(|name| name.starts_with(beginning));
        // A file name may hold anything.
        let fine = found.filter(|name| harmless(name) == *name && !name.contains('\n'));
        let pair = |name: String| Pair { replacement: name.clone(), display: name };
        Ok((start + word.len() - beginning.len(), fine.map(pair).collect()))
    }
}

/// The word before the cursor, and where it begins.
fn word(before: &str) -> (usize, &str) {
    let start =
        before.rfind(char::is_whitespace).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    (start, &before[start..])
}

impl Highlighter for Help {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        let signed = prompt.replacen('>', &self.0.sign().to_string(), 1);
        Cow::Owned(Paint::stdout().bold(&signed))
    }
}

impl Validator for Help {
    fn validate(&self, context: &mut ValidationContext<'_>) -> Result<ValidationResult> {
        let goes_on = self.0.is(Mode::Free) && context.input().ends_with('\\');
        Ok(if goes_on { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl ConditionalEventHandler for Answers {
    fn handle(&self, event: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        let Some(KeyEvent(KeyCode::Char(key), _)) = event.get(0) else { return None };
        if !self.0.is(Mode::Keys) || !context.line().is_empty() {
            return None;
        }
        self.0.press(key.to_ascii_lowercase());
        Some(Cmd::AcceptLine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_before_the_cursor_is_completed() {
        assert_eq!(word("/op"), (0, "/op"));
        assert_eq!(word("/open src/ma"), (6, "src/ma"));
        assert_eq!(word("see "), (4, ""));
        assert_eq!(word("a\u{2003}b"), (4, "b"));
    }
}
