//! Reading a file: a range of its lines, whatever its size and encoding.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;

use crate::text::{self, Text};
use crate::{Encoding, Error, Place, Result, Workspace};

/// Which lines to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lines {
    /// The first, from 1.
    pub first: usize,
    /// How many at most; nothing means as many as an answer may have.
    pub count: Option<usize>,
}

impl Default for Lines {
    fn default() -> Self {
        Self { first: 1, count: None }
    }
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The file.
    pub path: String,
    /// The size of the whole file.
    pub bytes: u64,
    /// What is in it.
    pub content: Content,
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Lines of text.
    Text {
        /// The lines, with `\n` at the end of each that has an end.
        text: String,
        /// The number of the first of them, from 1.
        first: usize,
        /// How many lines the file has, if it was read to its end.
        total: Option<usize>,
        /// Whether lines follow.
        more: bool,
        /// How many lines were cut because they are too long.
        cut: usize,
        /// How the text is in bytes. Of a file larger than [`Limits::file_bytes`](crate::Limits::file_bytes) it is taken to be UTF-8.
        encoding: Encoding,
    },
    /// Something else than text.
    Binary {
        /// What its first bytes say it is.
        kind: &'static str,
    },
}

impl Page {
    /// The text, if it is text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text { text, .. } => Some(text),
            Content::Binary { .. } => None,
        }
    }

    /// The text with the number of each line before it, and a last line that says what follows; for what is not text, a sentence.
    #[must_use]
    pub fn numbered(&self) -> String {
        let (text, first, total, more) = match &self.content {
            Content::Text { text, first, total, more, .. } => (text, *first, *total, *more),
            Content::Binary { kind } => return format!("{} is not text: {kind}, {} bytes", self.path, self.bytes),
        };
        let mut out = String::new();
        let mut next = first;
        for line in text.lines() {
            let _ = writeln!(out, "{next:>6}\t{line}");
            next += 1;
        }
        if more {
            let of = total.map_or_else(String::new, |total| format!(" of {total}"));
            let _ = writeln!(out, "({} lines{of} shown so far; the next is {next})", next - 1);
        }
        out
    }
}

impl Workspace {
    /// Reads lines of a file.
    ///
    /// A file of any size can be read: of one that is larger than [`Limits::file_bytes`](crate::Limits::file_bytes), no more is
    /// read than needed.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::WrongKind`], [`Error::Outside`].
    pub fn read(&self, path: &str, lines: Lines) -> Result<Page> {
        let place = Place::parse(path)?;
        let (mut file, bytes, _) = self.file(&place)?;
        let mut start = Vec::new();
        (&mut file).take(8192).read_to_end(&mut start).map_err(|error| Error::of(path, error))?;
        if text::is_binary(&start) {
            return Ok(Page { path: place.to_string(), bytes, content: Content::Binary { kind: sniff(&start) } });
        }
        let content = if bytes <= self.limits().file_bytes {
            self.whole(&place, start, file, lines)?
        } else {
            self.part(&place, start, file, lines)?
        };
        Ok(Page { path: place.to_string(), bytes, content })
    }

