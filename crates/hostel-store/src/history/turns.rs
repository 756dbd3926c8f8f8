//! An agent's turns as the journal and its archive have them, and its database right after any of them.
//!
//! An agent may have millions of turns: they are walked through, never held all at once.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;

use hostel_journal::{CommitLog, Kind, Past, Trail};

use super::scratch::Scratch;
use super::sheets::Sheets;
use super::{At, Image, Moment};
use crate::layout::identify;
use crate::store::Inner;
use crate::{AgentKey, Error, ErrorKind};

/// So many places of damage are told.
const TOLD: usize = 10;

/// An agent's turns that are kept.
#[derive(Debug)]
pub(super) struct Turns<'a> {
    key: &'a AgentKey,
    trail: Trail,
}

/// One turn's place in the history.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) at: At,
    pub(super) kind: Kind,
    pub(super) db_pages: u32,
    /// The turn with the last whole database at or before it; `None` if that is not known.
    pub(super) whole: Option<i64>,
}

/// What is learnt on a walk.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) oldest: Option<At>,
    pub(super) oldest_whole: Option<At>,
    /// The last turn that was passed.
    pub(super) last: Option<Place>,
    /// Sentences about what cannot be read.
    pub(super) damage: Vec<String>,
}

impl Survey {
    /// Takes the next turn in.
    fn pass(&mut self, past: &Past) -> Place {
        let at = At { turn: past.turn(), time_ms: past.header.time_ms };
        if past.broken && self.damage.len() < TOLD {
            let before = self.last.map_or(0, |last| last.at.turn);
            self.damage.push(format!("what was between turn #{before} and turn #{} is lost", at.turn));
        }
        let whole = match past.header.kind {
            Kind::Create => Some(at.turn),
            Kind::Commit if !past.broken => self.last.and_then(|last| last.whole),
            Kind::Commit | Kind::Destroy => None,
        };
        let place = Place { at, kind: past.header.kind, db_pages: past.header.db_pages, whole };
        self.oldest.get_or_insert(at);
        if whole == Some(at.turn) {
            self.oldest_whole.get_or_insert(at);
        }
        self.last = Some(place);
        place
    }
}

