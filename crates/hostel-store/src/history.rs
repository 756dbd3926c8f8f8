//! What an agent has been through: its turns, what each of them changed, and its database at any of them.
//!
//! All of it is read from the journal and its archive alone, so it works while the agent is open and busy.

mod compare;
mod image;
mod listing;
mod moment;
mod scratch;
mod sheets;
mod state;
mod tables;
mod turns;

use std::fs::File;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::portable::snapshot;
use crate::store::Inner;
use crate::{AgentKey, CauseRun, Error, ErrorKind, Store, TurnCause};
use turns::Turns;

pub use image::Image;
pub(crate) use image::open_to_look;
pub use moment::Moment;
pub(crate) use scratch::Scratch;

/// Which part of a history is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Only turns before this one.
    pub before: Option<i64>,
    /// At most so many turns.
    pub limit: usize,
    /// Whether to say what each turn changed, which costs much more.
    pub changes: bool,
}

impl Default for HistoryQuery {
    fn default() -> Self {
        Self { before: None, limit: 50, changes: false }
    }
}

/// A part of a history.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HistoryPage {
    /// The turns, newest first.
    pub turns: Vec<TurnEntry>,
    /// Pass this as `before` to go on with older turns; `None` if there are none.
    pub next: Option<i64>,
    /// The oldest turn that is kept.
    pub oldest: Option<i64>,
    /// The oldest turn whose database can be made again; so can all later ones, if nothing is damaged.
    pub oldest_whole: Option<i64>,
    /// Sentences about what of the history cannot be read; usually none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damage: Vec<String>,
}

/// One turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurnEntry {
    /// Its number: rises from turn to turn, among all agents of the node.
    pub turn: i64,
    /// When, in Unix milliseconds.
    pub time_ms: i64,
    /// Why. Of turns that came in one go and share this number: why the first of them.
    pub cause: TurnCause,
    /// Why each of the turns that share this number was done, in their order; empty for a turn that has it alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<CauseRun>,
    /// Whether it holds the whole database: a first turn, a restore, or where older history was merged.
    pub whole: bool,
    /// Whether it was the agent's end.
    pub ended: bool,
    /// What it takes in the journal.
    pub bytes: u64,
    /// What it changed, if that was asked for and the turn before is known.
    pub changes: Option<Changes>,
}

/// What a turn changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The keys of the state that were added, removed or changed; `*` if the state is not an object.
    pub state_keys: Vec<String>,
    /// The tables with rows that changed.
    pub tables: Vec<TableChange>,
    /// Why something is missing here.
    pub note: Option<String>,
}

/// How many rows of a table changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableChange {
    /// The table.
    pub name: String,
    /// Rows that were not there before.
    pub added: u64,
    /// Rows that are not there any more.
    pub removed: u64,
    /// Rows with other values.
    pub changed: u64,
}

/// A moment, found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// The last turn before or at it.
    pub turn: i64,
    /// When that turn was, in Unix milliseconds.
    pub time_ms: i64,
}

/// What is different between two moments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The one moment.
    pub from: At,
    /// The other.
    pub to: At,
    /// The state.
    pub state: Vec<StateChange>,
    /// The agent's tables that are different, by name.
    pub tables: Vec<TableDifference>,
}

/// A place in the state that is different.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateChange {
    /// Where, as a JSON pointer (RFC 6901); empty for the whole state.
    pub path: String,
    /// What was there; absent if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "present")]
    pub before: Option<Value>,
    /// What is there; absent if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "present")]
    pub after: Option<Value>,
}

/// A row: columns and values. A blob is `{"blob": "<the first bytes in hex>", "bytes": n}`, a text too long to show
/// `{"text": "<its beginning>", "bytes": n}`.
pub type Row = Map<String, Value>;

/// What is different in a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableDifference {
    /// The table.
    pub name: String,
    /// Whether the table, its indexes or triggers are declared otherwise, or it exists at one moment only.
    pub schema_changed: bool,
    /// Rows that are only at the later moment.
    pub added: Vec<Row>,
    /// Rows that are only at the earlier moment.
    pub removed: Vec<Row>,
    /// Rows with the same key and other values.
    pub changed: Vec<(Row, Row)>,
    /// How many more rows are different than are listed here.
    pub more: u64,
}

/// A JSON `null` that is there is not the same as nothing.
mod present {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    pub(super) fn serialize<S: Serializer>(value: &Option<Value>, serializer: S) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
        Value::deserialize(deserializer).map(Some)
    }
}

impl Store {
    /// Lists an agent's turns, newest first. Only turns that are durable are in it. Waits until what was committed before
    /// is settled, so it must not be called on the journal's thread; the same holds for the others here.
    ///
    /// # Errors
    ///
    /// `agent_not_found` if nothing is known of the agent, `history_off` if none is kept, `storage_corrupt` if it is
    /// damaged.
    pub fn history(&self, key: &AgentKey, query: &HistoryQuery) -> Result<HistoryPage, Error> {
        let turns = self.turns(key)?;
        listing::page(&self.inner, &turns, query)
    }