    /// All bytes of a file that has at most `limit` of them.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::WrongKind`], [`Error::Outside`], [`Error::TooLarge`].
    pub fn read_bytes(&self, path: &str, limit: u64) -> Result<Vec<u8>> {
        let place = Place::parse(path)?;
        let (file, _, _) = self.file(&place)?;
        let mut all = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut all).map_err(|error| Error::of(path, error))?;
        match all.len() as u64 {
            bytes if bytes > limit => Err(Error::TooLarge { what: place.to_string(), bytes, limit }),
            _ => Ok(all),
        }
    }

    /// All bytes of a file that may be edited, and its mode.
    pub(crate) fn bytes(&self, place: &Place) -> Result<(Vec<u8>, u32)> {
        let (file, bytes, mode) = self.file(place)?;
        let limit = self.limits().file_bytes;
        let large = |bytes| Error::TooLarge { what: place.to_string(), bytes, limit };
        if bytes > limit {
            return Err(large(bytes));
        }
        let mut all = Vec::new();
        file.take(limit + 1).read_to_end(&mut all).map_err(|error| Error::of(place.as_str(), error))?;
        if all.len() as u64 > limit {
            return Err(large(all.len() as u64));
        }
        Ok((all, mode))
    }

    fn whole(&self, place: &Place, mut bytes: Vec<u8>, file: File, lines: Lines) -> Result<Content> {
        file.take(self.limits().file_bytes)
            .read_to_end(&mut bytes)
            .map_err(|error| Error::of(place.as_str(), error))?;
        let Some(text) = Text::decode(&bytes) else { return Ok(Content::Binary { kind: sniff(&bytes) }) };
        let mut taken = Taken::new(self, lines);
        for line in text.text.split_inclusive('\n') {
            taken.take(line);
        }
        Ok(taken.content(text.encoding, true))
    }

    /// Of a large file: bytes in pieces, a line never longer in memory than a piece and what may be shown of it.
    fn part(&self, place: &Place, mut piece: Vec<u8>, mut file: File, lines: Lines) -> Result<Content> {
        let mut taken = Taken::new(self, lines);
        let mut line = Vec::new();
        let longest = self.limits().line_chars * 4;
        loop {
            for run in piece.split_inclusive(|byte| *byte == b'\n') {
                line.extend_from_slice(&run[..run.len().min((longest + 8).saturating_sub(line.len()))]);
                if run.ends_with(b"\n") {
                    if line.last() != Some(&b'\n') {
                        line.push(b'\n');
                    }
                    taken.take(&String::from_utf8_lossy(&line));
                    line.clear();
                }
            }
            if taken.full {
                return Ok(taken.content(Encoding::Utf8, false));
            }
            piece.clear();
            let read =
                (&mut file).take(1 << 16).read_to_end(&mut piece).map_err(|error| Error::of(place.as_str(), error))?;
            if read == 0 {
                break;
            }
        }
        if !line.is_empty() {
            taken.take(&String::from_utf8_lossy(&line));
        }
        Ok(taken.content(Encoding::Utf8, true))
    }
}

/// Lines that were taken so far, within the bounds of an answer.
struct Taken {
    text: String,
    first: usize,
    end: usize,
    seen: usize,
    cut: usize,
    full: bool,
    line_chars: usize,
    bytes: usize,
}

impl Taken {
    fn new(workspace: &Workspace, lines: Lines) -> Self {
        let limits = workspace.limits();
        let first = lines.first.max(1);
        let count = lines.count.unwrap_or(limits.answer_lines).min(limits.answer_lines);
        Self {
            text: String::new(),
            first,
            end: first.saturating_add(count),
            seen: 0,
            cut: 0,
            full: false,
            line_chars: limits.line_chars,
            bytes: limits.answer_bytes,
        }
    }

    fn take(&mut self, line: &str) {
        self.seen += 1;
        if self.seen < self.first || self.full {
            return;
        }
        if self.seen >= self.end || self.text.len() + line.len().min(self.line_chars) > self.bytes {
            self.full = true;
            self.end = self.seen;
            return;
        }
        match line.char_indices().nth(self.line_chars) {
            Some((at, _)) if line[at..] != *"\n" => {
                self.cut += 1;
                self.text.push_str(&line[..at]);
                self.text.push_str(" [cut]\n");
            }
            _ => self.text.push_str(line),
        }
    }

    fn content(self, encoding: Encoding, to_the_end: bool) -> Content {
        Content::Text {
            text: self.text,
            first: self.first,
            total: to_the_end.then_some(self.seen),
            more: self.full,
            cut: self.cut,
            encoding,
        }
    }
}

/// What the first bytes of something that is not text say it is.
fn sniff(start: &[u8]) -> &'static str {
    let kinds: [(&[u8], &str); 12] = [
        (b"\x7fELF", "a program or library (ELF)"),
        (b"MZ", "a program (Windows)"),
        (b"\x89PNG", "a picture (PNG)"),
        (b"\xff\xd8\xff", "a picture (JPEG)"),
        (b"GIF8", "a picture (GIF)"),
        (b"%PDF", "a document (PDF)"),
        (b"PK\x03\x04", "an archive (ZIP)"),
        (b"\x1f\x8b", "compressed data (gzip)"),
        (b"\x28\xb5\x2f\xfd", "compressed data (zstd)"),
        (b"SQLite format 3\0", "a database (SQLite)"),
        (b"\0asm", "a program (WebAssembly)"),
        (b"wOF", "a font"),
    ];
    kinds.iter().find(|(mark, _)| start.starts_with(mark)).map_or("binary data", |(_, kind)| kind)
}
