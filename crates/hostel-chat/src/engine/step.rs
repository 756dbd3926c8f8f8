//! One step: the model is asked, and what it streams is said.

use std::collections::HashSet;

use futures_util::{FutureExt, StreamExt};
use hostel::Result;
use hostel::protocol::chat::{Chunk, UiMessage};
use hostel_model::{BoxStream, Event, Fault, FaultKind, FinishReason, Usage};

use super::{Engine, estimate, finish, in_words, place::Place, scribe::Scribe};

/// How many events become chunks at once.
const BATCH: usize = 256;

/// How a step ended.
pub(super) enum Ended {
    /// With calls of tools.
    Calls,
    /// It was the last one.
    Over,
    /// Before it began, for this reason.
    Refused(String),
}

type Events = BoxStream<'static, Result<Event, Fault>>;

impl Engine {
    pub(super) async fn step(&self, place: &mut Place) -> Result<Ended> {
        loop {
            let request = self.request(place).await?;
            if let Some(reason) = self.permitted(place, &request).await? {
                return Ok(Ended::Refused(reason));
            }
            let asked = self.ready.meter.as_ref().map_or(0, |_| estimate::request(&request));
            let mut scribe = Scribe::new(place.steps, calls_of(&self.conversation()?));
            let mut events = self.ready.model.stream(request);
            match self.listen(&mut events, &mut scribe).await? {
                Ok(()) => return self.end(place, scribe, asked),
                Err(fault) if self.can_shorten(&fault, &scribe, place).await? => {}
                Err(fault) => return self.fail(place, scribe, &fault),
            }
        }
    }

    /// Says what the model streams, as it comes, except what comes with its end.
    async fn listen(&self, events: &mut Events, scribe: &mut Scribe) -> Result<Result<(), Fault>> {
        loop {
            let ended = read(events, scribe).await;
            if let Some(ended) = ended {
                return Ok(ended);
            }
            let chunks = scribe.take();
            if !chunks.is_empty() {
                self.turn.emit(chunks)?;
            }
        }
    }

    fn end(&self, place: &mut Place, mut scribe: Scribe, asked: u64) -> Result<Ended> {
        scribe.close();
        let (reason, usage) = scribe.finish.take().unwrap_or((FinishReason::Stop, Usage::default()));
        self.metered(place, Some((usage, asked)))?;
        place.usage += usage;
        let mut chunks = scribe.take();
        if !scribe.calls.is_empty() || scribe.broken > 0 {
            let note = place.stepped(std::mem::take(&mut scribe.calls), usage, &*self.turn);
            self.turn.note_and_emit("step", note, chunks)?;
            return Ok(Ended::Calls);
        }
        if scribe.has_said {
            chunks.push(Chunk::finish_step());
        }
        if let Some(text) = remark(&reason, &scribe) {
            chunks.extend(in_words(place.steps + 1, &text));
        }
        chunks.push(finish(reason.as_str(), &place.usage));
        self.turn.emit(chunks)?;
        Ok(Ended::Over)
    }

    /// The model broke off: what there is stays, and the reason is said.
    fn fail(&self, place: &Place, mut scribe: Scribe, fault: &Fault) -> Result<Ended> {
        scribe.abandon();
        let mut chunks = scribe.take();
        if scribe.has_said {
            chunks.push(Chunk::finish_step());
        }
        if fault.kind == FaultKind::NotConfigured {
            // Nothing failed: there is something to set up, and that is the answer.
            chunks.extend(in_words(place.steps, &fault.message));
            chunks.push(finish("stop", &place.usage));
        } else {
            chunks.push(Chunk::error(&fault.message));
        }
        self.turn.emit(chunks)?;
        Ok(Ended::Over)
    }

    /// A conversation that the model finds too long, against our estimate, is shortened once.
    async fn can_shorten(&self, fault: &Fault, scribe: &Scribe, place: &mut Place) -> Result<bool> {
        if fault.kind != FaultKind::ContextTooLong || scribe.has_said || place.shortened {
            return Ok(false);
        }
        place.shortened = true;
        self.sum_up(&self.conversation()?, self.room() / 4).await
    }
}

/// Takes what there is, at least one event; says how the stream ended once it has.
async fn read(events: &mut Events, scribe: &mut Scribe) -> Option<Result<(), Fault>> {
    for taken in 0..BATCH {
        let next = match taken {
            0 => events.next().await,
            _ => events.next().now_or_never()?,
        };
        match next {
            Some(Ok(event)) => scribe.event(event),
            Some(Err(fault)) => return Some(Err(fault)),
            None => return Some(Err(Fault::new(FaultKind::Cut, "The model's answer broke off. Try again."))),
        }
        if scribe.finish.is_some() {
            return Some(Ok(()));
        }
    }
    None
}

/// What is to be said about an ending that the user would not understand.
fn remark(reason: &FinishReason, scribe: &Scribe) -> Option<String> {
    match reason {
        FinishReason::Stop | FinishReason::ToolCalls if scribe.has_content => None,
        FinishReason::Stop | FinishReason::ToolCalls => Some("(The model ended its answer without a word.)".to_owned()),
        other => Some(format!("(It ends here: {}.)", other.describe())),
    }
}

/// The ids of all calls there are.
fn calls_of(messages: &[UiMessage]) -> HashSet<String> {
    let parts = messages.iter().flat_map(|message| &message.parts);
    parts.filter_map(|part| part["toolCallId"].as_str().map(str::to_owned)).collect()
}
