//! Why a message is no frame.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::JsonFault;
use crate::fields::kind_of;
use crate::refusal::{Code, Refusal};
use crate::text::shorten;

/// How much of a stranger's text is repeated back to them.
const SHOWN_BYTES: usize = 64;
/// A call id longer than this is not worth an answer of its own.
const MAX_ID_BYTES: usize = 256;

/// Which rule a message breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Not JSON.
    NotJson,
    /// JSON, but not an object.
    NotObject,
    /// An object without a `type`, or whose `type` is not a string.
    NoType,
    /// A `type` we do not know.
    UnknownType,
    /// A `type` we know with a field missing or of the wrong kind.
    Malformed,
    /// A frame of another protocol that we recognise.
    Foreign,
    /// Nested deeper than the limit.
    TooDeep,
    /// More values than the limit.
    TooManyValues,
}

/// Why a message is no frame, in words for whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameFault {
    /// Which rule is broken.
    pub kind: FaultKind,
    /// What was expected.
    pub message: String,
    /// What to send instead.
    pub fix: Cow<'static, str>,
    /// The known `type` that was probably meant.
    pub nearest: Option<&'static str>,
    /// The `type` that was sent, shortened.
    pub type_name: Option<String>,
    /// The id of a malformed call, with which it can be answered.
    pub call_id: Option<String>,
}

impl FrameFault {
    pub(super) fn new(kind: FaultKind, message: impl Into<String>, fix: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), fix: fix.into(), nearest: None, type_name: None, call_id: None }
    }

    pub(super) fn json(fault: JsonFault) -> Self {
        let (kind, text, fix) = match fault {
            JsonFault::Syntax { .. } => {
                (FaultKind::NotJson, "The message is not JSON", "Send one JSON object with a string \"type\".")
            }
            JsonFault::TooDeep { .. } => {
                (FaultKind::TooDeep, "The message is", "Send flatter data, or nested data as a string.")
            }
            JsonFault::TooManyValues { .. } => {
                (FaultKind::TooManyValues, "The message has", "Send the data in several messages.")
            }
        };
        let joint = if kind == FaultKind::NotJson { ": " } else { " " };
        Self::new(kind, format!("{text}{joint}{fault}."), fix)
    }

    pub(super) fn not_object() -> Self {
        Self::new(
            FaultKind::NotObject,
            "A frame is a JSON object; this message is another JSON value.",
            "Send one JSON object with a string \"type\".",
        )
    }

    pub(super) fn malformed(
        frame: &'static str,
        field: &'static str,
        wanted: &'static str,
        found: Option<&RawValue>,
    ) -> Self {
        let found = match found.map(kind_of) {
            None => "it is missing".to_owned(),
            Some("a string") => "its text has an unpaired surrogate escape".to_owned(),
            Some(kind) => format!("it is {kind}"),
        };
        let text = format!("`{field}` of a frame of type `{frame}` must be {wanted}; {found}.");
        let mut fault = Self::new(FaultKind::Malformed, text, shape(frame));
        fault.nearest = Some(frame);
        fault.type_name = Some(frame.to_owned());
        fault
    }

    pub(super) fn of_call(mut self, id: &str) -> Self {
        self.call_id = (id.len() <= MAX_ID_BYTES).then(|| id.to_owned());
        self
    }

    pub(super) fn with_type(mut self, name: &str, nearest: Option<&'static str>) -> Self {
        self.type_name = Some(shorten(name, SHOWN_BYTES));
        self.nearest = nearest;
        self
    }

    /// The stable code of this fault.
    #[must_use]
    pub fn code(&self) -> Code {
        match self.kind {
            FaultKind::NotJson | FaultKind::NotObject | FaultKind::NoType | FaultKind::UnknownType => {
                Code::UnknownFrame
            }
            FaultKind::Malformed => Code::MalformedFrame,
            FaultKind::Foreign => Code::ForeignDialect,
            FaultKind::TooDeep | FaultKind::TooManyValues => Code::JsonTooDeep,
        }
    }

    /// The refusal to answer it with.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        Refusal::new(self.code(), self.message.as_str()).with_fix(self.fix.as_ref())
    }
}

/// How a frame of this type has to look.
pub(super) fn shape(frame: &str) -> &'static str {
    match frame {
        "rpc" => r#"Send {"type":"rpc","id":"1","method":"name","args":[]}."#,
        "cf_agent_state" => r#"Send {"type":"cf_agent_state","state":{}}."#,
        _ => "Send the frame with all its fields, as the published clients do.",
    }
}
