//! Messages that are nearly ours, or somebody else's.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::fault::shape;
use super::parse::Keys;
use super::{ChatKind, FaultKind, FrameFault};
use crate::fields;
use crate::name::nearest;
use crate::text::shorten;

const RPC: &str = "rpc";
const STATE: &str = "cf_agent_state";

/// Types of other protocols: what we call it, and the sentence.
fn foreign(name: &str) -> Option<(Option<&'static str>, &'static str)> {
    Some(match name {
        "call" | "invoke" | "request" | "method" | "rpc_request" => (Some(RPC), "a call is a frame of type `rpc` here"),
        "state" | "setState" | "set_state" | "state_update" | "stateUpdate" => {
            (Some(STATE), "a new state is a frame of type `cf_agent_state` here")
        }
        "handshake" | "hello" | "connect" | "connection_init" | "init" | "identify" => {
            (None, "no greeting is needed here: the server sends its identity by itself")
        }
        "subscribe" | "join" => (None, "no subscription is needed here: every connection gets state and broadcasts"),
        "ping" | "pong" | "heartbeat" => (None, "no keep-alive messages are needed here: WebSocket pings do that"),
        "chat" | "user_message" => {
            (Some(ChatKind::Request.as_str()), "a chat turn is a frame of type `cf_agent_use_chat_request` here")
        }
        _ => return None,
    })
}

/// Types that only the server sends.
const FROM_SERVER: [&str; 11] = [
    "cf_agent_identity",
    "cf_agent_state_error",
    "cf_agent_mcp_servers",
    "cf_agent_use_chat_response",
    "cf_agent_stream_resuming",
    "cf_agent_stream_resume_none",
    "cf_agent_stream_pending",
    "cf_agent_message_updated",
    "cf_agent_chat_recovering",
    "agent-tool-event",
    "hostel_error",
];

/// The fault of a frame whose `type` is not one a client sends.
pub(super) fn unknown_type(name: &str, keys: &Keys<'_>) -> FrameFault {
    if let Some((ours, text)) = foreign(name) {
        let fix = ours.map_or("Leave this message out.", shape);
        let text = format!("`{name}` is a frame of another protocol; {text}.");
        return FrameFault::new(FaultKind::Foreign, text, fix).with_type(name, ours);
    }
    if is_jsonrpc(keys) {
        return jsonrpc().with_type(name, Some(RPC));
    }
    let shown = shorten(name, 64);
    if FROM_SERVER.contains(&name) {
        let text = format!("`{shown}` frames are sent by the server only.");
        return FrameFault::new(FaultKind::UnknownType, text, "Leave this message out.").with_type(name, None);
    }
    near_miss(name, &shown)
}

fn near_miss(name: &str, shown: &str) -> FrameFault {
    let known = [RPC, STATE].into_iter().chain(ChatKind::ALL.iter().map(|kind| kind.as_str()));
    let near = nearest(name, known);
    let text = format!("No frame of a client has the type `{shown}`.");
    let fix = near.map_or(Cow::Borrowed("Frames of a client have the type `rpc` or `cf_agent_state`."), |near| {
        Cow::Owned(format!("Did you mean `{near}`? {}", shape(near)))
    });
    FrameFault::new(FaultKind::UnknownType, text, fix).with_type(name, near)
}

/// The fault of an object without a usable `type`.
pub(super) fn without_type(keys: &Keys<'_>, found: Option<&RawValue>) -> FrameFault {
    if is_jsonrpc(keys) {
        let mut fault = jsonrpc();
        fault.nearest = Some(RPC);
        return fault;
    }
    let text = match found.map(fields::kind_of) {
        None => "The message has no `type`.".to_owned(),
        Some("a string") => "`type` has an unpaired surrogate escape.".to_owned(),
        Some(kind) => format!("`type` must be a string; found: {kind}."),
    };
    let near = guess(keys);
    let fix = near.map_or("Send one JSON object with a string \"type\".", shape);
    let mut fault = FrameFault::new(FaultKind::NoType, text, fix);
    fault.nearest = near;
    fault
}

/// What an object without a `type` looks like.
fn guess(keys: &Keys<'_>) -> Option<&'static str> {
    if keys.method.is_some() && (keys.args.is_some() || keys.params.is_some()) {
        return Some(RPC);
    }
    keys.state.is_some().then_some(STATE)
}

fn is_jsonrpc(keys: &Keys<'_>) -> bool {
    keys.jsonrpc.is_some()
}

fn jsonrpc() -> FrameFault {
    FrameFault::new(
        FaultKind::Foreign,
        "This is JSON-RPC; a call is a frame of type `rpc` with `id`, `method` and `args` here.",
        shape(RPC),
    )
}
