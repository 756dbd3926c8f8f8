//! An agent's turns as the journal and its archive have them, and its database right after any of them.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use hostel_journal::record::Body;
use hostel_journal::{CommitLog, Kind, Listing, Past};

use super::scratch::Scratch;
use super::{At, Image, Moment};
use crate::store::Inner;
use crate::{AgentKey, Error, ErrorKind};

/// An agent's turns that are kept, oldest first.
#[derive(Debug)]
pub(super) struct Turns<'a> {
    key: &'a AgentKey,
    past: Vec<Past>,
    /// Sentences about what cannot be read.
    damage: Vec<String>,
}

impl<'a> Turns<'a> {
    /// Reads where the turns are, with everything that was committed before this call. Nothing that is not durable is
    /// among them: the journal says where its durable part ends.
    pub(super) fn read(store: &Inner, key: &'a AgentKey) -> Result<Self, Error> {
        let Some(keeper) = &store.keeper else { return Err(off(key, "a store in memory keeps none")) };
        if store.options.history.of(key.namespace()).keeps_nothing() {
            return Err(off(key, "the retention of its class is zero; give it one"));
        }
        keeper.journal.flush();
        let Listing { records, damage } = keeper.listing(key).map_err(|e| failed(key, e))?;
        let mut turns = Self { key, past: merge(records), damage };
        turns.damage.extend(turns.holes());
        Ok(turns)
    }

    /// Sentences about turns that are known to have been there.
    fn holes(&self) -> Vec<String> {
        let hole = |(before, after): (&Past, &Past)| {
            format!("what was between turn #{} and turn #{} is lost", before.turn(), after.turn())
        };
        let pairs = self.past.iter().zip(self.past.iter().skip(1));
        pairs.filter(|(_, after)| after.broken).map(hole).collect()
    }

    pub(super) fn damage(&self) -> &[String] {
        &self.damage
    }

    pub(super) fn past(&self) -> &[Past] {
        &self.past
    }

    pub(super) fn at(&self, place: usize) -> At {
        self.past
            .get(place)
            .map_or(At { turn: 0, time_ms: 0 }, |past| At { turn: past.turn(), time_ms: past.header.time_ms })
    }

    /// The place of the last turn at a moment.
    pub(super) fn find(&self, at: Moment) -> Result<usize, Error> {
        let place = match at {
            Moment::Now => self.past.len().checked_sub(1),
            Moment::Turn(turn) => self.past.iter().rposition(|past| past.turn() <= turn),
            Moment::Time(ms) => self.past.iter().rposition(|past| past.header.time_ms <= ms),
        };
        let Some(place) = place else { return Err(self.gone(at)) };
        let found = self.at(place).turn;
        match at {
            Moment::Turn(turn) if turn != found => Err(self.no_such_turn(turn, place)),
            _ if self.past[place].header.kind == Kind::Destroy => Err(Error::new(
                ErrorKind::NotFound,
                format!(
                    "agent {}: there is none {at}, it was destroyed in turn #{found}; name a turn before that",
                    self.key
                ),
            )),
            _ => Ok(place),
        }
    }

    /// Where the last whole database is at or before `place`; `None` if that is not known.
    pub(super) fn whole(&self, place: usize) -> Option<usize> {
        let up_to = self.past.get(..=place)?;
        let begin = up_to.iter().rposition(|past| past.header.kind != Kind::Commit || past.broken)?;
        (up_to[begin].header.kind == Kind::Create).then_some(begin)
    }

    /// The database right after the turn at `place`, from the newest record back to the last whole one.
    pub(super) fn image(&self, store: &Inner, place: usize) -> Result<Image, Error> {
        let At { turn, time_ms } = self.at(place);
        let Some(begin) = self.whole(place) else { return Err(self.gone(Moment::Turn(turn))) };
        let chain = &self.past[begin..=place];
        let built = || -> io::Result<Image> {
            let (scratch, file) = Scratch::create(&store.layout)?;
            lay_all(&file, chain)?;
            Ok(Image::new(scratch, turn, time_ms))
        };
        built().map_err(|e| failed(self.key, e))
    }

