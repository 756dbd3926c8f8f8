//! A list of turns, with what each of them changed.

use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io;
use std::ops::ControlFlow;

use hostel_journal::record::Body;
use hostel_journal::{Kind, Past};

use super::compare::{self, Comparison, different_pages};
use super::scratch::Scratch;
use super::sheets::Sheets;
use super::turns::{Place, Survey, Turns};
use super::{Changes, HistoryPage, HistoryQuery, TurnEntry};
use crate::store::Inner;
use crate::{CauseRun, Error, TurnCause};

/// A larger database is not compared turn by turn.
const LARGEST: u64 = 64 << 20;
/// The most turns of one answer.
const MOST: usize = 1000;
/// The most turns of one answer that are compared.
const MOST_COMPARED: usize = 100;

/// The asked part of a history.
pub(super) fn page(store: &Inner, turns: &Turns<'_>, query: &HistoryQuery) -> Result<HistoryPage, Error> {
    let most = if query.changes { MOST_COMPARED } else { MOST };
    let (window, survey) = Window::read(turns, query.before, query.limit.clamp(1, most))?;
    let mut entries: Vec<TurnEntry> = window.turns.iter().map(entry).collect();
    if query.changes && !window.turns.is_empty() {
        let mut pair = Pair::before(store, turns, &window)?;
        for (entry, past) in entries.iter_mut().zip(&window.turns) {
            entry.changes = pair.step(past).map_err(|e| e.told(turns))?;
        }
    }
    entries.reverse();
    let oldest_here = entries.last().map(|entry| entry.turn);
    Ok(HistoryPage {
        turns: entries,
        next: oldest_here.filter(|_| window.before.is_some()),
        oldest: survey.oldest.map(|at| at.turn),
        oldest_whole: survey.oldest_whole.map(|at| at.turn),
        damage: survey.damage,
    })
}

/// The turns of one answer, oldest first, and the one before them.
#[derive(Debug, Default)]
struct Window {
    before: Option<Place>,
    turns: VecDeque<Past>,
    places: VecDeque<Place>,
}

impl Window {
    fn read(turns: &Turns<'_>, end: Option<i64>, limit: usize) -> Result<(Self, Survey), Error> {
        let mut window = Self::default();
        let survey = turns.walk(|past, place| {
            if end.is_none_or(|end| place.at.turn < end) {
                window.push(past, place, limit);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((window, survey))
    }

    fn push(&mut self, mut past: Past, place: Place, limit: usize) {
        // While turns are folded into a base, the last of them may be there twice: as itself, and as the whole.
        if past.base && self.turns.back().is_some_and(|twin| twin.turn() == past.turn()) {
            self.places.pop_back();
            past.cause = self.turns.pop_back().map(|twin| twin.cause).unwrap_or_default();
        }
        self.turns.push_back(past);
        self.places.push_back(place);
        if self.turns.len() > limit {
            self.turns.pop_front();
            self.before = self.places.pop_front();
        }
    }
}

fn entry(past: &Past) -> TurnEntry {
    let shared = CauseRun::decode(&past.cause);
    let first = shared.first().map(|run| run.cause.clone());
    TurnEntry {
        turn: past.turn(),
        time_ms: past.header.time_ms,
        cause: first.unwrap_or_else(|| TurnCause::decode(&past.cause)),
        shared,
        whole: past.header.kind == Kind::Create,
        ended: past.header.kind == Kind::Destroy,
        bytes: past.header.footprint() as u64,
        changes: None,
    }
}

/// The database before a turn and after it, as two files that go from turn to turn.
struct Pair {
    before: (Scratch, File),
    after: (Scratch, File),
    /// Pages of the files; `None` if what they should hold is not known.
    pages: Option<u32>,
}

/// Lays the pages of one record over a file.
fn lay(file: &File, past: &Past, body: &Body) -> io::Result<()> {
    let mut sheets = Sheets::over(file);
    sheets.lay(past, body)?;
    sheets.finish()
}

/// A failure on the way of a comparison.
enum Failed {
    Io(io::Error),
    Sqlite(rusqlite::Error),
}

impl Failed {
    fn told(self, turns: &Turns<'_>) -> Error {
        match self {
            Self::Io(e) => turns.failed(e),
            Self::Sqlite(e) => compare::failed(e),
        }
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Pair {
    /// Both as they were before the first turn of the window. Before the first turn of all there was an empty database.
    fn before(store: &Inner, turns: &Turns<'_>, window: &Window) -> Result<Self, Error> {
        let empty = |pages| -> io::Result<Self> {
            Ok(Self { before: Scratch::create(&store.layout)?, after: Scratch::create(&store.layout)?, pages })
        };
        let is_first = |past: &Past| past.header.kind == Kind::Create && !past.base;
        let place = match window.before {
            Some(place) if place.whole.is_some() => place,
            Some(place) => return empty((place.kind == Kind::Destroy).then_some(0)).map_err(|e| turns.failed(e)),
            None => {
                let first_of_all = window.turns.front().is_some_and(is_first);
                return empty(first_of_all.then_some(0)).map_err(|e| turns.failed(e));
            }
        };
        let image = turns.image(store, &place)?;
        let both = || -> io::Result<Self> {
            let mut after = Scratch::create(&store.layout)?;
            io::copy(&mut File::open(image.path())?, &mut after.1)?;
            Ok(Self { before: image.into_scratch()?, after, pages: Some(place.db_pages) })
        };
        both().map_err(|e| turns.failed(e))
    }

    /// Goes on by one turn, and says what it changed; `None` if that is not known, or if it was the agent's end.
    fn step(&mut self, past: &Past) -> Result<Option<Changes>, Failed> {
        let known = self.pages.take();
        if past.header.kind == Kind::Destroy {
            self.before.1.set_len(0)?;
            self.after.1.set_len(0)?;
            self.pages = Some(0);
            return Ok(None);
        }
        let known = known.filter(|_| !past.broken && !past.base);
        if known.is_none() && past.header.kind == Kind::Commit {
            return Ok(None);
        }
        let body = past.body()?;
        lay(&self.after.1, past, &body)?;
        let changes = match known {
            Some(pages) => self.compare(past, pages, body.pages().map(|(number, _)| number).collect()).map(Some),
            None => Ok(None),
        };
        lay(&self.before.1, past, &body)?;
        self.pages = Some(past.header.db_pages);
        changes
    }

    fn compare(&self, past: &Past, old_pages: u32, mut changed: HashSet<u32>) -> Result<Changes, Failed> {
        let bytes = u64::from(past.header.db_pages) * u64::from(past.header.page_size);
        if bytes > LARGEST {
            let note =
                format!("the database has {} MiB, more than is compared turn by turn; compare two turns", bytes >> 20);
            return Ok(Changes { note: Some(note), ..Changes::default() });
        }
        let (before, after) = (self.before.0.path(), self.after.0.path());
        if past.header.kind == Kind::Create {
            changed = different_pages(before, after, past.header.page_size as usize)?;
        }
        changed.extend(past.header.db_pages + 1..=old_pages);
        Ok(Comparison::open(before, after, Some(&changed))?.changes()?)
    }
}
