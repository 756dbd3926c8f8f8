//! Searching the text of files, with the machinery of ripgrep.

use std::io;
use std::ops::ControlFlow;

use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder, Sink, SinkContext, SinkMatch};

use crate::list::glob;
use crate::walk::{self, WalkOptions};
use crate::{Error, Kind, Place, Result, Workspace};

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// This very text.
    Text(String),
    /// A regular expression, in the syntax of the crate `regex`.
    Regex(String),
}

/// How and where to look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchOptions {
    /// The directory or file to look in; empty is the workspace.
    pub path: String,
    /// Only files like these ([`Workspace::glob`]); none means all. One that begins with `!` leaves out.
    pub globs: Vec<String>,
    /// Whether `a` is `A`.
    pub ignore_case: bool,
    /// Whether only whole words count.
    pub words: bool,
    /// Whether a match may span lines.
    pub multiline: bool,
    /// Lines told before and after each match.
    pub context: usize,
    /// Whether what `.gitignore` leaves out is looked at.
    pub ignored: bool,
    /// Whether only names and counts are wanted.
    pub count_only: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Files with matches, in order of their paths.
    pub files: Vec<FileMatches>,
    /// Matching lines in all of them.
    pub matches: usize,
    /// Files that were looked at.
    pub searched: usize,
    /// Files that could not be: not readable, or with lines too long to hold.
    pub skipped: usize,
    /// Files that were not to be: whatever is in them, they are told of as a number ([`Workspace::search_where`]).
    pub left_out: usize,
    /// Whether there is more than was told.
    pub more: bool,
}

/// What was found in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMatches {
    /// The file.
    pub path: String,
    /// Matching lines.
    pub count: usize,
    /// The lines, with those around them if wanted.
    pub lines: Vec<Line>,
}

/// One line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// Its text, without its end.
    pub text: String,
    /// Whether it matches, or is told for context.
    pub is_match: bool,
}

impl Workspace {
    /// Looks for `pattern` in the text of files.
    ///
    /// # Errors
    /// [`Error::Pattern`], or if the place to look in is not there.
    pub fn search(&self, pattern: &Pattern, options: &SearchOptions) -> Result<Found> {
        self.search_where(pattern, options, |_| true)
    }

    /// As [`search`](Self::search), in those files only whose paths `may` takes. The others are not opened, so that nothing that is
    /// found depends on what is in them.
    ///
    /// # Errors
    /// Those of [`search`](Self::search).
    pub fn search_where(
        &self,
        pattern: &Pattern,
        options: &SearchOptions,
        may: impl Fn(&str) -> bool,
    ) -> Result<Found> {
        let matcher = matcher(pattern, options)?;
        let filter = Filter::new(&options.globs)?;
        let mut search = Search {
            workspace: self,
            matcher,
            searcher: searcher(options),
            options,
            found: Found::default(),
            bytes: 0,
        };
        let place = Place::parse(&options.path)?;
        if self.kind_of(&place)? != Kind::Directory {
            let _ = search.file_if(&place, &may);
            return Ok(search.found);
        }
        let walking = WalkOptions { ignored: options.ignored, ..WalkOptions::default() };
        let whole = walk::walk(self, &place, &walking, &mut |item| {
            if item.kind == Kind::File && filter.takes(item.place.as_str()) {
                search.file_if(&item.place, &may)
            } else {
                ControlFlow::Continue(())
            }
        })?;
        search.found.more |= !whole;
        Ok(search.found)
    }
}

fn matcher(pattern: &Pattern, options: &SearchOptions) -> Result<RegexMatcher> {
    let (text, literal) = match pattern {
        Pattern::Text(text) => (text, true),
        Pattern::Regex(text) => (text, false),
    };
    let mut builder = RegexMatcherBuilder::new();
    builder.fixed_strings(literal).case_insensitive(options.ignore_case).word(options.words).size_limit(8 << 20);
    builder.multi_line(true);
    if options.multiline {
        builder.dot_matches_new_line(false);
    } else {
        builder.line_terminator(Some(b'\n'));
    }
    builder.build(text).map_err(|error| Error::Pattern { pattern: text.clone(), why: error.to_string() })
}

