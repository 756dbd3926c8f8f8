//! Finding the place of each change in a file, by its old lines.

use super::{Hunk, HunkLine};
use crate::nearest::nearest;
use crate::{Error, Result};

/// `text` with all `hunks` made, in their order.
pub(crate) fn fit(path: &str, text: &str, hunks: &[Hunk]) -> Result<String> {
    let ended = text.is_empty() || text.ends_with('\n');
    let lines: Vec<&str> = text.lines().collect();
    let mut out: Vec<&str> = Vec::with_capacity(lines.len());
    let mut from = 0;
    for hunk in hunks {
        let start = place(path, text, &lines, from, hunk)?;
        out.extend(&lines[from..start]);
        from = start;
        for line in &hunk.lines {
            match line {
                HunkLine::Add(added) => out.push(added),
                // What stays is as the file has it, where the patch is not exact.
                HunkLine::Keep(_) => {
                    out.push(lines[from]);
                    from += 1;
                }
                HunkLine::Remove(_) => from += 1,
            }
        }
    }
    out.extend(&lines[from..]);
    let mut changed = out.join("\n");
    if !out.is_empty() && ended {
        changed.push('\n');
    }
    Ok(changed)
}

/// The line, from 0, where the old lines of `hunk` begin, at `from` or later.
fn place(path: &str, text: &str, lines: &[&str], from: usize, hunk: &Hunk) -> Result<usize> {
    let wrong = |why: String| Error::DoesNotFit { path: path.to_owned(), why };
    let mut from = from;
    for anchor in &hunk.anchors {
        let found = LIKENESS.iter().find_map(|same| (from..lines.len()).find(|at| same(lines[*at], anchor)));
        // An anchor may be a part of its line: the head of a function without its end.
        let found = found.or_else(|| (from..lines.len()).find(|at| lines[*at].trim_start().starts_with(anchor.trim())));
        from = 1 + found
            .ok_or_else(|| wrong(format!("there is no line {anchor:?} (after \"@@\"){}", nearest(text, anchor))))?;
    }
    let old: Vec<&str> = hunk.lines.iter().filter_map(HunkLine::old).collect();
    if old.is_empty() {
        return Ok(if hunk.anchors.is_empty() || hunk.at_end { lines.len() } else { from });
    }
    for same in LIKENESS {
        let found: Vec<usize> = matches(lines, from, &old, *same).take(6).collect();
        let last = lines.len().checked_sub(old.len());
        match found.as_slice() {
            [] => {}
            _ if hunk.at_end && last.is_some_and(|last| is_at(lines, last, &old, *same)) => {
                return Ok(last.unwrap_or(from));
            }
            [only] => return Ok(*only),
            // Straight after its anchor, a change has been told where it is.
            [first, ..] if !hunk.anchors.is_empty() => return Ok(*first),
            many => {
                let numbers: Vec<String> = many.iter().map(|at| (at + 1).to_string()).collect();
                let numbers = numbers.join(", ");
                return Err(wrong(format!(
                    "the old lines are there more than once (lines {numbers}): give more lines, or a line above with \"@@\""
                )));
            }
        }
    }
    let after = if from > 0 { format!(" after line {from}") } else { String::new() };
    Err(wrong(format!("the old lines are not in the file{after}{}", nearest(text, &old.join("\n")))))
}

fn matches<'a>(lines: &'a [&str], from: usize, old: &'a [&str], same: Same) -> impl Iterator<Item = usize> + 'a {
    let end = (lines.len() + 1).saturating_sub(old.len());
    (from..end).filter(move |at| is_at(lines, *at, old, same))
}

fn is_at(lines: &[&str], at: usize, old: &[&str], same: Same) -> bool {
    lines[at..].iter().zip(old).all(|(line, old)| same(line, old))
}

impl HunkLine {
    fn old(&self) -> Option<&str> {
        match self {
            Self::Keep(line) | Self::Remove(line) => Some(line),
            Self::Add(_) => None,
        }
    }
}

type Same = fn(&str, &str) -> bool;

/// When two lines are taken for the same: the strictest first.
const LIKENESS: &[Same] = &[
    |a, b| a == b,
    |a, b| a.trim_end() == b.trim_end(),
    |a, b| a.trim() == b.trim(),
    |a, b| a.trim().chars().map(plain).eq(b.trim().chars().map(plain)),
];

/// A character as a keyboard has it.
fn plain(c: char) -> char {
    match c {
        '\u{2018}'..='\u{201b}' => '\'',
        '\u{201c}'..='\u{201f}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{a0}' | '\u{2002}'..='\u{200a}' | '\u{202f}' | '\u{3000}' => ' ',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::{Section, parse};
    use super::*;

    fn apply(text: &str, body: &str) -> Result<String> {
        let patch = format!("*** Begin Patch\n*** Update File: f\n{body}\n*** End Patch\n");
        match parse(&patch)?.remove(0) {
            Section::Update { hunks, .. } => fit("f", text, &hunks),
            other => panic!("{other:?}"),
        }
    }

    fn check(text: &str, body: &str, expected: &str) {
        assert_eq!(apply(text, body).unwrap(), expected, "{body}");
    }

    #[test]
    fn lines_are_changed_where_the_old_ones_are() {
        check("a\nb\nc\n", "@@\n a\n-b\n+x\n c", "a\nx\nc\n");
        check("a\nb\nc\n", "-a\n+1\n@@\n-c\n+3", "1\nb\n3\n");
        check("a\nb\n", "@@ a\n+new", "a\nnew\nb\n");
        check("a\nb\n", "+end", "a\nb\nend\n");
        check("no end", "-no end\n+with", "with");
        check("", "+first", "first\n");
        check("a\n", "-a", "");
    }

    #[test]
    fn an_anchor_chooses_between_places_that_are_alike() {
        let text = "def a\n  x\ndef b\n  x\n";
        check(text, "@@ def b\n-  x\n+  y", "def a\n  x\ndef b\n  y\n");
        let error = apply(text, "-  x\n+  y").unwrap_err().to_string();
        assert!(error.contains("lines 2, 4"), "{error}");
        check(text, "-  x\n+  y\n*** End of File", "def a\n  x\ndef b\n  y\n");
    }

    #[test]
    fn space_and_typographic_signs_may_differ_and_kept_lines_stay_as_the_file_has_them() {
        check("a  \n\tb\n", " a\n-b\n+c", "a  \nc\n");
        check("say \u{201c}hi\u{201d}\nx\n", " say \"hi\"\n-x\n+y", "say \u{201c}hi\u{201d}\ny\n");
    }

    #[test]
    fn lines_that_are_not_there_are_refused_with_the_nearest() {
        let error =
            apply("fn a() {\n    one(1);\n}\n", " fn a() {\n-    one(2);\n+    two();").unwrap_err().to_string();
        assert!(error.contains("not in the file") && error.contains("line 1"), "{error}");
        assert!(apply("a\n", "@@ class\n-a").unwrap_err().to_string().contains("no line \"class\""));
    }

    proptest::proptest! {
        #[test]
        fn no_patch_makes_it_panic(text in "[ab\\n]{0,20}", body in "([ +\\-@]{0,2}[ab ]{0,3}\\n){0,6}") {
            let _ = apply(&text, &body);
        }
    }
}
