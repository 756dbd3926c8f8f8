//! The loop that answers: model, tools, model, until the model has nothing more to do or somebody has to be waited for.
//!
//! What is not here: where turns are kept and how they reach clients. The loop says chunks and keeps notes through
//! [`seam::Turn`], and asks through [`Desk`].

mod compact;
mod estimate;
mod history;
mod meter;
mod place;
mod request;
mod scribe;
mod seam;
mod settle;
mod shorten;
mod start;
mod step;
mod title;

use std::sync::Arc;

use futures_util::future::{Either, select};
use hostel::Result;
use hostel::protocol::chat::Chunk;
use hostel_model::{Model, Reasoning, Usage};
use serde_json::{Map, Value, json};

pub use self::{meter::Metered, start::answer};
pub(crate) use self::{
    meter::{Meter, Permit},
    place::{NOTHING, Place, unfinished},
    scribe::Call,
    seam::Turn,
};
use self::{settle::Settled, step::Ended};
use crate::{approval::Desk, context::Context, tool::Bound};

/// Everything an answer needs to know of its agent.
pub(crate) struct Ready {
    pub(crate) model: Arc<dyn Model>,
    pub(crate) small: Option<Arc<dyn Model>>,
    pub(crate) system: String,
    pub(crate) tools: Vec<Bound>,
    pub(crate) max_steps: usize,
    pub(crate) context: Context,
    pub(crate) temperature: Option<f64>,
    pub(crate) max_output_tokens: Option<u64>,
    pub(crate) reasoning: Option<Reasoning>,
    pub(crate) extra: Map<String, Value>,
    pub(crate) meter: Option<Meter>,
    pub(crate) permit: Option<Permit>,
}

/// One answer, or the part of one between two waits.
pub(crate) struct Engine {
    pub(crate) turn: Arc<dyn Turn>,
    pub(crate) desk: Arc<dyn Desk>,
    pub(crate) ready: Ready,
}

impl Engine {
    /// Answers. Begun anew after a crash, it goes on where it was.
    ///
    /// # Errors
    /// A storage code, or `turn_cancelled`. What the model or a tool does wrong is said in the answer.
    ///
    /// # Cancel safety
    /// Dropping the future breaks off the model and the tools; what was said before is kept.
    pub(crate) async fn run(&self) -> Result<()> {
        let work = std::pin::pin!(self.answer());
        match select(self.turn.cancelled(), work).await {
            Either::Left(_) => Ok(()),
            Either::Right((outcome, _)) => outcome,
        }
    }

    async fn answer(&self) -> Result<()> {
        let Some(mut place) = Place::find(&*self.turn)? else { return Ok(()) };
        if place.is_new {
            let id = json!({"turn": self.turn.id()});
            self.turn.note_and_emit("engine", id, vec![Chunk::start_again()])?;
        }
        if place.is_again {
            let again =
                json!({"kind": "restarted", "reason": "The answer was interrupted, and its last step begins anew."});
            self.turn.emit(vec![Chunk::data("status", again).with("transient", true)])?;
        }
        loop {
            if let Settled::Waiting = self.settle(&mut place).await? {
                return self.park(&place);
            }
            if place.steps >= self.ready.max_steps {
                return self.say_the_limit(&place);
            }
            if let Some(reason) = self.metered(&place, None)? {
                return self.say_why(&place, &reason);
            }
            match self.step(&mut place).await? {
                Ended::Calls => {}
                Ended::Over => return Ok(()),
                Ended::Refused(reason) => return self.say_why(&place, &reason),
            }
        }
    }

    /// Ends this run; somebody else has to act.
    fn park(&self, place: &Place) -> Result<()> {
        let mut chunks = Vec::new();
        if place.step_open {
            chunks.push(Chunk::finish_step());
        }
        chunks.push(finish("tool-calls", &place.usage));
        self.turn.note_and_emit("parked", json!({"turn": self.turn.id(), "ends": place.ends + 1}), chunks)?;
        self.turn.suspend()
    }

    fn say_the_limit(&self, place: &Place) -> Result<()> {
        let steps = self.ready.max_steps;
        let text = format!(
            "I stopped here: an answer may take {steps} steps, and this one has. Say \"go on\" to have me go on."
        );
        self.say_why(place, &text)
    }

    /// Ends the answer in words of our own.
    fn say_why(&self, place: &Place, text: &str) -> Result<()> {
        let mut chunks = in_words(place.steps, text);
        chunks.push(finish("tool-calls", &place.usage));
        self.turn.emit(chunks)
    }

    fn tool(&self, name: &str) -> Option<&Bound> {
        self.ready.tools.iter().find(|tool| tool.spec.name == name)
    }
}

/// A step that says this and nothing else.
fn in_words(step: usize, text: &str) -> Vec<Chunk> {
    let id = format!("{step}-words");
    vec![
        Chunk::start_step(),
        Chunk::text_start(&id),
        Chunk::text_delta(&id, text),
        Chunk::text_end(&id),
        Chunk::finish_step(),
    ]
}

fn finish(reason: &str, usage: &Usage) -> Chunk {
    let chunk = Chunk::finish(reason);
    if *usage == Usage::default() {
        return chunk;
    }
    chunk.with("messageMetadata", json!({"usage": usage}))
}

#[cfg(test)]
mod tests;
