//! What can be said of a line for the shell without running it, and which lines a pattern means.
//!
//! ```
//! use hostel_sandbox::line;
//!
//! assert!(line::is_within("cargo test*", "cargo test --all", None));
//! assert!(!line::is_within("cargo test*", "cargo test; curl example.org", None));
//! assert!(line::touches("rm *", "cd x && rm -rf y"));
//! ```

use crate::pattern;

/// What begins another command within a line, or sends something elsewhere.
const CHAINS: [&str; 9] = [";", "&", "|", "\n", "\r", "`", "$(", "<", ">"];

/// How the text of a command begins that runs in a directory.
const IN: &str = "in ";

/// A line, and the directory below the usual one that it runs in, as one text.
#[must_use]
pub fn shown(line: &str, directory: Option<&str>) -> String {
    directory.map_or_else(|| line.to_owned(), |directory| format!("{IN}{directory:?}: {line}"))
}

/// Whether a pattern covers all that a line does, so that it may be allowed. A line that chains is covered only by itself, and a
/// pattern without a star holds for its own directory alone.
#[must_use]
pub fn is_within(pattern: &str, line: &str, directory: Option<&str>) -> bool {
    if pattern::is_open(pattern) {
        return pattern::matches(pattern, line) && !chains(line);
    }
    // A line that looks like one with a directory is not taken for it.
    pattern::matches(pattern, &shown(line, directory)) && (directory.is_some() || !line.starts_with(IN))
}

/// Whether a pattern covers any of what a line does, so that it is asked about or refused.
#[must_use]
pub fn touches(pattern: &str, line: &str) -> bool {
    parts(line).iter().any(|part| pattern::matches(pattern, part))
}

/// Whether a line may do more than its first words say: whatever is not one command of plain words and plain quotes. A sign within
/// quotes counts too: it is better to ask once too often.
#[must_use]
pub fn chains(line: &str) -> bool {
    let has_sign = |text: &str| CHAINS.iter().any(|sign| text.contains(sign));
    has_sign(line) || has_sign(&line.replace(QUOTING, "")) || !is_plain(line) || is_evaluated(line)
}

/// Whether a line has nothing but words, quotes that end, and variables by their bare names: `${x}`, `$'x'`, braces and backslashes can
/// build any text, also one that the shell takes for a command.
fn is_plain(line: &str) -> bool {
    let (mut quote, mut chars) = (None, line.chars().peekable());
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        match (c, quote) {
            ('$', _) if !next.is_some_and(|next| next.is_ascii_alphabetic() || next == '_') => return false,
            ('\'' | '"', None) => quote = Some(c),
            ('\'' | '"', Some(open)) if c == open => quote = None,
            ('\\', Some('"')) if matches!(next, Some('"' | '\\')) => drop(chars.next()),
            ('\\' | '(' | ')' | '{' | '}', None) => return false,
            (c, _) if c.is_control() && c != '\t' => return false,
            _ => {}
        }
    }
    quote.is_none()
}

/// Whether the shell itself takes words of the line for text to evaluate, or makes the name of the command of something else.
fn is_evaluated(line: &str) -> bool {
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    for word in line.split_ascii_whitespace() {
        let bare = word.replace(QUOTING, "");
        match word.split_once('=') {
            // With quotes it may go on beyond the space.
            Some((name, value)) if is_name(name) && !value.contains(QUOTING) => {}
            _ if bare.starts_with('-') || PASSED.contains(&&*bare) => {}
            _ => return bare.contains(['$', '*', '?', '[', '=']) || EVALUATE.contains(&&*bare),
        }
    }
    false
}

/// What only says that a character is meant as it is.
const QUOTING: [char; 3] = ['\\', '\'', '"'];

/// What stands before a command and leaves it one of the shell's own.
const PASSED: [&str; 4] = ["command", "builtin", "time", "!"];

/// The shell's own commands that evaluate what they are given: as commands, as arithmetic, or as a place in an array.
const EVALUATE: [&str; 28] = [
    "eval",
    "source",
    ".",
    "let",
    "declare",
    "typeset",
    "local",
    "readonly",
    "export",
    "unset",
    "read",
    "mapfile",
    "readarray",
    "getopts",
    "test",
    "printf",
    "wait",
    "trap",
    "coproc",
    "alias",
    "enable",
    "bind",
    "complete",
    "compgen",
    "fc",
    "set",
    "shopt",
    "function",
];