    /// The oldest turn whose database can be made again.
    pub(super) fn oldest_whole(&self) -> Option<usize> {
        self.past.iter().position(|past| past.header.kind == Kind::Create)
    }

    pub(super) fn failed(&self, cause: io::Error) -> Error {
        failed(self.key, cause)
    }

    fn gone(&self, at: Moment) -> Error {
        let kept = match self.oldest_whole().map(|place| self.at(place)) {
            _ if !self.damage.is_empty() => format!("its history is damaged ({})", self.damage.join("; ")),
            Some(oldest) => {
                format!(
                    "the oldest that is kept whole is #{} of {}; name a later moment",
                    oldest.turn,
                    Moment::Time(oldest.time_ms)
                )
            }
            None => "none is kept whole; restore it to now, and from then on all are".to_owned(),
        };
        let message = format!("agent {}: its database {at} cannot be made again: {kept}", self.key);
        Error::new(ErrorKind::HistoryGone, message)
    }

    fn no_such_turn(&self, turn: i64, before: usize) -> Error {
        let near = [Some(before), Some(before + 1).filter(|next| *next < self.past.len())];
        let near: Vec<String> = near.into_iter().flatten().map(|place| format!("#{}", self.at(place).turn)).collect();
        let message = format!(
            "agent {}: #{turn} is not a turn of it; the nearest are {}, list its history for all of them",
            self.key,
            near.join(" and ")
        );
        Error::new(ErrorKind::MomentInvalid, message)
    }
}

/// While turns are folded into a base, the last of them may be there twice: as itself, and as the whole.
fn merge(records: Vec<Past>) -> Vec<Past> {
    let mut merged: Vec<Past> = Vec::with_capacity(records.len());
    for mut past in records {
        if past.base
            && let Some(twin) = merged.pop_if(|before| before.turn() == past.turn())
        {
            past.cause = twin.cause;
        }
        merged.push(past);
    }
    merged
}

/// Lays the newest image of each page.
fn lay_all(file: &File, chain: &[Past]) -> io::Result<()> {
    let Some(last) = chain.last().map(|past| &past.header) else { return Ok(()) };
    let (page_size, db_pages) = (u64::from(last.page_size), last.db_pages);
    let mut seen = HashSet::new();
    for past in chain.iter().rev() {
        if seen.len() == db_pages as usize {
            break;
        }
        for (number, image) in past.body()?.pages().rev() {
            if (1..=db_pages).contains(&number) && seen.insert(number) {
                file.write_all_at(image, u64::from(number - 1) * page_size)?;
            }
        }
    }
    file.set_len(u64::from(db_pages) * page_size)
}

/// Lays the pages of one record over a file.
pub(super) fn lay(file: &File, past: &Past, body: &Body) -> io::Result<()> {
    let (page_size, db_pages) = (u64::from(past.header.page_size), past.header.db_pages);
    if past.header.kind == Kind::Create {
        file.set_len(0)?;
    }
    for (number, image) in body.pages() {
        if (1..=db_pages).contains(&number) {
            file.write_all_at(image, u64::from(number - 1) * page_size)?;
        }
    }
    file.set_len(u64::from(db_pages) * page_size)
}

fn failed(key: &AgentKey, cause: io::Error) -> Error {
    let error = Error::io(&format!("agent {key}"), "reading its history", cause);
    match error.io_kind() {
        Some(io::ErrorKind::InvalidData) => error.with_kind(ErrorKind::Corrupt),
        _ => error,
    }
}

/// The last turn that is known; all zeros if none is.
pub(super) fn newest(store: &Inner, key: &AgentKey) -> At {
    let turns = Turns::read(store, key).ok();
    turns.map_or(At { turn: 0, time_ms: 0 }, |turns| turns.at(turns.past.len().saturating_sub(1)))
}

fn off(key: &AgentKey, why: &str) -> Error {
    Error::new(ErrorKind::HistoryOff, format!("agent {key}: no history is kept: {why}"))
}
