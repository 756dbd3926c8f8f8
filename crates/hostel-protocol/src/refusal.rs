//! Every reason to say no: a stable code, a sentence, what to do about it.

mod code;
mod sentences;

use std::fmt;

use serde_json::{Map, Value, json};

pub use code::{Code, UnknownCode};
pub use sentences::{connection_issues_text, missing_namespace_or_room};

use crate::connection::close::MAX_REASON_BYTES;
use crate::text::{push_json_str, shorten};

/// A refusal: what happened, in words for the person who sent the request,
/// and what they can change.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The stable code; it decides HTTP status and close code.
    pub code: Code,
    /// One or two sentences.
    pub message: String,
    /// What to change, when that is known.
    pub fix: Option<String>,
    /// Machine-readable extras, shown only in problem documents. Boxed, so
    /// that a `Result<_, Refusal>` stays small.
    pub details: Option<Box<Map<String, Value>>>,
}

impl Refusal {
    /// A refusal without a fix and without details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), fix: None, details: None }
    }

    /// Adds what to change.
    #[must_use]
    pub fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Adds one machine-readable detail.
    #[must_use]
    pub fn with_detail(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.details.get_or_insert_default().insert(key.into(), value.into());
        self
    }

    /// A problem document of RFC 9457 (`application/problem+json`).
    #[must_use]
    pub fn to_problem_json(&self, request_id: Option<&str>) -> String {
        self.to_problem_json_as(self.code.http_status(), request_id)
    }

    /// The same under a status that is more exact than the code's own.
    #[must_use]
    pub fn to_problem_json_as(&self, status: u16, request_id: Option<&str>) -> String {
        let code = self.code.as_str();
        let mut problem = json!({
            "type": format!("urn:hostel:error:{code}"),
            "title": self.code.title(),
            "status": status,
            "detail": self.message,
            "code": code,
        });
        if let Some(fix) = &self.fix {
            problem["fix"] = json!(fix);
        }
        problem["docs"] = json!(self.code.docs());
        if let Some(id) = request_id {
            problem["request_id"] = json!(id);
        }
        if let Some(details) = &self.details {
            problem["details"] = Value::Object(Map::clone(details));
        }
        problem.to_string()
    }

    /// The frame that answers a frame we cannot act on. Clients of every
    /// version ignore its `type`.
    #[must_use]
    pub fn to_error_frame(&self) -> String {
        let mut out = String::with_capacity(96 + self.message.len());
        out.push_str(r#"{"type":"hostel_error","code":"#);
        push_json_str(&mut out, self.code.as_str());
        out.push_str(r#","error":"#);
        push_json_str(&mut out, &self.message);
        if let Some(fix) = &self.fix {
            out.push_str(r#","fix":"#);
            push_json_str(&mut out, fix);
        }
        out.push('}');
        out
    }

    /// The frame that warns the sender of a frame that was acted on all the same. Clients of every version ignore its
    /// `type`. `fields` names what it is about.
    #[must_use]
    pub fn to_warning_frame(&self, fields: &[impl AsRef<str>]) -> String {
        let mut out = String::with_capacity(160 + self.message.len());
        out.push_str(r#"{"type":"hostel_warning","code":"#);
        push_json_str(&mut out, self.code.as_str());
        out.push_str(r#","warning":"#);
        push_json_str(&mut out, &self.message);
        out.push_str(r#","fields":["#);
        for (at, field) in fields.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            push_json_str(&mut out, field.as_ref());
        }
        out.push(']');
        if let Some(fix) = &self.fix {
            out.push_str(r#","fix":"#);
            push_json_str(&mut out, fix);
        }
        out.push('}');
        out
    }

    /// `code: message`, cut to what a close frame holds.
    #[must_use]
    pub fn close_reason(&self) -> String {
        shorten(&self.to_string(), MAX_REASON_BYTES)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests;