    /// Says what is different between two moments of an agent: the state by JSON, the agent's own tables by row, at most
    /// `row_limit` rows of each table.
    ///
    /// # Errors
    ///
    /// As [`Store::image`].
    pub fn difference(&self, key: &AgentKey, from: Moment, to: Moment, row_limit: usize) -> Result<Difference, Error> {
        let (from, to) = (self.image(key, from)?, self.image(key, to)?);
        let at = |image: &Image| At { turn: image.turn(), time_ms: image.time_ms() };
        let comparison = compare::of_images(&from, &to)?;
        let found = || Ok((comparison.state()?, comparison.tables(row_limit)?));
        let (state, tables) = found().map_err(compare::failed)?;
        Ok(Difference { from: at(&from), to: at(&to), state, tables })
    }

    /// Makes an agent's database as it was at a moment, from the history alone. Where that does not hold the whole of it,
    /// it can still be made as it is now.
    ///
    /// # Errors
    ///
    /// `history_gone` if the moment is before the oldest one that is kept whole, `history_off` if nothing is kept,
    /// `agent_not_found` if there was no agent at that moment, `moment_invalid` if it had no turn of that number.
    pub fn image(&self, key: &AgentKey, at: Moment) -> Result<Image, Error> {
        key.check(&self.inner.options)?;
        match self.turns(key).and_then(|turns| turns.image(&self.inner, &turns.find(at)?)) {
            Err(e) if at == Moment::Now && self.can_copy(&e) => snapshot::of(&self.inner, key),
            image => image,
        }
    }

    /// Whether there is a file to copy where history does not help.
    fn can_copy(&self, error: &Error) -> bool {
        self.inner.keeper.is_some() && matches!(error.kind(), ErrorKind::HistoryGone | ErrorKind::HistoryOff)
    }

    fn turns<'a>(&self, key: &'a AgentKey) -> Result<Turns<'a>, Error> {
        key.check(&self.inner.options)?;
        Turns::open(&self.inner, key)
    }
}

impl Inner {
    /// A copy of the file of an agent that nobody changes now.
    pub(crate) fn copy_of(&self, key: &AgentKey) -> Result<Image, Error> {
        let At { turn, time_ms } = turns::newest(self, key)?;
        let copy = || {
            let (scratch, mut file) = Scratch::create(&self.layout)?;
            std::io::copy(&mut File::open(self.layout.database(key))?, &mut file)?;
            Ok(Image::new(scratch, turn, time_ms))
        };
        copy().map_err(|e| Error::io(&format!("agent {key}"), "copying its database", e))
    }
}

#[cfg(test)]
mod tests {
    use hostel_journal::Failure;

    use crate::{AgentDb, AgentKey, HistoryQuery, Moment, Options, Store, make_durable};

    fn commit(agent: &mut AgentDb, state: &str) {
        agent.set_state(state).unwrap();
        make_durable(&agent.commit().unwrap().unwrap()).unwrap();
    }

    #[test]
    fn what_is_too_old_is_one_image_from_which_life_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let key = AgentKey::new("counter", "a");
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let mut a = store.agent("counter", "a").unwrap();
        (1..=5).for_each(|n| commit(&mut a, &format!("{{\"n\":{n}}}")));
        drop((a, store));
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let listed = store.history(&key, &HistoryQuery::default()).unwrap();
        let keeper = store.inner.keeper.as_ref().unwrap();
        keeper.archive().tend(listed.turns[0].time_ms + 40 * 86_400_000).unwrap();
        let mut a = store.agent("counter", "a").unwrap();
        commit(&mut a, r#"{"n":6}"#);

        let query = HistoryQuery { changes: true, ..HistoryQuery::default() };
        let kept = store.history(&key, &query).unwrap();
        assert_eq!(kept.turns.len(), 2);
        assert_eq!(kept.turns[0].changes.as_ref().unwrap().state_keys, ["n"]);
        assert_eq!((kept.turns[1].whole, &kept.turns[1].changes), (true, &None));
        assert_eq!((kept.oldest, kept.oldest_whole), (Some(kept.turns[1].turn), Some(kept.turns[1].turn)));
        let state = |turn| store.image(&key, Moment::Turn(turn)).map(|image| image.state().unwrap().unwrap());
        assert_eq!(state(kept.turns[1].turn).unwrap(), r#"{"n":5}"#);
        assert_eq!(state(kept.turns[0].turn).unwrap(), r#"{"n":6}"#);
        assert_eq!(state(listed.turns[1].turn).unwrap_err().code(), "history_gone");
    }

    #[test]
    fn a_turn_that_is_not_durable_is_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let key = AgentKey::new("counter", "a");
        let mut a = store.agent("counter", "a").unwrap();
        commit(&mut a, "0");
        let keeper = store.inner.keeper.as_ref().unwrap();

        // While the log is held, what is committed waits in the queue.
        let held = keeper.journal.log();
        a.set_state("1").unwrap();
        let waiting = a.commit().unwrap().unwrap();
        let listing = keeper.archive().listing(&held.live(), "counter", crate::layout::identify(&key)).unwrap();
        assert_eq!((listing.records.len(), waiting.is_durable()), (1, false));
        drop(held);
        assert_eq!(store.history(&key, &HistoryQuery::default()).unwrap().turns.len(), 2);

        a.set_state("lost").unwrap();
        let failure = Failure { kind: std::io::ErrorKind::Other, message: "test".into() };
        a.sync_handle().unwrap().fail(failure);
        make_durable(&a.commit().unwrap().unwrap()).unwrap_err();
        assert_eq!(store.history(&key, &HistoryQuery::default()).unwrap().turns.len(), 2);
        assert_eq!(store.image(&key, Moment::Now).unwrap().state().unwrap().as_deref(), Some("1"));
    }
}