/// The line, and every part of it that may be a command of its own, without what is set before it.
pub(crate) fn parts(line: &str) -> Vec<&str> {
    let parts = line.split([';', '&', '|', '\n', '\r', '`', '(', ')', '{', '}', '<', '>']);
    let mut all = vec![line.trim()];
    for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
        all.push(part);
        all.push(without_settings(part));
    }
    all
}

/// Without variables, and without programs that only start others.
fn without_settings(part: &str) -> &str {
    let mut rest = part;
    loop {
        let (first, behind) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let is_setting = first.contains('=') && !first.starts_with('-');
        if behind.is_empty() || !(is_setting || STARTERS.contains(&first)) {
            return rest;
        }
        rest = behind.trim_start();
    }
}

const STARTERS: [&str; 13] =
    ["sudo", "env", "exec", "command", "nohup", "time", "nice", "then", "do", "else", "!", "builtin", "eval"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_does_more_than_its_first_words_say_is_known() {
        let more = ["a; b", "a && b", "a | b", "a\nb", "a `b`", "a $(b)", "a > b", "a <(b)", "a & b", "echo ';'"];
        for line in more {
            assert!(chains(line), "{line:?}");
        }
        assert!(!chains("cargo test --all -- name::of::test \"two words\" $HOME"));
    }

    #[test]
    fn a_line_that_builds_a_command_of_other_signs_chains_too() {
        for line in [
            r"git status ${A:=x[$\(touch /tmp/x\)]} ${HOME:A}",
            r"echo ${A:='\044\050touch /tmp/x\073id\051'} ${A@P}",
            "echo ${HOME}",
            "echo $[1+a]",
            r"echo $'\044'",
            "echo $\"x\"",
            r"echo $\(id)",
            "echo '$'\"(id)\"",
            "echo $",
            "echo $1",
            r"echo \x",
            "echo {a,b}",
            "{eval,id}",
            "echo (a)",
            "echo 'a",
            "echo \"a",
            "echo a\x0bb",
        ] {
            assert!(chains(line) && !is_within("*", line, None), "{line:?}");
            assert!(is_within(&pattern::exactly(line), line, None), "{line:?}");
        }
    }

    #[test]
    fn what_the_shell_itself_evaluates_chains() {
        for line in [
            "eval id",
            "'ev'al id",
            "A=1 command -p eval id",
            "test -v x*",
            "[ -v x* ]",
            "[[ 1 -eq a ]]",
            "printf -v x* y",
            "let a",
            "declare x*",
            "source x",
            ". x",
            "time builtin eval id",
            "! eval id",
            "a[HOME]=1 git status",
            "A='b c' eval id",
            "$SHELL x",
            "e*l id",
        ] {
            assert!(chains(line), "{line:?}");
        }
    }

    #[test]
    fn plain_words_and_quotes_do_not_chain() {
        for line in [
            "",
            "git add .",
            "git commit -m \"fix(x): it's {y}\"",
            r#"grep -n 'a\.b(c)' src/*.rs "x\"y""#,
            "A=1 B=c make -j2 test",
            "command -v cargo",
            "./test [ab]* $HOME/x ~/y",
        ] {
            assert!(!chains(line), "{line:?}");
        }
    }

    #[test]
    fn a_line_that_chains_is_covered_by_itself_alone() {
        for line in ["cargo test; x", "cargo test && x", "cargo test $(x)", "cargo test\nx", "cargo test > x"] {
            assert!(!is_within("cargo test*", line, None) && !is_within("*", line, None), "{line:?}");
            assert!(is_within(&pattern::exactly(line), line, None) && touches("cargo test*", line), "{line:?}");
        }
        assert!(is_within("cargo test*", "cargo test -p x", None) && !is_within("cargo test*", "cargo", None));
    }

    #[test]
    fn a_pattern_without_a_star_holds_for_its_own_directory_alone() {
        let (here, there) = (pattern::exactly("make"), pattern::exactly(&shown("make", Some("sub"))));
        assert!(is_within(&here, "make", None) && !is_within(&here, "make", Some("sub")));
        assert!(is_within(&there, "make", Some("sub")) && !is_within(&there, "make", None));
        assert!(is_within("mak*", "make", Some("sub")) && !is_within(&there, &shown("make", Some("sub")), None));
    }

    #[test]
    fn every_command_of_a_line_is_found() {
        for line in [
            "cd x && rm -rf y",
            "A=1 rm -rf y",
            "x; sudo env B=2 rm -rf y",
            "echo $(rm -rf y)",
            "if x; then rm -rf y; fi",
        ] {
            assert!(parts(line).contains(&"rm -rf y"), "{line:?}: {:?}", parts(line));
        }
    }
}
