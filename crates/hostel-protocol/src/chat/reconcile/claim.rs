//! Which stored message a client's message is.

use std::collections::HashSet;

use serde_json::Value;

use crate::chat::message::{Role, UiMessage};
use crate::chat::part::{ToolState, call_id, tool_name};

/// Gives messages of the agent with unknown ids the id of the stored message they are, and leaves out copies that are
/// behind one which the list has as well.
pub(super) fn stored_ids(stored: &[UiMessage], mut incoming: Vec<UiMessage>) -> Vec<UiMessage> {
    let sent: HashSet<&str> = incoming.iter().map(|message| message.id.as_str()).collect();
    let mut is_free: Vec<bool> = stored.iter().map(|message| !sent.contains(message.id.as_str())).collect();
    let known: HashSet<&str> = stored.iter().map(|message| message.id.as_str()).collect();
    let copies = Copies::of(stored, &sent);
    let last = incoming.len().saturating_sub(1);
    let mut keep = Vec::with_capacity(incoming.len());
    for (at, message) in incoming.iter_mut().enumerate() {
        let is_unknown = message.role == Role::Assistant && !known.contains(message.id.as_str());
        let same = |(at, old): (usize, &UiMessage)| (is_free[at] && is_same(old, message)).then_some(at);
        let claimed = if is_unknown { stored.iter().enumerate().find_map(same) } else { None };
        if let Some(claimed) = claimed {
            is_free[claimed] = false;
        }
        keep.push((claimed, !is_unknown || claimed.is_some() || at == last || !copies.has(message)));
    }
    let decided = incoming.into_iter().zip(keep).filter(|(_, (_, keep))| *keep);
    decided.map(|(message, (claimed, _))| renamed(message, claimed.map(|at| &stored[at]))).collect()
}

fn renamed(mut message: UiMessage, claimed: Option<&UiMessage>) -> UiMessage {
    if let Some(stored) = claimed {
        message.id.clone_from(&stored.id);
    }
    message
}

/// Whether two messages of the agent are one: they make the same tool calls, or without any they say exactly the same.
fn is_same(stored: &UiMessage, sent: &UiMessage) -> bool {
    if stored.role != Role::Assistant {
        return false;
    }
    let mut calls = sent.parts.iter().filter(|part| call_id(part).is_some()).peekable();
    if calls.peek().is_some() {
        return calls.all(|call| stored.parts.iter().any(|part| is_same_call(part, call)));
    }
    !stored.parts.iter().any(|part| call_id(part).is_some()) && stored.parts == sent.parts
}

/// Providers use the id of a call again, so tool and input count too.
fn is_same_call(one: &Value, other: &Value) -> bool {
    call_id(one) == call_id(other) && tool_name(one) == tool_name(other) && one.get("input") == other.get("input")
}

/// Calls that are settled in stored messages which the list has too.
struct Copies<'a>(Vec<&'a Value>);

impl<'a> Copies<'a> {
    fn of(stored: &'a [UiMessage], sent: &HashSet<&str>) -> Self {
        let held = stored.iter().filter(|message| sent.contains(message.id.as_str()));
        let parts = held.filter(|message| message.role == Role::Assistant).flat_map(|message| &message.parts);
        Self(parts.filter(|part| ToolState::of(part).is_some_and(ToolState::is_settled)).collect())
    }

    /// Whether a message is nothing but calls that still wait there and are settled here.
    fn has(&self, message: &UiMessage) -> bool {
        let mut calls = message.parts.iter().filter(|part| part["type"] != "step-start").peekable();
        calls.peek().is_some()
            && calls.all(|part| {
                ToolState::of(part).is_some_and(|state| !state.is_settled())
                    && self.0.iter().any(|settled| is_same_call(settled, part))
            })
    }
}
