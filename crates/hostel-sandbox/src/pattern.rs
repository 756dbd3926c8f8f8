//! Patterns: a text in which `*` stands for anything, and a backslash takes the next character as it is.

/// A pattern that matches `text` and nothing else.
#[must_use]
pub fn exactly(text: &str) -> String {
    text.replace('\\', r"\\").replace('*', r"\*")
}

/// The texts between the stars.
fn pieces(pattern: &str) -> Vec<String> {
    let (mut pieces, mut piece, mut chars) = (Vec::new(), String::new(), pattern.chars());
    while let Some(c) = chars.next() {
        match c {
            '*' => pieces.push(std::mem::take(&mut piece)),
            '\\' => piece.extend(chars.next()),
            c => piece.push(c),
        }
    }
    pieces.push(piece);
    pieces
}

/// Whether a pattern stands for more than one text.
#[must_use]
pub fn is_open(pattern: &str) -> bool {
    pieces(pattern).len() > 1
}

/// How every text begins that a pattern stands for: what is before the first star.
#[must_use]
pub fn beginning(pattern: &str) -> String {
    pieces(pattern).swap_remove(0)
}

/// Whether a pattern stands for `text`.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let pieces = pieces(pattern);
    let Some((first, rest)) = pieces.split_first() else { return false };
    let Some((last, middle)) = rest.split_last() else { return first == text };
    let Some(mut text) = text.strip_prefix(first.as_str()) else { return false };
    for piece in middle {
        let Some(at) = text.find(piece.as_str()) else { return false };
        text = &text[at + piece.len()..];
    }
    text.ends_with(last.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_and_all_else_for_itself() {
        for (pattern, text) in [
            ("cargo test*", "cargo test"),
            ("cargo test*", "cargo test -p x"),
            ("*", ""),
            ("src/*.rs", "src/a/b.rs"),
            ("a*b*c", "a1b2b3c"),
            (r"rm \*", "rm *"),
            ("exact", "exact"),
        ] {
            assert!(matches(pattern, text), "{pattern:?} {text:?}");
        }
        for (pattern, text) in [
            ("cargo test*", "cargo"),
            ("a*b", "a"),
            ("ab*ba", "aba"),
            (r"rm \*", "rm x"),
            ("exact", "exactly"),
            ("", "x"),
        ] {
            assert!(!matches(pattern, text), "{pattern:?} {text:?}");
        }
    }

    #[test]
    fn every_text_begins_as_the_pattern_does() {
        for (pattern, begins) in [("src/*.rs", "src/"), ("*", ""), (r"a\**", "a*"), ("exact", "exact"), ("", "")] {
            assert_eq!(beginning(pattern), begins, "{pattern:?}");
        }
    }

    #[test]
    fn what_is_meant_exactly_matches_itself_alone() {
        for text in ["rm *", r"a\b", r"\*", "plain", ""] {
            assert!(matches(&exactly(text), text) && !is_open(&exactly(text)), "{text:?}");
            assert!(!matches(&exactly(text), &format!("{text}x")), "{text:?}");
        }
    }
}
