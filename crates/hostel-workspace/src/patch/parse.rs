//! Reading the envelope form.

use crate::{Error, Result};

/// What a patch says of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Section {
    Add { line: usize, path: String, text: String },
    Delete { line: usize, path: String },
    Update { line: usize, path: String, to: Option<String>, hunks: Vec<Hunk> },
}

/// One change within a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Hunk {
    /// Lines that come before it, outermost first.
    pub(crate) anchors: Vec<String>,
    pub(crate) lines: Vec<HunkLine>,
    /// Whether its lines are the last of the file.
    pub(crate) at_end: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HunkLine {
    Keep(String),
    Remove(String),
    Add(String),
}

impl Section {
    /// The files that it names, with the line of the patch.
    pub(crate) fn names(&self) -> Vec<(usize, &str)> {
        match self {
            Self::Add { line, path, .. } | Self::Delete { line, path } => vec![(*line, path)],
            Self::Update { line, path, to, .. } => {
                let to = to.as_deref().filter(|to| to != path);
                std::iter::once(&**path).chain(to).map(|path| (*line, path)).collect()
            }
        }
    }
}

pub(crate) const BEGIN: &str = "*** Begin Patch";
const END: &str = "*** End Patch";
const ADD: &str = "*** Add File: ";
const DELETE: &str = "*** Delete File: ";
const UPDATE: &str = "*** Update File: ";
const MOVE: &str = "*** Move to: ";
const LAST: &str = "*** End of File";

/// Reads a patch.
pub(crate) fn parse(patch: &str) -> Result<Vec<Section>> {
    let mut reader = Reader { lines: patch.lines().collect(), at: 0 };
    reader.skip_blank();
    if reader.next().map(str::trim) != Some(BEGIN) {
        return Err(reader.wrong(format!("it has to begin with {BEGIN:?}")));
    }
    let mut sections = Vec::new();
    loop {
        reader.skip_blank();
        let line = reader.at + 1;
        let Some(head) = reader.next() else {
            return Err(reader.wrong(format!("it ends without {END:?}: it may have been cut off")));
        };
        if head.trim() == END {
            break;
        }
        sections.push(section(&mut reader, head, line)?);
    }
    reader.skip_blank();
    if reader.peek().is_some() {
        reader.at += 1;
        return Err(reader.wrong(format!("there is something after {END:?}")));
    }
    if sections.is_empty() {
        return Err(reader.wrong("it changes nothing".into()));
    }
    Ok(sections)
}

fn section(reader: &mut Reader<'_>, head: &str, line: usize) -> Result<Section> {
    let named = |rest: &str| rest.trim().to_owned();
    if let Some(path) = head.strip_prefix(ADD).map(named) {
        return Ok(Section::Add { line, path, text: added(reader)? });
    }
    if let Some(path) = head.strip_prefix(DELETE).map(named) {
        return Ok(Section::Delete { line, path });
    }
    let Some(path) = head.strip_prefix(UPDATE).map(named) else {
        return Err(
            reader.wrong(format!("{head:?} is none of \"{}..\", \"{}..\", \"{}..\", {END:?}", ADD, UPDATE, DELETE))
        );
    };
    let to = reader.peek().and_then(|next| next.strip_prefix(MOVE)).map(named);
    if to.is_some() {
        reader.at += 1;
    }
    let hunks = hunks(reader)?;
    if hunks.is_empty() && to.is_none() {
        return Err(reader.wrong(format!("nothing is said of what changes in {path:?}")));
    }
    Ok(Section::Update { line, path, to, hunks })
}

fn added(reader: &mut Reader<'_>) -> Result<String> {
    let mut text = String::new();
    while let Some(line) = reader.peek().filter(|line| !line.starts_with("*** ")) {
        reader.at += 1;
        match line.strip_prefix('+') {
            Some(line) => {
                text.push_str(line);
                text.push('\n');
            }
            None => return Err(reader.wrong("each line of a new file begins with \"+\"".into())),
        }
    }
    Ok(text)
}