fn searcher(options: &SearchOptions) -> Searcher {
    SearcherBuilder::new()
        .binary_detection(BinaryDetection::quit(0))
        .multi_line(options.multiline)
        .before_context(options.context)
        .after_context(options.context)
        .heap_limit(Some(32 << 20))
        .build()
}

/// Which files are looked at.
struct Filter {
    only: Vec<globset::GlobMatcher>,
    not: Vec<globset::GlobMatcher>,
}

impl Filter {
    fn new(globs: &[String]) -> Result<Self> {
        let (mut only, mut not) = (Vec::new(), Vec::new());
        for pattern in globs {
            match pattern.strip_prefix('!') {
                Some(pattern) => not.push(glob(pattern)?),
                None => only.push(glob(pattern)?),
            }
        }
        Ok(Self { only, not })
    }

    fn takes(&self, path: &str) -> bool {
        (self.only.is_empty() || self.only.iter().any(|glob| glob.is_match(path)))
            && !self.not.iter().any(|glob| glob.is_match(path))
    }
}

struct Search<'a> {
    workspace: &'a Workspace,
    matcher: RegexMatcher,
    searcher: Searcher,
    options: &'a SearchOptions,
    found: Found,
    bytes: usize,
}

impl Search<'_> {
    fn file_if(&mut self, place: &Place, may: &impl Fn(&str) -> bool) -> ControlFlow<()> {
        if may(place.as_str()) {
            return self.file(place);
        }
        self.found.left_out += 1;
        ControlFlow::Continue(())
    }

    fn file(&mut self, place: &Place) -> ControlFlow<()> {
        let limits = self.workspace.limits();
        let mut sink = Lines {
            lines: Vec::new(),
            count: 0,
            left: limits.matches.saturating_sub(self.found.matches),
            bytes: limits.answer_bytes.saturating_sub(self.bytes),
            line_chars: limits.line_chars,
            keep: !self.options.count_only,
            full: false,
        };
        self.found.searched += 1;
        let done = match self.workspace.file(place) {
            Ok((file, _, _)) => self.searcher.search_file(&self.matcher, &file, &mut sink).is_ok(),
            Err(_) => false,
        };
        self.found.skipped += usize::from(!done);
        self.found.matches += sink.count;
        self.bytes += sink.lines.iter().map(|line| line.text.len() + 8).sum::<usize>();
        if sink.count > 0 {
            self.found.files.push(FileMatches { path: place.to_string(), count: sink.count, lines: sink.lines });
        }
        if sink.full {
            self.found.more = true;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

/// Takes the lines of one file.
struct Lines {
    lines: Vec<Line>,
    count: usize,
    left: usize,
    bytes: usize,
    line_chars: usize,
    keep: bool,
    full: bool,
}

impl Lines {
    fn push(&mut self, first: Option<u64>, bytes: &[u8], is_match: bool) {
        if !self.keep {
            return;
        }
        for (at, line) in (0..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            let whole = String::from_utf8_lossy(line);
            let text: String = whole.trim_end_matches(['\n', '\r']).chars().take(self.line_chars).collect();
            self.bytes = self.bytes.saturating_sub(text.len() + 8);
            self.lines.push(Line { number: first.unwrap_or(0) + at, text, is_match });
        }
    }
}

impl Sink for Lines {
    type Error = io::Error;

    fn matched(&mut self, _searcher: &Searcher, found: &SinkMatch<'_>) -> Result<bool, io::Error> {
        if self.left == 0 || self.bytes == 0 {
            self.full = true;
            return Ok(false);
        }
        self.left -= 1;
        self.count += 1;
        self.push(found.line_number(), found.bytes(), true);
        Ok(true)
    }

    fn context(&mut self, _searcher: &Searcher, context: &SinkContext<'_>) -> Result<bool, io::Error> {
        self.push(context.line_number(), context.bytes(), false);
        Ok(true)
    }
}
