//! The request of a step, and keeping it within what the model takes.

use hostel::Result;
use hostel::protocol::chat::UiMessage;
use hostel_model::Request;

use super::{
    Engine, compact, estimate,
    history::{self, View},
    place::Place,
};

/// What a model is thought to take if nobody says.
const TOKENS: u64 = 100_000;
/// What is kept free for the answer if nobody says how long it may be.
const ANSWER: u64 = 4_000;

impl Engine {
    /// The request of the next step. If the conversation does not fit, its beginning is summed up first, for all to see.
    pub(super) async fn request(&self, place: &mut Place) -> Result<Request> {
        let room = self.room();
        let mut messages = self.conversation()?;
        let mut request = self.made_of(&messages);
        let size = estimate::request(&request);
        if size > room && self.sum_up(&messages, room.saturating_sub(size_without_messages(&request)) / 2).await? {
            place.shortened = true;
            messages = self.conversation()?;
            request = self.made_of(&messages);
        }
        compact::squeeze(&mut request, room);
        Ok(request)
    }

    /// Sums up what does not fit into `room`; `false` if there is nothing to sum up.
    pub(super) async fn sum_up(&self, messages: &[UiMessage], room: u64) -> Result<bool> {
        let (_, rest) = compact::in_force(messages);
        let count = compact::too_many(rest, room, self.view());
        if count == 0 {
            return Ok(false);
        }
        let model = self.ready.context.summaries.then(|| self.ready.small.as_ref().unwrap_or(&self.ready.model));
        let summary = compact::summarise(messages, count, model.map(|model| &**model), self.view()).await;
        self.turn.emit(summary.into_iter().collect())?;
        Ok(true)
    }

    /// The messages so far, with the answer under way.
    pub(super) fn conversation(&self) -> Result<Vec<UiMessage>> {
        let mut messages = self.turn.before()?;
        messages.push(self.turn.message()?);
        Ok(messages)
    }

    fn made_of(&self, messages: &[UiMessage]) -> Request {
        let ready = &self.ready;
        let mut system: Vec<String> = vec![ready.system.clone()];
        system.extend(history::instructions(messages));
        system.retain(|text| !text.trim().is_empty());
        let tools = match ready.model.describe().abilities.tools {
            true => ready.tools.iter().filter(|tool| tool.listed).map(|tool| tool.spec.clone()).collect(),
            false => Vec::new(),
        };
        Request {
            system: (!system.is_empty()).then(|| system.join("\n\n")),
            messages: history::to_model(messages, self.view()),
            tools,
            temperature: ready.temperature,
            max_output_tokens: ready.max_output_tokens,
            reasoning: ready.reasoning,
            extra: ready.extra.clone(),
            ..Request::default()
        }
    }

    /// How many tokens a request may have.
    pub(super) fn room(&self) -> u64 {
        let info = self.ready.model.describe();
        let answer = self.ready.max_output_tokens.or(info.max_output_tokens).unwrap_or(ANSWER);
        let takes = info.context_tokens.map(|tokens| tokens.saturating_sub(answer.min(tokens / 2)));
        let takes = takes.unwrap_or(TOKENS);
        self.ready.context.tokens.map_or(takes, |tokens| tokens.min(takes))
    }

    fn view(&self) -> View {
        View { abilities: self.ready.model.describe().abilities, output_limit: self.ready.context.tool_output }
    }
}

fn size_without_messages(request: &Request) -> u64 {
    estimate::request(request) - estimate::messages(&request.messages)
}
