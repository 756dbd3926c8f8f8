//! When a conversation is too long: older messages are summed up, and the summary stands in the answer for all to see.
//!
//! A summary is a part `data-summary` of the answer before which it was made. From then on the model sees it in place of
//! everything up to the message it names; the pages still show all of it.

use hostel::protocol::chat::{Chunk, UiMessage};
use hostel_model::{Message, Model, Request, collect};
use serde_json::{Value, json};

use super::{
    estimate,
    history::{self, View},
    shorten::shorten,
};

/// How many messages at the end are never summed up.
const KEPT: usize = 2;
/// How much of one message goes into a summary.
const SHOWN: usize = 4_000;
const PROMPT: &str = "Sum up this conversation for the assistant that will go on with it. Keep facts, names, numbers, \
    decisions, open questions, what tools found, and what the user asked for. Leave out small talk. Write plain text, at most \
    400 words.";

/// The summary that stands for the beginning of the conversation, and the rest of it.
pub(crate) fn in_force(messages: &[UiMessage]) -> (Option<String>, &[UiMessage]) {
    let newest = messages.iter().rev().flat_map(|message| message.parts.iter().rev());
    let summaries = newest.filter(|part| part["type"] == "data-summary").map(|part| &part["data"]);
    for data in summaries {
        let upto = data["upTo"].as_str().unwrap_or_default();
        if let Some(at) = messages.iter().position(|message| message.id == upto) {
            return (Some(words(data)), &messages[at + 1..]);
        }
    }
    (None, messages)
}

fn words(data: &Value) -> String {
    match data["summary"].as_str() {
        Some(summary) => format!("[What was said before, in short]\n{summary}"),
        None => "[The beginning of the conversation is left out.]".to_owned(),
    }
}

/// How many of the messages in force have to go so that the rest takes at most `room` tokens. The last ones always stay.
pub(crate) fn too_many(rest: &[UiMessage], room: u64, view: View) -> usize {
    let mut left = room;
    let mut stay = 0;
    for message in rest.iter().rev() {
        let size = estimate::messages(&history::to_model(std::slice::from_ref(message), view));
        if stay >= KEPT && size > left {
            break;
        }
        left = left.saturating_sub(size);
        stay += 1;
    }
    rest.len() - stay
}

/// Sums up the first `count` of the messages in force. Without a model, or if that fails, they are left out, and the part
/// says so.
pub(crate) async fn summarise(
    messages: &[UiMessage],
    count: usize,
    model: Option<&dyn Model>,
    view: View,
) -> Option<Chunk> {
    let (before, rest) = in_force(messages);
    let gone = &rest[..count];
    let last = gone.last()?;
    let summary = match model {
        Some(model) => ask(model, before, gone, view).await,
        None => None,
    };
    let data = json!({"upTo": last.id, "messages": gone.len(), "summary": summary});
    Some(Chunk::data("summary", data).with("id", format!("summary-{}", last.id)))
}

async fn ask(model: &dyn Model, before: Option<String>, gone: &[UiMessage], view: View) -> Option<String> {
    let room = model.describe().context_tokens.unwrap_or(30_000).min(60_000) as usize * 2;
    let mut text = before.unwrap_or_default();
    for message in gone {
        text.push_str(&format!("\n\n{}: {}", message.role.as_str(), shorten(spoken(message, view), SHOWN)));
    }
    let request = Request::new(vec![Message::user(shorten(text, room))]).with_system(PROMPT);
    match collect(model.stream(request)).await {
        Ok(answer) => Some(answer.text()).filter(|text| !text.trim().is_empty()),
        Err(fault) => {
            tracing::warn!(fault = %fault, "a conversation could not be summed up; its beginning is left out instead");
            None
        }
    }
}

/// What a message says, tools included.
fn spoken(message: &UiMessage, view: View) -> String {
    let mut text = message.text();
    for part in &message.parts {
        let kind = part["type"].as_str().unwrap_or_default();
        if history::is_tool(kind) {
            let output = shorten(part["output"].to_string(), view.output_limit.min(800));
            text.push_str(&format!("\n[{} {} -> {output}]", history::tool_name(part, kind), part["input"]));
        }
    }
    text
}

/// Shortens what tools said in earlier steps, the oldest first, until the request has `room`. The newest outputs stay.
pub(crate) fn squeeze(request: &mut Request, room: u64) {
    let last = request.messages.iter().rposition(|message| matches!(message, Message::Tool(_)));
    for limit in [1_000, 100] {
        for at in 0..last.unwrap_or(0) {
            if estimate::request(request) <= room {
                return;
            }
            if let Some(Message::Tool(outputs)) = request.messages.get_mut(at) {
                for output in outputs {
                    output.output = shorten(std::mem::take(&mut output.output), limit);
                }
            }
        }
    }
}
