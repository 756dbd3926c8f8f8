//! From text to a client frame.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{
    ChatFrame, ChatKind, ClientFrame, FrameFault, JsonLimits, RpcRequest, StateUpdate, check_json, dialect, quick,
};
use crate::fields;

/// What this text message of a client is. Never fails and never panics;
/// anything that is no complete frame is [`ClientFrame::Unknown`] with the
/// reason.
///
/// As in JavaScript the last of several equal keys counts and extra keys are
/// ignored. A short frame without escapes is parsed without allocating.
///
/// ```
/// use hostel_protocol::client::{ClientFrame, FaultKind, parse};
/// let ClientFrame::Unknown(fault) = parse(r#"{"type":"call","method":"add"}"#) else {
///     panic!("not our dialect");
/// };
/// assert_eq!((fault.kind, fault.nearest), (FaultKind::Foreign, Some("rpc")));
/// ```
#[must_use]
pub fn parse(text: &str) -> ClientFrame<'_> {
    parse_with(text, &JsonLimits::DEFAULT)
}

/// [`parse`] with limits other than the default ones.
#[must_use]
pub fn parse_with<'a>(text: &'a str, limits: &JsonLimits) -> ClientFrame<'a> {
    let ordinary = if may_exceed(text, limits) { None } else { quick::rpc(text) };
    match ordinary.map_or_else(|| long(text, limits), |rpc| Ok(ClientFrame::Rpc(rpc))) {
        Ok(frame) => frame,
        Err(fault) => ClientFrame::Unknown(fault),
    }
}

/// Each level takes a byte to open and one to close, each value at least one and a comma: shorter JSON cannot break the
/// limits.
fn may_exceed(text: &str, limits: &JsonLimits) -> bool {
    text.len() >= limits.max_depth.min(limits.max_values).saturating_mul(2)
}

/// Reads any frame, and says what is wrong with it.
pub(super) fn long<'a>(text: &'a str, limits: &JsonLimits) -> Result<ClientFrame<'a>, FrameFault> {
    let is_object = text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{');
    if may_exceed(text, limits) || !is_object {
        check_json(text, limits).map_err(FrameFault::json)?;
    }
    if !is_object {
        return Err(FrameFault::not_object());
    }
    let mut keys = Keys::default();
    if fields::each(text, |key, value| keys.see(&key, value)).is_err() {
        return Err(syntax_fault(text));
    }
    keys.into_frame()
}

/// Where a text that the reader refused stops being JSON.
#[cold]
fn syntax_fault(text: &str) -> FrameFault {
    match check_json(text, &JsonLimits::DEFAULT) {
        Err(fault) => FrameFault::json(fault),
        Ok(()) => FrameFault::not_object(),
    }
}

/// The members that any client frame may have. The last of equal keys wins.
#[derive(Default)]
pub(super) struct Keys<'a> {
    kind: Option<&'a RawValue>,
    pub(super) id: Option<&'a RawValue>,
    pub(super) method: Option<&'a RawValue>,
    pub(super) args: Option<&'a RawValue>,
    pub(super) params: Option<&'a RawValue>,
    pub(super) state: Option<&'a RawValue>,
    if_version: Option<&'a RawValue>,
    idempotency_key: Option<&'a RawValue>,
    pub(super) jsonrpc: Option<&'a RawValue>,
}

impl<'a> Keys<'a> {
    fn see(&mut self, key: &str, value: &'a RawValue) {
        let slot = match key {
            "type" => &mut self.kind,
            "id" => &mut self.id,
            "method" => &mut self.method,
            "args" => &mut self.args,
            "params" => &mut self.params,
            "state" => &mut self.state,
            "if_version" => &mut self.if_version,
            "idempotencyKey" => &mut self.idempotency_key,
            "jsonrpc" => &mut self.jsonrpc,
            _ => return,
        };
        *slot = Some(value);
    }

    fn into_frame(self) -> Result<ClientFrame<'a>, FrameFault> {
        let Some(kind) = self.kind.and_then(fields::string) else {
            return Err(dialect::without_type(&self, self.kind));
        };
        match kind.as_ref() {
            "rpc" => self.rpc().map(ClientFrame::Rpc),
            "cf_agent_state" => self.state().map(ClientFrame::State),
            other => match ChatKind::from_type(other) {
                Some(chat) => self.chat(chat).map(ClientFrame::Chat),
                None => Err(dialect::unknown_type(other, &self)),
            },
        }
    }

    fn rpc(&self) -> Result<RpcRequest<'a>, FrameFault> {
        let id = text_field("rpc", "id", self.id)?;
        let rest = || -> Result<_, FrameFault> {
            let method = text_field("rpc", "method", self.method)?;
            let args = self.args.filter(|args| args.get().starts_with('['));
            let args = args.ok_or_else(|| FrameFault::malformed("rpc", "args", "an array", self.args))?;
            let key = self.idempotency_key.filter(|key| key.get() != "null");
            let key = key.map(|key| text_field("rpc", "idempotencyKey", Some(key)));
            Ok((method, args, key.transpose()?))
        };
        match rest() {
            Ok((method, args, idempotency_key)) => Ok(RpcRequest { id, method, args, idempotency_key }),
            Err(fault) => Err(fault.of_call(&id)),
        }
    }

    fn state(&self) -> Result<StateUpdate<'a>, FrameFault> {
        let state =
            self.state.ok_or_else(|| FrameFault::malformed("cf_agent_state", "state", "any JSON value", None))?;
        let if_version = self.if_version.filter(|version| version.get() != "null");
        let if_version = if_version.map(|version| text_field("cf_agent_state", "if_version", Some(version)));
        Ok(StateUpdate { state, if_version: if_version.transpose()? })
    }

    fn chat(&self, kind: ChatKind) -> Result<ChatFrame<'a>, FrameFault> {
        let id = match self.id {
            None if !kind.needs_id() => None,
            id => Some(text_field(kind.as_str(), "id", id)?),
        };
        Ok(ChatFrame { kind, id })
    }
}

fn text_field<'a>(
    frame: &'static str,
    field: &'static str,
    value: Option<&'a RawValue>,
) -> Result<Cow<'a, str>, FrameFault> {
    value.and_then(fields::string).ok_or_else(|| FrameFault::malformed(frame, field, "a string", value))
}
