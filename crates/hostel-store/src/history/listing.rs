//! A list of turns, with what each of them changed.

use std::collections::HashSet;
use std::fs::File;
use std::io;

use hostel_journal::{Kind, Past};

use super::compare::{self, Comparison, different_pages};
use super::scratch::Scratch;
use super::turns::{Turns, lay};
use super::{Changes, HistoryPage, HistoryQuery, TurnEntry};
use crate::store::Inner;
use crate::{Error, TurnCause};

/// A larger database is not compared turn by turn.
const LARGEST: u64 = 64 << 20;
/// The most turns of one answer.
const MOST: usize = 1000;
/// The most turns of one answer that are compared.
const MOST_COMPARED: usize = 100;

/// The asked part of a history.
pub(super) fn page(store: &Inner, turns: &Turns<'_>, query: &HistoryQuery) -> Result<HistoryPage, Error> {
    let past = turns.past();
    let end = query.before.map_or(past.len(), |before| past.partition_point(|past| past.turn() < before));
    let most = if query.changes { MOST_COMPARED } else { MOST };
    let start = end.saturating_sub(query.limit.clamp(1, most));
    let mut entries: Vec<TurnEntry> = past[start..end].iter().map(entry).collect();
    if query.changes && start < end {
        let mut pair = Pair::before(store, turns, start)?;
        for (entry, past) in entries.iter_mut().zip(&past[start..end]) {
            entry.changes = pair.step(past).map_err(|e| e.told(turns))?;
        }
    }
    entries.reverse();
    Ok(HistoryPage {
        turns: entries,
        next: (start > 0).then(|| turns.at(start).turn),
        oldest: past.first().map(Past::turn),
        oldest_whole: turns.oldest_whole().map(|place| turns.at(place).turn),
        damage: turns.damage().to_vec(),
    })
}

fn entry(past: &Past) -> TurnEntry {
    TurnEntry {
        turn: past.turn(),
        time_ms: past.header.time_ms,
        cause: TurnCause::decode(&past.cause),
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
    /// Both as they were before the turn at `place`. Before the first turn of all there was an empty database.
    fn before(store: &Inner, turns: &Turns<'_>, place: usize) -> Result<Self, Error> {
        let files = || -> io::Result<_> { Ok((Scratch::create(&store.layout)?, Scratch::create(&store.layout)?)) };
        let (before, mut after) = files().map_err(|e| turns.failed(e))?;
        let Some(earlier) = place.checked_sub(1) else {
            let first_of_all = turns.past().first().is_some_and(|past| past.header.kind == Kind::Create && !past.base);
            return Ok(Self { before, after, pages: first_of_all.then_some(0) });
        };
        if turns.past()[earlier].header.kind == Kind::Destroy {
            return Ok(Self { before, after, pages: Some(0) });
        }
        if turns.whole(earlier).is_none() {
            return Ok(Self { before, after, pages: None });
        }
        let image = turns.image(store, earlier)?;
        let mut copy = || io::copy(&mut File::open(image.path())?, &mut after.1);
        copy().map_err(|e| turns.failed(e))?;
        let (scratch, file) = image.into_scratch().map_err(|e| turns.failed(e))?;
        Ok(Self { before: (scratch, file), after, pages: Some(turns.past()[earlier].header.db_pages) })
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