impl<'a> Turns<'a> {
    /// Opens what holds the turns, with everything that was committed before this call. Nothing that is not durable is
    /// among them: the journal says where its durable part ends.
    pub(super) fn open(store: &Inner, key: &'a AgentKey) -> Result<Self, Error> {
        let Some(keeper) = &store.keeper else { return Err(off(key, "a store in memory keeps none")) };
        if store.options.history.of(key.namespace()).keeps_nothing() {
            return Err(off(key, "the retention of its class is zero; give it one"));
        }
        keeper.journal.flush();
        let live = keeper.journal.log().live();
        let trail = keeper.archive().trail(&live, key.namespace(), identify(key));
        let turns = Self { key, trail: trail.map_err(|e| failed(key, e))? };
        if turns.is_empty()? && !store.layout.database(key).exists() {
            let message = format!("agent {key}: there is no such agent; compare its name");
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        Ok(turns)
    }

    fn is_empty(&self) -> Result<bool, Error> {
        self.walk(|_, _| Ok(ControlFlow::Break(()))).map(|survey| survey.oldest.is_none())
    }

    /// Shows every turn with its place, oldest first, until `each` has enough.
    pub(super) fn walk(
        &self,
        mut each: impl FnMut(Past, Place) -> io::Result<ControlFlow<()>>,
    ) -> Result<Survey, Error> {
        let mut survey = Survey::default();
        let damage = self.trail.walk(i64::MIN, &mut |past| {
            let place = survey.pass(&past);
            each(past, place)
        });
        survey.damage.splice(0..0, damage.map_err(|e| self.failed(e))?);
        survey.damage.truncate(TOLD);
        Ok(survey)
    }

    /// The last turn at a moment.
    pub(super) fn find(&self, at: Moment) -> Result<Place, Error> {
        let (mut found, mut after) = (None, None);
        let survey = self.walk(|_, place| {
            let is_before = match at {
                Moment::Now => true,
                Moment::Turn(turn) => place.at.turn <= turn,
                Moment::Time(ms) => place.at.time_ms <= ms,
            };
            match is_before {
                true => found = Some(place),
                false => after = after.or(Some(place.at.turn)),
            }
            let is_past_it = matches!(at, Moment::Turn(_)) && found.is_some() && after.is_some();
            Ok(if is_past_it { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        let Some(found) = found else { return Err(self.gone(at, &survey)) };
        let turn = found.at.turn;
        match at {
            Moment::Turn(asked) if asked != turn => Err(self.no_such_turn(asked, turn, after)),
            _ if found.kind == Kind::Destroy => Err(self.ended(at, turn)),
            _ if found.whole.is_none() => Err(self.gone(Moment::Turn(turn), &survey)),
            _ => Ok(found),
        }
    }

    /// The database right after a turn whose [`Place::whole`] is known.
    pub(super) fn image(&self, store: &Inner, place: &Place) -> Result<Image, Error> {
        let built = || -> io::Result<Image> {
            let (scratch, file) = Scratch::create(&store.layout)?;
            self.lay(&file, place)?;
            Ok(Image::new(scratch, place.at.turn, place.at.time_ms))
        };
        built().map_err(|e| self.failed(e))
    }

    /// Lays everything from the last whole database on, record after record.
    fn lay(&self, file: &File, place: &Place) -> io::Result<()> {
        let Some(begin) = place.whole else { return Err(io::ErrorKind::NotFound.into()) };
        let mut begun = false;
        let mut sheets = Sheets::over(file);
        let walked = self.trail.walk(begin, &mut |past| {
            if past.turn() > place.at.turn {
                return Ok(ControlFlow::Break(()));
            }
            begun |= past.turn() == begin && past.header.kind == Kind::Create;
            if begun {
                sheets.lay(&past, &past.body()?)?;
            }
            Ok(ControlFlow::Continue(()))
        });
        walked.and_then(|_| sheets.finish())
    }

    pub(super) fn failed(&self, cause: io::Error) -> Error {
        failed(self.key, cause)
    }

    fn gone(&self, at: Moment, survey: &Survey) -> Error {
        let kept = match survey.oldest_whole {
            _ if !survey.damage.is_empty() => format!("its history is damaged ({})", survey.damage.join("; ")),
            Some(At { turn, time_ms }) => {
                let time = Moment::Time(time_ms);
                format!("the oldest that is kept whole is #{turn} of {time}; name a later moment")
            }
            None => "none is kept whole; restore it to now, and from then on all are".to_owned(),
        };
        let message = format!("agent {}: its database {at} cannot be made again: {kept}", self.key);
        Error::new(ErrorKind::HistoryGone, message)
    }

    fn no_such_turn(&self, asked: i64, before: i64, after: Option<i64>) -> Error {
        let near = after.map_or_else(
            || format!("the last is #{before}"),
            |after| format!("the nearest are #{before} and #{after}"),
        );
        let message =
            format!("agent {}: #{asked} is not a turn of it; {near}, list its history for all of them", self.key);
        Error::new(ErrorKind::MomentInvalid, message)
    }

    fn ended(&self, at: Moment, turn: i64) -> Error {
        let message = format!(
            "agent {}: there is none {at}, it was destroyed in turn #{turn}; name a turn before that",
            self.key
        );
        Error::new(ErrorKind::NotFound, message)
    }
}

/// The last turn that is known; all zeros if none is kept.
///
/// # Errors
///
/// If what is kept cannot be read: then it is not known which turn that is.
pub(super) fn newest(store: &Inner, key: &AgentKey) -> Result<At, Error> {
    let survey = Turns::open(store, key).and_then(|turns| turns.walk(|_, _| Ok(ControlFlow::Continue(()))));
    match survey {
        Ok(survey) => Ok(survey.last.map_or(At { turn: 0, time_ms: 0 }, |last| last.at)),
        Err(error) if matches!(error.kind(), ErrorKind::HistoryOff | ErrorKind::HistoryGone | ErrorKind::NotFound) => {
            Ok(At { turn: 0, time_ms: 0 })
        }
        Err(error) => Err(error),
    }
}

fn failed(key: &AgentKey, cause: io::Error) -> Error {
    let error = Error::io(&format!("agent {key}"), "reading its history", cause);
    match error.io_kind() {
        Some(io::ErrorKind::InvalidData) => error.with_kind(ErrorKind::Corrupt),
        _ => error,
    }
}

fn off(key: &AgentKey, why: &str) -> Error {
    Error::new(ErrorKind::HistoryOff, format!("agent {key}: no history is kept: {why}"))
}
