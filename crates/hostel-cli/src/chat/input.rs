//! What a typed line means in a conversation.

/// The commands that are not the agent's.
pub(crate) const OWN: &[&str] = &["regenerate", "clear", "quit", "help"];

pub(crate) const HELP: &str = "\
/regenerate   have the last answer made anew
/clear        forget the whole conversation
/quit         leave, like Ctrl-D; a turn under way goes on
//text        say text that begins with a slash
anything else is said to the agent, /commands of its own included.
Tab completes commands and files of the workspace. Alt-Enter, or a backslash at the end, begins another line.
Ctrl-C cancels the answer under way.";

/// What a typed line means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    Nothing,
    Help,
    Say(String),
    Regenerate,
    Clear,
    Quit,
}

/// What somebody says to a tool that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Yes,
    Always,
    No,
    /// No, and why.
    NoBecause(String),
}

/// Reads a typed line. A command that is not ours is the agent's.
pub(crate) fn read(line: &str) -> Typed {
    let Some(command) = line.strip_prefix('/') else {
        let text = line.trim();
        return if text.is_empty() { Typed::Nothing } else { Typed::Say(line.to_owned()) };
    };
    match command.trim() {
        "regenerate" => Typed::Regenerate,
        "clear" => Typed::Clear,
        "quit" | "exit" => Typed::Quit,
        "help" => Typed::Help,
        _ if command.starts_with('/') => Typed::Say(command.to_owned()),
        _ => Typed::Say(line.to_owned()),
    }
}

/// What a key answers to a tool that asks; `None` if the reason is still to be said.
pub(crate) fn pressed(key: char) -> Option<Verdict> {
    match key {
        'y' => Some(Verdict::Yes),
        'a' => Some(Verdict::Always),
        'n' => Some(Verdict::No),
        _ => None,
    }
}

/// Reads the answer to a tool that asks; `None` if it is no answer.
pub(crate) fn verdict(line: &str) -> Option<Verdict> {
    match line.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Some(Verdict::Yes),
        "a" | "always" => Some(Verdict::Always),
        "n" | "no" => Some(Verdict::No),
        _ => {
            let (word, why) = line.trim().split_once(char::is_whitespace)?;
            let is_no = matches!(word.trim_end_matches([',', ':']).to_ascii_lowercase().as_str(), "n" | "no");
            is_no.then(|| Verdict::NoBecause(why.trim().to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_said_unless_they_begin_with_a_slash() {
        assert_eq!(read("hi there"), Typed::Say("hi there".to_owned()));
        assert_eq!(read("//etc"), Typed::Say("/etc".to_owned()));
        assert_eq!(read("  "), Typed::Nothing);
        assert_eq!(read("/quit"), Typed::Quit);
        assert_eq!(read("/run cargo test"), Typed::Say("/run cargo test".to_owned()));
    }

    #[test]
    fn keys_and_only_clear_words_answer_a_tool() {
        assert_eq!(
            ['y', 'a', 'n', 'r'].map(pressed),
            [Some(Verdict::Yes), Some(Verdict::Always), Some(Verdict::No), None]
        );
        assert_eq!(
            [verdict("Y"), verdict("always"), verdict(" no ")],
            [Some(Verdict::Yes), Some(Verdict::Always), Some(Verdict::No)]
        );
        assert_eq!((verdict(""), verdict("sure, go on"), verdict("note this")), (None, None, None));
        assert_eq!(verdict("no, use make"), Some(Verdict::NoBecause("use make".to_owned())));
    }
}
