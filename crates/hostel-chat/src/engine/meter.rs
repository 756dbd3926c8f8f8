//! Whoever counts what an answer takes.

use std::sync::Arc;

use hostel::Result;
use hostel_model::Usage;

use super::{Engine, place::Place};

/// What is told of each step, and says whether there may be one.
pub(crate) type Meter = Arc<dyn Fn(&Metered) -> Result<Option<String>> + Send + Sync>;

/// A step of an answer, as [`ChatSetup::meter`](crate::ChatSetup::meter) is told of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Metered {
    /// The turn.
    pub turn: String,
    /// Which step of the turn it is, from 1.
    pub step: usize,
    /// What it took, once the model has answered; `None` before it is asked.
    pub usage: Option<Usage>,
    /// About how many tokens the request had, for where the provider tells no number; 0 before.
    pub estimated: u64,
    /// The model, as its provider calls it.
    pub model: String,
    /// How many tokens it takes at once, where known.
    pub window: Option<u64>,
}

impl Engine {
    /// Tells the meter, if there is one. What it answers after a step comes too late to matter.
    pub(super) fn metered(&self, place: &Place, took: Option<(Usage, u64)>) -> Result<Option<String>> {
        let Some(meter) = &self.ready.meter else { return Ok(None) };
        let info = self.ready.model.describe();
        meter(&Metered {
            turn: self.turn.id().to_owned(),
            step: place.begun + 1,
            usage: took.map(|(usage, _)| usage),
            estimated: took.map_or(0, |(_, asked)| asked),
            model: info.model,
            window: info.context_tokens,
        })
    }
}
