//! Writers of frames.

use crate::refusal::Refusal;
use crate::text::push_json_str;

/// The list of MCP servers of an agent that has none.
pub const MCP_SERVERS_EMPTY: &str =
    r#"{"mcp":{"prompts":[],"resources":[],"servers":{},"tools":[]},"type":"cf_agent_mcp_servers"}"#;

/// Who the client is talking to. `state_follows` only if the state frame is
/// the very next one: clients wait for it.
#[must_use]
pub fn identity(agent: &str, name: &str, state_follows: bool) -> String {
    let mut out = String::with_capacity(80 + agent.len() + name.len());
    out.push_str(r#"{"type":"cf_agent_identity","name":"#);
    push_json_str(&mut out, name);
    out.push_str(r#","agent":"#);
    push_json_str(&mut out, agent);
    out.push_str(if state_follows { r#","stateFollows":true}"# } else { "}" });
    out
}

/// A changed state.
#[must_use]
pub fn state(state_json: &str) -> String {
    [r#"{"state":"#, state_json, r#","type":"cf_agent_state"}"#].concat()
}

/// The state right after the identity.
#[must_use]
pub fn state_initial(state_json: &str) -> String {
    [r#"{"type":"cf_agent_state","state":"#, state_json, "}"].concat()
}

/// [`state`] for clients that asked for versions.
#[must_use]
pub fn state_versioned(state_json: &str, version: &str) -> String {
    [r#"{"state":"#, state_json, r#","type":"cf_agent_state","version":""#, version, "\"}"].concat()
}

/// [`state_initial`] for clients that asked for versions.
#[must_use]
pub fn state_initial_versioned(state_json: &str, version: &str) -> String {
    [r#"{"type":"cf_agent_state","state":"#, state_json, r#","version":""#, version, "\"}"].concat()
}

/// A client that asked for versions has set the state: this is its version now.
#[must_use]
pub fn state_accepted(version: &str) -> String {
    [r#"{"type":"hostel_state_accepted","version":""#, version, "\"}"].concat()
}

/// A client's state was refused because the state is no longer the one it had in mind: [`state_error`], and what the
/// state is now.
#[must_use]
pub fn state_conflict(error: &str, refusal: &Refusal, state_json: &str, version: &str) -> String {
    let mut out = state_error(error, Some(refusal));
    out.pop();
    out.push_str(r#","state":"#);
    out.push_str(state_json);
    member(&mut out, r#","version":"#, Some(version));
    out.push('}');
    out
}

/// A client's state was refused. `error` is fixed by the protocol; `extra` adds our `code`, `reason` and `fix`.
#[must_use]
pub fn state_error(error: &str, extra: Option<&Refusal>) -> String {
    let mut out = String::from(r#"{"type":"cf_agent_state_error","error":"#);
    push_json_str(&mut out, error);
    if let Some(refusal) = extra {
        member(&mut out, r#","code":"#, Some(refusal.code.as_str()));
        member(&mut out, r#","reason":"#, Some(&refusal.message));
        member(&mut out, r#","fix":"#, refusal.fix.as_deref());
    }
    out.push('}');
    out
}

/// The final answer to a call; without `result` when there is no value.
#[must_use]
pub fn rpc_result(id: &str, result_json: Option<&str>) -> String {
    rpc_success(r#"{"done":true,"id":"#, id, result_json)
}

/// One piece of a streamed answer.
#[must_use]
pub fn rpc_chunk(id: &str, result_json: &str) -> String {
    rpc_success(r#"{"done":false,"id":"#, id, Some(result_json))
}

/// The end of a streamed answer, with a last value or without.
#[must_use]
pub fn rpc_end(id: &str, result_json: Option<&str>) -> String {
    rpc_result(id, result_json)
}

fn rpc_success(head: &str, id: &str, result_json: Option<&str>) -> String {
    const RESULT: &str = r#","result":"#;
    const TAIL: &str = r#","success":true,"type":"rpc"}"#;
    // Exactly what it takes, so that the text becomes shared bytes where it is.
    let size = head.len() + id.len() + 2 + result_json.map_or(0, |json| RESULT.len() + json.len()) + TAIL.len();
    let mut out = String::with_capacity(size);
    out.push_str(head);
    push_json_str(&mut out, id);
    if let Some(json) = result_json {
        out.push_str(RESULT);
        out.push_str(json);
    }
    out.push_str(TAIL);
    out
}

/// A failed call. `extra` adds our code and fix; clients ignore them.
#[must_use]
pub fn rpc_error(id: &str, error: &str, extra: Option<(&str, Option<&str>)>) -> String {
    let mut out = String::with_capacity(64 + id.len() + error.len());
    out.push_str(r#"{"error":"#);
    push_json_str(&mut out, error);
    member(&mut out, r#","id":"#, Some(id));
    out.push_str(r#","success":false,"type":"rpc""#);
    if let Some((code, fix)) = extra {
        member(&mut out, r#","code":"#, Some(code));
        member(&mut out, r#","fix":"#, fix);
    }
    out.push('}');
    out
}

/// Connection setup failed; a close with 1011 follows.
#[must_use]
pub fn session_error(text: &str) -> String {
    let mut out = String::from(r#"{"error":"#);
    push_json_str(&mut out, text);
    out.push('}');
    out
}

/// A call, as a client writes it. `args_json` is a JSON array.
#[must_use]
pub fn rpc_request(id: &str, method: &str, args_json: &str, idempotency_key: Option<&str>) -> String {
    let mut out = String::with_capacity(64 + id.len() + method.len() + args_json.len());
    out.push_str(r#"{"args":"#);
    out.push_str(args_json);
    member(&mut out, r#","id":"#, Some(id));
    member(&mut out, r#","idempotencyKey":"#, idempotency_key);
    member(&mut out, r#","method":"#, Some(method));
    out.push_str(r#","type":"rpc"}"#);
    out
}

/// A new state, as a client writes it.
#[must_use]
pub fn state_update(state_json: &str) -> String {
    state(state_json)
}

/// A new state for the case that the present one still has this version, as a client writes it.
#[must_use]
pub fn state_update_if(state_json: &str, version: &str) -> String {
    let mut out = String::with_capacity(64 + state_json.len());
    out.push('{');
    member(&mut out, r#""if_version":"#, Some(version));
    out.push_str(r#","state":"#);
    out.push_str(state_json);
    out.push_str(r#","type":"cf_agent_state"}"#);
    out
}

fn member(out: &mut String, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        out.push_str(key);
        push_json_str(out, value);
    }
}