fn hunks(reader: &mut Reader<'_>) -> Result<Vec<Hunk>> {
    let mut hunks: Vec<Hunk> = Vec::new();
    let mut hunk = Hunk::default();
    while let Some(line) = reader.peek() {
        if line.trim_end() == LAST {
            hunk.at_end = true;
        } else if line.starts_with("*** ") {
            break;
        } else if let Some(anchor) = line.strip_prefix("@@") {
            if !hunk.lines.is_empty() {
                hunks.push(std::mem::take(&mut hunk));
            }
            // The old form with line numbers says nothing that the lines do not say.
            let anchor = anchor.trim_end_matches("@@").trim();
            if !anchor.is_empty() && !is_numbers(anchor) {
                hunk.anchors.push(anchor.to_owned());
            }
        } else {
            let Some(read) = hunk_line(line) else {
                reader.at += 1;
                return Err(
                    reader.wrong("a line of a change begins with \" \" (stays), \"-\" (goes) or \"+\" (comes)".into())
                );
            };
            hunk.lines.push(read);
        }
        reader.at += 1;
    }
    if !hunk.lines.is_empty() {
        hunks.push(hunk);
    } else if !hunk.anchors.is_empty() {
        return Err(reader.wrong("there is no change after the last \"@@\"".into()));
    }
    Ok(hunks)
}

fn hunk_line(line: &str) -> Option<HunkLine> {
    let rest = || line[1..].to_owned();
    match line.as_bytes().first() {
        None => Some(HunkLine::Keep(String::new())),
        Some(b' ') => Some(HunkLine::Keep(rest())),
        Some(b'-') => Some(HunkLine::Remove(rest())),
        Some(b'+') => Some(HunkLine::Add(rest())),
        Some(_) => None,
    }
}

/// Whether it is the `-1,2 +3,4` of a unified diff.
fn is_numbers(anchor: &str) -> bool {
    anchor.starts_with('-') && anchor.chars().all(|c| c.is_ascii_digit() || " ,+-".contains(c))
}

struct Reader<'a> {
    lines: Vec<&'a str>,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.lines.get(self.at).copied()
    }

    fn next(&mut self) -> Option<&'a str> {
        let line = self.peek();
        self.at += usize::from(line.is_some());
        line
    }

    fn skip_blank(&mut self) {
        while self.peek().is_some_and(|line| line.trim().is_empty()) {
            self.at += 1;
        }
    }

    /// An error about the line that was read last.
    fn wrong(&self, why: String) -> Error {
        Error::Patch { line: self.at.max(1), why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(patch: &str) -> String {
        parse(patch).unwrap_err().to_string()
    }

    #[test]
    fn all_kinds_of_sections_are_read() {
        let patch = "*** Begin Patch\n*** Add File: a\n+x\n+\n*** Delete File: b\n*** Update File: c\n*** Move to: d\n@@ class X\n@@ def y\n k\n-r\n+a\n\n*** End of File\n*** End Patch\n";
        let sections = parse(patch).unwrap();
        assert_eq!(sections[0], Section::Add { line: 2, path: "a".into(), text: "x\n\n".into() });
        assert_eq!(sections[1], Section::Delete { line: 5, path: "b".into() });
        let lines = vec![
            HunkLine::Keep("k".into()),
            HunkLine::Remove("r".into()),
            HunkLine::Add("a".into()),
            HunkLine::Keep(String::new()),
        ];
        let hunk = Hunk { anchors: vec!["class X".into(), "def y".into()], lines, at_end: true };
        assert_eq!(sections[2], Section::Update { line: 6, path: "c".into(), to: Some("d".into()), hunks: vec![hunk] });
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        assert!(fails("nonsense").contains("line 1 of the patch: it has to begin with"));
        assert!(fails("*** Begin Patch\n*** Add File: a\n+x\n").contains("cut off"));
        assert!(fails("*** Begin Patch\n*** Add File: a\nx\n*** End Patch").contains("line 3"));
        assert!(fails("*** Begin Patch\n*** Update File: a\n@@\nx\n*** End Patch").contains("line 4"));
        assert!(fails("*** Begin Patch\n*** Rename File: a\n*** End Patch").contains("is none of"));
        assert!(fails("*** Begin Patch\n*** End Patch\nmore").contains("after"));
        assert!(fails("*** Begin Patch\n*** End Patch").contains("changes nothing"));
        assert!(fails("*** Begin Patch\n*** Update File: a\n*** End Patch").contains("nothing is said"));
    }
}
