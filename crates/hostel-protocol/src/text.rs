//! Small text helpers: JSON string literals, cutting at a char boundary, one line for a log.

use std::fmt::{self, Write as _};

/// Appends `s` as a JSON string literal, escaped exactly as `JSON.stringify`
/// escapes it (short escapes, then lower-case `\u00xx`).
pub(crate) fn push_json_str(out: &mut String, s: &str) {
    out.push('"');
    if needs_escape_in(s) {
        push_escaped(out, s);
    } else {
        out.push_str(s);
    }
    out.push('"');
}

/// Whether a JSON string literal of `s` has escapes. Without an early end the compiler looks at many bytes at once.
fn needs_escape_in(s: &str) -> bool {
    s.bytes().fold(false, |found, byte| found | needs_escape(byte))
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn push_escaped(out: &mut String, s: &str) {
    let mut clean_from = 0;
    for (at, byte) in s.bytes().enumerate() {
        if !needs_escape(byte) {
            continue;
        }
        out.push_str(&s[clean_from..at]);
        push_escape(out, byte);
        clean_from = at + 1;
    }
    out.push_str(&s[clean_from..]);
}

fn push_escape(out: &mut String, byte: u8) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    match byte {
        b'"' => out.push_str("\\\""),
        b'\\' => out.push_str("\\\\"),
        0x08 => out.push_str("\\b"),
        0x0c => out.push_str("\\f"),
        b'\n' => out.push_str("\\n"),
        b'\r' => out.push_str("\\r"),
        b'\t' => out.push_str("\\t"),
        _ => {
            out.push_str("\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 0xf)]);
        }
    }
}

/// The longest prefix of `s` of at most `max` bytes that ends between chars.
pub(crate) fn cut(s: &str, max: usize) -> &str {
    &s[..s.floor_char_boundary(max)]
}

/// `s` in at most `max` bytes; a shortened text ends in `…`.
pub(crate) fn shorten(s: &str, max: usize) -> String {
    if s.len() <= max {
        return s.to_owned();
    }
    format!("{}…", cut(s, max.saturating_sub('…'.len_utf8())))
}

/// A text as it may stand in a log, since a stranger may have written some of it: what would break the line, steer a
/// terminal or turn the direction of writing is escaped.
///
/// ```
/// use hostel_protocol::OneLine;
/// assert_eq!(OneLine("a\n\u{1b}[31mb \"é\"").to_string(), "a\\n\\u{1b}[31mb \"é\"");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct OneLine<'a>(pub &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| if is_plain(c) { f.write_char(c) } else { write!(f, "{}", c.escape_default()) })
    }
}

fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn json_strings_are_written_as_serde_json_writes_them(s in any::<String>()) {
            let mut out = String::new();
            push_json_str(&mut out, &s);
            prop_assert_eq!(out, serde_json::to_string(&s).unwrap());
        }

        #[test]
        fn shortened_text_fits(s in any::<String>(), max in 3usize..40) {
            prop_assert!(shorten(&s, max).len() <= max);
        }
    }

    #[test]
    fn every_control_character_is_escaped_in_lower_case_hex() {
        let all: String = (0u8..0x20).map(char::from).collect();
        let mut out = String::new();
        push_json_str(&mut out, &all);
        assert_eq!(out, serde_json::to_string(&all).unwrap());
        assert!(out.ends_with("\\u001f\""));
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("a", 30), "a");
    }
}
