//! Where the loop asks. One implementation keeps rows; tests keep a list.

use hostel::Result;
use hostel::protocol::chat::UiMessage;

use super::{Always, Approval, Ruling};
use crate::{
    engine::Call,
    tool::{Bound, Preview},
};

/// A question to somebody.
pub(crate) struct Question<'a> {
    pub(crate) turn: &'a str,
    pub(crate) message: &'a UiMessage,
    pub(crate) call: &'a Call,
    pub(crate) tool: &'a Bound,
    pub(crate) preview: Option<&'a Preview>,
}

/// Where the loop asks, and looks up what was answered.
pub(crate) trait Desk: Send + Sync {
    /// What becomes of a call.
    fn rule(&self, turn: &str, tool: &Bound, call: &Call) -> Result<Ruling>;
    /// What "always" would allow.
    fn always(&self, turn: &str, tool: &Bound, call: &Call) -> Always;
    /// Keeps the question; a call that was asked for already stays one question.
    fn ask(&self, question: Question<'_>) -> Result<Approval>;
    /// What was asked in this message and is not settled, oldest first.
    fn open_in(&self, message: &str) -> Result<Vec<Approval>>;
    /// A page has answered in the message itself, as those of old do.
    fn adopt(&self, id: &str, approve: bool) -> Result<()>;
    /// What was decided has been carried out.
    fn settle(&self, id: &str) -> Result<()>;
}
