//! Merging the conversation a client has into the one we have.

mod claim;

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::message::{Role, UiMessage};
use super::part::{ToolState, call_id};
use super::tool::{ToolAnswer, apply_tool_result};

/// What a client's list changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reconciled {
    /// Messages to write, in the order of the list: new ones, and those that are no longer as they were.
    pub upserts: Vec<UiMessage>,
    /// Ids of messages to delete.
    pub deletions: Vec<String>,
    /// Tool calls that were waiting and are answered by the list: id of the call, and what came of it. Clients without
    /// frames for that send their answers this way. They are already part of the upserts.
    pub answers: Vec<(String, ToolAnswer)>,
}

/// Compares the list of a client with what is stored.
///
/// - Messages are matched by id. A message of the agent whose id is unknown is one that is stored if it makes the same
///   tool calls, or says exactly the same; each stored one is matched once, and its id counts.
/// - What is settled stays settled: a client that has not heard of a result cannot undo it.
/// - With `is_request`, the client does not edit what the agent said, it repeats it, and may be behind: there the stored
///   message counts, with the client's metadata and its answers to waiting calls.
/// - With `is_request`, a list of nothing but stored messages deletes the others: that is how an answer is asked for
///   anew. A list with anything new in it deletes nothing, nor does an empty one.
#[must_use]
pub fn reconcile(stored: &[UiMessage], incoming: Vec<UiMessage>, is_request: bool) -> Reconciled {
    let incoming = claim::stored_ids(stored, incoming);
    let by_id: HashMap<&str, &UiMessage> = stored.iter().map(|message| (message.id.as_str(), message)).collect();
    let mut result = Reconciled::default();
    let ids: HashSet<&str> = incoming.iter().map(|message| message.id.as_str()).collect();
    if is_request && !ids.is_empty() && ids.iter().all(|id| by_id.contains_key(id)) {
        let gone = stored.iter().filter(|message| !ids.contains(message.id.as_str()));
        result.deletions = gone.map(|message| message.id.clone()).collect();
    }
    let mut seen = HashSet::new();
    for message in &incoming {
        // The first of several with one id counts, as when they are looked up.
        if !seen.insert(message.id.as_str()) {
            continue;
        }
        let old = by_id.get(message.id.as_str()).copied();
        let merged = match old {
            Some(old) => merge(old, message, is_request, &mut result.answers),
            None => message.clone(),
        };
        if old != Some(&merged) {
            result.upserts.push(merged);
        }
    }
    result
}

fn merge(old: &UiMessage, new: &UiMessage, is_request: bool, answers: &mut Vec<(String, ToolAnswer)>) -> UiMessage {
    if old.role != Role::Assistant {
        return new.clone();
    }
    if is_request { repeated(old, new, answers) } else { edited(old, new) }
}

/// The stored message, with what only the client can know.
fn repeated(old: &UiMessage, new: &UiMessage, answers: &mut Vec<(String, ToolAnswer)>) -> UiMessage {
    let mut merged = old.clone();
    if new.metadata.is_some() {
        merged.metadata.clone_from(&new.metadata);
    }
    for part in &new.parts {
        let (Some(call), Some(answer)) = (call_id(part), answer_of(part)) else { continue };
        if apply_tool_result(&mut merged, call, &answer) {
            answers.push((call.to_owned(), said(&merged, call, answer)));
        }
    }
    merged
}

/// The result in a part of a client.
fn answer_of(part: &Value) -> Option<ToolAnswer> {
    match ToolState::of(part)? {
        ToolState::OutputAvailable => Some(ToolAnswer::Output(part.get("output").cloned().unwrap_or_default())),
        ToolState::OutputError => Some(ToolAnswer::Error(part["errorText"].as_str().unwrap_or_default().to_owned())),
        _ => None,
    }
}

/// What an answer turned out to mean.
fn said(message: &UiMessage, call: &str, answer: ToolAnswer) -> ToolAnswer {
    match message.tool_state(call) {
        Some(ToolState::ApprovalResponded) => ToolAnswer::Approved,
        Some(ToolState::OutputDenied) => ToolAnswer::Denied(None),
        _ => answer,
    }
}

/// The client's message, with calls as settled as they were.
fn edited(old: &UiMessage, new: &UiMessage) -> UiMessage {
    let mut merged = new.clone();
    for part in &mut merged.parts {
        let is_behind = ToolState::of(part).is_some_and(|state| !state.is_settled());
        let stored = call_id(part).and_then(|call| old.parts.iter().rfind(|old| call_id(old) == Some(call)));
        if let Some(stored) =
            stored.filter(|stored| is_behind && ToolState::of(stored).is_some_and(ToolState::is_settled))
        {
            part.clone_from(stored);
        }
    }
    merged
}
