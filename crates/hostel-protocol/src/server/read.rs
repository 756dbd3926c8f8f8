//! Reading what a server sent, for clients.

use serde_json::value::RawValue;

use crate::fields::{each, string};

/// A text message of a server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ServerFrame {
    /// Who this is.
    Identity {
        /// Slug of the class.
        agent: String,
        /// Name of the instance.
        name: String,
        /// The state frame is next.
        state_follows: bool,
    },
    /// The state, whole.
    State {
        /// Any JSON value.
        state: Box<RawValue>,
        /// Its version, from a Hostel server that was asked for versions.
        version: Option<String>,
    },
    /// Our state is stored; said by a Hostel server that was asked for versions.
    StateAccepted {
        /// The version of the state now.
        version: String,
    },
    /// Our state was refused.
    StateError {
        /// Why: the reason a Hostel server gives, or the fixed text of the protocol.
        error: String,
        /// The stable code, from a Hostel server.
        code: Option<String>,
        /// What to change, from a Hostel server.
        fix: Option<String>,
        /// After a conflict: the state as it is.
        current: Option<Box<RawValue>>,
        /// After a conflict: the version of that state.
        version: Option<String>,
    },
    /// The MCP servers of the agent.
    McpServers {
        /// The lists `servers`, `tools`, `prompts` and `resources`.
        mcp: Box<RawValue>,
    },
    /// Part of the answer to a call.
    Rpc(RpcResponse),
    /// A frame of ours could not be acted on.
    HostelError {
        /// The stable code.
        code: String,
        /// Why.
        error: String,
        /// What to change.
        fix: Option<String>,
    },
    /// A frame of ours was acted on, but perhaps not as we meant it.
    HostelWarning {
        /// The stable code.
        code: String,
        /// What is suspicious.
        warning: String,
        /// What to change.
        fix: Option<String>,
        /// The fields it is about.
        fields: Vec<String>,
    },
    /// Connection setup failed; the connection is about to close.
    SessionError {
        /// What the server said.
        error: String,
    },
    /// JSON that is no frame known here.
    Other(Box<RawValue>),
    /// A message that is not JSON: something the application sent.
    Text(String),
}

/// Part of the answer to a call.
#[derive(Debug, Clone)]
pub struct RpcResponse {
    /// The id of the call.
    pub id: String,
    /// Which part.
    pub outcome: RpcOutcome,
}

/// What an answer says.
#[derive(Debug, Clone)]
pub enum RpcOutcome {
    /// Final; `None` is JavaScript's `undefined`.
    Done(Option<Box<RawValue>>),
    /// One piece of a stream; more follow.
    Chunk(Option<Box<RawValue>>),
    /// The call failed; final.
    Failed {
        /// Why.
        error: String,
        /// The stable code, from a Hostel server.
        code: Option<String>,
        /// What to change, from a Hostel server.
        fix: Option<String>,
    },
}

/// What this text message of a server is. Never fails: a message that is no
/// complete frame is [`ServerFrame::Other`] or [`ServerFrame::Text`].
#[must_use]
pub fn parse_server(text: &str) -> ServerFrame {
    let mut keys = Keys::default();
    let known = each(text, |key, value| keys.see(&key, value)).is_ok();
    let frame = if known { keys.frame() } else { None };
    frame.unwrap_or_else(|| other(text))
}

fn other(text: &str) -> ServerFrame {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => ServerFrame::Other(raw.to_owned()),
        Err(_) => ServerFrame::Text(text.to_owned()),
    }
}

/// The members that any server frame may have. The last of equal keys wins.
#[derive(Default)]
struct Keys<'a> {
    kind: Option<&'a RawValue>,
    agent: Option<&'a RawValue>,
    name: Option<&'a RawValue>,
    state_follows: Option<&'a RawValue>,
    state: Option<&'a RawValue>,
    mcp: Option<&'a RawValue>,
    id: Option<&'a RawValue>,
    success: Option<&'a RawValue>,
    done: Option<&'a RawValue>,
    result: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
    code: Option<&'a RawValue>,
    fix: Option<&'a RawValue>,
    reason: Option<&'a RawValue>,
    version: Option<&'a RawValue>,
    warning: Option<&'a RawValue>,
    fields: Option<&'a RawValue>,
}

impl<'a> Keys<'a> {
    fn see(&mut self, key: &str, value: &'a RawValue) {
        let slot = match key {
            "type" => &mut self.kind,
            "agent" => &mut self.agent,
            "name" => &mut self.name,
            "stateFollows" => &mut self.state_follows,
            "state" => &mut self.state,
            "mcp" => &mut self.mcp,
            "id" => &mut self.id,
            "success" => &mut self.success,
            "done" => &mut self.done,
            "result" => &mut self.result,
            "error" => &mut self.error,
            "code" => &mut self.code,
            "fix" => &mut self.fix,
            "reason" => &mut self.reason,
            "version" => &mut self.version,
            "warning" => &mut self.warning,
            "fields" => &mut self.fields,
            _ => return,
        };
        *slot = Some(value);
    }

    fn frame(&self) -> Option<ServerFrame> {
        let Some(kind) = self.kind else {
            let error = text(self.error)?;
            return Some(ServerFrame::SessionError { error });
        };
        Some(match string(kind)?.as_ref() {
            "cf_agent_identity" => ServerFrame::Identity {
                agent: text(self.agent)?,
                name: text(self.name)?,
                state_follows: is_true(self.state_follows),
            },
            "cf_agent_state" => ServerFrame::State { state: self.state?.to_owned(), version: text(self.version) },
            "hostel_state_accepted" => ServerFrame::StateAccepted { version: text(self.version)? },
            "cf_agent_state_error" => {
                let error = text(self.reason).or_else(|| text(self.error))?;
                let current = self.state.map(ToOwned::to_owned);
                let (code, fix, version) = (text(self.code), text(self.fix), text(self.version));
                ServerFrame::StateError { error, code, fix, current, version }
            }
            "cf_agent_mcp_servers" => ServerFrame::McpServers { mcp: self.mcp?.to_owned() },
            "rpc" => ServerFrame::Rpc(self.rpc()?),
            "hostel_error" => {
                ServerFrame::HostelError { code: text(self.code)?, error: text(self.error)?, fix: text(self.fix) }
            }
            "hostel_warning" => ServerFrame::HostelWarning {
                code: text(self.code)?,
                warning: text(self.warning)?,
                fix: text(self.fix),
                fields: self.fields.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default(),
            },
            _ => return None,
        })
    }

    fn rpc(&self) -> Option<RpcResponse> {
        let id = text(self.id)?;
        let value = self.result.map(ToOwned::to_owned);
        let outcome = match (self.success?.get(), self.done.map(RawValue::get)) {
            ("true", Some("false")) => RpcOutcome::Chunk(value),
            ("true", _) => RpcOutcome::Done(value),
            ("false", _) => RpcOutcome::Failed { error: text(self.error)?, code: text(self.code), fix: text(self.fix) },
            _ => return None,
        };
        Some(RpcResponse { id, outcome })
    }
}

fn text(value: Option<&RawValue>) -> Option<String> {
    string(value?).map(std::borrow::Cow::into_owned)
}

fn is_true(value: Option<&RawValue>) -> bool {
    value.is_some_and(|value| value.get() == "true")
}
