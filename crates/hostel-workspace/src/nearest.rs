//! Where something like a text is, for whoever did not find the text itself.

use std::fmt::Write as _;

use similar::TextDiff;

/// Lines of a file that are looked at: beyond, looking takes too long for an error.
const LINES: usize = 20_000;
/// Lines of a text that are compared.
const WINDOW: usize = 100;
/// Lines that are shown.
const SHOWN: usize = 12;

/// A sentence about the place in `text` that is most like `old`, to follow an error; empty if there is none.
pub(crate) fn nearest(text: &str, old: &str) -> String {
    let lines: Vec<&str> = text.lines().take(LINES).collect();
    let wanted: Vec<&str> = old.trim_matches('\n').lines().take(WINDOW).collect();
    let Some((start, equal)) = most_equal_lines(&lines, &wanted).or_else(|| most_like_first_line(&lines, &wanted))
    else {
        return String::new();
    };
    let end = lines.len().min(start + wanted.len());
    let why = if equal { "the same but for white space" } else { "the nearest" };
    let mut out = format!("; {why} is at line {}:\n", start + 1);
    for (number, line) in (start + 1..).zip(&lines[start..end]).take(SHOWN) {
        let line: String = line.chars().take(200).collect();
        let _ = writeln!(out, "{number:>6}\t{line}");
    }
    out.truncate(out.trim_end().len());
    out
}

/// The window with the most lines that are equal but for the space around them.
fn most_equal_lines(lines: &[&str], wanted: &[&str]) -> Option<(usize, bool)> {
    let same = |a: &str, b: &str| a.split_whitespace().eq(b.split_whitespace());
    let mut best = (0, 0);
    for start in 0..lines.len() {
        let pairs = lines[start..].iter().zip(wanted);
        let score = pairs.filter(|(line, wanted)| !wanted.trim().is_empty() && same(line, wanted)).count();
        if score > best.1 {
            best = (start, score);
        }
    }
    let whole = wanted.iter().filter(|line| !line.trim().is_empty()).count();
    (best.1 > 0).then_some((best.0, best.1 == whole))
}

/// The line most like the first line wanted.
fn most_like_first_line(lines: &[&str], wanted: &[&str]) -> Option<(usize, bool)> {
    let first: String = wanted.iter().find(|line| !line.trim().is_empty())?.trim().chars().take(200).collect();
    let ratio = |line: &str| {
        let line: String = line.trim().chars().take(200).collect();
        TextDiff::from_chars(&first, &line).ratio()
    };
    let likes = lines.iter().take(2_000).enumerate().map(|(at, line)| (at, ratio(line)));
    let best = likes.max_by(|a, b| a.1.total_cmp(&b.1))?;
    (best.1 > 0.6).then_some((best.0, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "fn one() {\n    let a = 1;\n    let b = 2;\n}\n\nfn two() {\n    let c = 3;\n}\n";

    #[test]
    fn a_text_with_other_indentation_is_found_and_said_to_be_that() {
        let hint = nearest(TEXT, "let a = 1;\nlet b = 2;\n");
        assert!(hint.contains("white space is at line 2") && hint.contains("    let b = 2;"), "{hint}");
    }

    #[test]
    fn a_text_with_one_other_line_is_found() {
        let hint = nearest(TEXT, "fn two() {\n    let c = 4;\n}\n");
        assert!(hint.contains("the nearest is at line 6"), "{hint}");
    }

    #[test]
    fn a_single_line_with_a_slip_is_found_and_a_stranger_is_not() {
        assert!(nearest(TEXT, "let c == 3;").contains("line 7"));
        assert_eq!(nearest(TEXT, "import zebra from 'quagga'"), "");
    }
}
