//! Whoever counts what an answer takes.

use std::sync::Arc;

use hostel::{BoxFuture, Result};
use hostel_model::{Price, Request, Usage};

use super::{Engine, estimate, place::Place};

/// What is told of each step, and says whether there may be one.
pub(crate) type Meter = Arc<dyn Fn(&Metered) -> Result<Option<String>> + Send + Sync>;

/// What is asked before each step, and may have it wait.
pub(crate) type Permit = Arc<dyn Fn(Metered) -> BoxFuture<Result<Option<String>>> + Send + Sync>;

/// A step of an answer, as [`ChatSetup::meter`](crate::ChatSetup::meter) and [`ChatSetup::permit`](crate::ChatSetup::permit) are told
/// of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Metered {
    /// The turn.
    pub turn: String,
    /// Which step of the turn it is, from 1.
    pub step: usize,
    /// What it took, once the model has answered; `None` before it is asked.
    pub usage: Option<Usage>,
    /// About how many tokens the request had, for where the provider tells no number; 0 where the request is not made yet.
    pub estimated: u64,
    /// How many tokens the answer may have, where known.
    pub most_output: Option<u64>,
    /// What the model costs, where known.
    pub price: Option<Price>,
    /// The model, as its provider calls it.
    pub model: String,
    /// How many tokens it takes at once, where known.
    pub window: Option<u64>,
}

impl Engine {
    /// Tells the meter, if there is one. What it answers after a step comes too late to matter.
    pub(super) fn metered(&self, place: &Place, took: Option<(Usage, u64)>) -> Result<Option<String>> {
        let Some(meter) = &self.ready.meter else { return Ok(None) };
        let (usage, asked) = took.unzip();
        meter(&Metered { usage, ..self.about(place, asked.unwrap_or(0)) })
    }

    /// Waits until the step may begin; why it may not, if so.
    pub(super) async fn permitted(&self, place: &Place, request: &Request) -> Result<Option<String>> {
        let Some(permit) = &self.ready.permit else { return Ok(None) };
        permit(self.about(place, estimate::request(request))).await
    }

    fn about(&self, place: &Place, estimated: u64) -> Metered {
        let info = self.ready.model.describe();
        Metered {
            turn: self.turn.id().to_owned(),
            step: place.begun + 1,
            usage: None,
            estimated,
            most_output: self.ready.max_output_tokens.or(info.max_output_tokens),
            price: info.price,
            model: info.model,
            window: info.context_tokens,
        }
    }
}
