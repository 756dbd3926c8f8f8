//! Why a chat frame is refused, and the frame that says so.

use super::frame_out::ResponseFrame;
use crate::refusal::{Code, Refusal};

/// Why a chat frame means nothing, in words for whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ChatFault {
    /// The request it belongs to: then the client's own hook can show the reason.
    pub id: Option<String>,
    /// The stable code.
    pub code: Code,
    /// What was expected.
    pub message: String,
}

impl ChatFault {
    /// A frame whose fields are not as they must be.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { id: None, code: Code::MalformedFrame, message: message.into() }
    }

    pub(super) fn of(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }

    /// The refusal behind it.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        let fix = "Send the frame with all its fields, as the published clients do.";
        Refusal::new(self.code, self.message.as_str()).with_fix(fix)
    }

    /// The frame that answers it: the end of the request where there is one, else an error frame, which clients ignore
    /// and people who look find.
    #[must_use]
    pub fn to_frame(&self) -> String {
        match &self.id {
            Some(id) => ResponseFrame::failed(id, &self.message).to_json(),
            None => self.refusal().to_error_frame(),
        }
    }
}
