//! The title of a conversation, found by the small model beside the first answer.

use std::sync::Arc;

use hostel::{Cx, protocol::chat::Chunk};
use hostel_model::{Message, Model, Request, collect};
use serde_json::json;

use super::{Turn, shorten::shorten};
use crate::{agent::ChatAgent, settings::Settings};

const PROMPT: &str =
    "Give this conversation a title of at most six words, in its own language. Answer with the title alone.";
/// How long a title may be.
const LONGEST: usize = 80;

/// Finds a title beside the answer; a conversation without one is no worse.
pub(super) fn find<A: ChatAgent>(cx: &Cx<A>, turn: Arc<dyn Turn>, model: Arc<dyn Model>) {
    let later = cx.clone();
    // Now: once the answer is over it cannot be asked any more.
    let Ok(messages) = turn.before() else { return };
    let Some(first) = messages.iter().map(|message| message.text()).find(|text| !text.trim().is_empty()) else {
        return;
    };
    cx.spawn(async move {
        let request = Request::new(vec![Message::user(shorten(first, 2_000))]).with_system(PROMPT);
        let title = match collect(model.stream(request)).await {
            Ok(answer) => answer.text().trim().trim_matches('"').lines().next().unwrap_or_default().to_owned(),
            Err(fault) => return tracing::debug!(fault = %fault, "a conversation got no title"),
        };
        let title: String = title.chars().take(LONGEST).collect();
        if title.is_empty() {
            return;
        }
        let host = &**later.host();
        let kept = host.aside(&mut || match Settings::of(host)? {
            // Somebody was faster.
            Settings { title: Some(_), .. } => Ok(()),
            settings => Settings { title: Some(title.clone()), ..settings }.keep(host),
        });
        match kept {
            // The answer may be over; then pages see the title when they ask for it.
            Ok(()) => drop(turn.emit(vec![Chunk::data("title", json!({"title": title})).with("transient", true)])),
            Err(error) => tracing::debug!(error = ?error, "the title of a conversation was not kept"),
        }
    });
}
