//! Where an answer is: found out from what was said and noted, so that a crash changes nothing.

use hostel::Result;
use hostel::protocol::chat::Chunk;
use hostel_model::Usage;
use serde_json::{Value, json};

use super::{scribe::Call, seam::Turn};

/// Where an answer is.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// Nothing has been said by this turn.
    pub(crate) is_new: bool,
    /// Steps of the message so far.
    pub(crate) steps: usize,
    /// A step waits for its tools.
    pub(crate) step_open: bool,
    /// The calls of the step that is open.
    pub(crate) calls: Vec<Call>,
    /// What the turn has taken so far.
    pub(crate) usage: Usage,
    /// How often the turn has said that it is over.
    pub(crate) ends: u64,
    /// Steps that this turn has begun.
    pub(crate) begun: usize,
    /// What it had said last was taken back.
    pub(crate) is_again: bool,
    /// Whether the conversation was shortened because the model would not take it.
    pub(crate) shortened: bool,
}

impl Place {
    /// Where the turn is, or `None` if it has said everything.
    pub(crate) fn find(turn: &dyn Turn) -> Result<Option<Self>> {
        let logged = turn.logged()?;
        // Turns that go on with others find the notes of those as well.
        let mut notes = turn.notes()?;
        notes.retain(|(_, note)| note["turn"] == turn.id());
        let mut place = Self { is_new: logged.is_empty(), ..Self::default() };
        place.ends = logged.iter().filter(|chunk| ends(chunk)).count() as u64;
        let parked = of_kind(&notes, "parked").filter_map(|note| note["ends"].as_u64()).max().unwrap_or(0);
        if logged.last().is_some_and(ends) && place.ends > parked {
            return Ok(None);
        }
        for note in of_kind(&notes, "step") {
            place.usage += serde_json::from_value(note["usage"].clone()).unwrap_or_default();
        }
        place.open_step(&logged, &notes)?;
        place.is_again = logged.last().is_some_and(|chunk| chunk.to_json() == NOTHING);
        place.steps = turn.message()?.parts.iter().filter(|part| part["type"] == "step-start").count();
        Ok(Some(place))
    }

    fn open_step(&mut self, logged: &[Chunk], notes: &[(String, Value)]) -> Result<()> {
        self.begun = logged.iter().filter(|chunk| begins(chunk)).count();
        let Some(at) = logged.iter().rposition(begins) else { return Ok(()) };
        if logged[at..].iter().any(|chunk| chunk.kind() == "finish-step") {
            return Ok(());
        }
        self.step_open = true;
        if let Some(note) = of_kind(notes, "step").find(|note| note["step"] == self.begun) {
            self.calls = serde_json::from_value(note["calls"].clone())?;
        }
        Ok(())
    }

    /// A step of the model is over; what is to be noted of it.
    pub(crate) fn stepped(&mut self, calls: Vec<Call>, usage: Usage, turn: &dyn Turn) -> Value {
        (self.begun, self.steps) = (self.begun + 1, self.steps + 1);
        let note = json!({"turn": turn.id(), "step": self.begun, "calls": calls, "usage": usage});
        (self.step_open, self.calls) = (true, calls);
        note
    }
}

/// What is left of a chunk that was taken back: it keeps its number, and says nothing.
pub(crate) const NOTHING: &str = r#"{"type":"message-metadata","messageMetadata":{}}"#;

/// From which chunk on an interrupted turn has to be taken back, wherever it was shown.
///
/// A step whose model had not come to its end is asked for again, and what was said of it would stand there twice. A step
/// whose end was noted stays. Turns that are not the loop's own have not noted that they are, and keep everything.
pub(crate) fn unfinished(turn: &str, logged: &[Chunk], notes: &[(String, Value)]) -> Option<usize> {
    let own = |kind: &str| of_kind(notes, kind).filter(|note| note["turn"] == turn).collect::<Vec<_>>();
    if own("engine").is_empty() {
        return None;
    }
    let at = logged.iter().rposition(begins)?;
    let is_over = |chunk: &Chunk| chunk.kind() == "finish-step";
    let number = logged.iter().filter(|chunk| begins(chunk)).count();
    let is_noted = own("step").iter().any(|note| note["step"] == number);
    (!is_noted && !logged[at..].iter().any(is_over)).then_some(at)
}

fn begins(chunk: &Chunk) -> bool {
    chunk.kind() == "start-step"
}

fn ends(chunk: &Chunk) -> bool {
    matches!(chunk.kind(), "finish" | "abort" | "error")
}

fn of_kind<'a>(notes: &'a [(String, Value)], kind: &str) -> impl Iterator<Item = &'a Value> {
    notes.iter().filter(move |(name, _)| name == kind).map(|(_, value)| value)
}
