//! What a tool is given besides its input.

use std::{fmt, ops::Deref, sync::Arc};

use hostel::{Cx, Result};
use serde::Serialize;
use serde_json::Value;

use super::Preview;

/// Tells people how far a tool is.
pub(crate) type Progress = Arc<dyn Fn(Value) -> Result<()> + Send + Sync>;

/// One call of a tool.
#[derive(Clone)]
pub(crate) struct CallInfo {
    pub(crate) turn: String,
    pub(crate) call: String,
    pub(crate) again: bool,
    pub(crate) previewed: Option<Preview>,
    pub(crate) progress: Progress,
}

/// What a tool is given besides its input: the agent's [`Cx`], and which call this is.
///
/// When the turn is cancelled the tool's future is dropped at its next wait.
pub struct ToolCx<A> {
    cx: Cx<A>,
    call: CallInfo,
}

impl<A> ToolCx<A> {
    pub(crate) fn new(cx: Cx<A>, call: CallInfo) -> Self {
        Self { cx, call }
    }

    /// The agent's context.
    pub fn cx(&self) -> &Cx<A> {
        &self.cx
    }

    /// The id of the call, as the model and the pages know it. It is the same when the call is run again after a crash, so it
    /// makes a good idempotency key together with the agent's name.
    pub fn call_id(&self) -> &str {
        &self.call.call
    }

    /// The turn this is part of.
    pub fn turn_id(&self) -> &str {
        &self.call.turn
    }

    /// Whether the call has been begun before, and a crash ended it. Only [`repeatable`](crate::Tool::repeatable) and
    /// [`resumable`](crate::Tool::resumable) tools see that.
    pub fn is_again(&self) -> bool {
        self.call.again
    }

    /// What was shown to whoever said yes to this call; nothing if nobody was asked, or the tool shows nothing.
    pub fn previewed(&self) -> Option<&Preview> {
        self.call.previewed.as_ref()
    }

    /// Refuses to go on if whoever said yes was shown something else than what `fingerprint` stands for. If nobody was asked,
    /// there is nothing to keep to.
    ///
    /// # Errors
    /// In words for the model, if something else was shown, or what it would do could not be shown.
    pub fn check_preview(&self, fingerprint: &str) -> Result<()> {
        self.call.previewed.as_ref().map_or(Ok(()), |shown| shown.check(fingerprint))
    }

    /// Shows people what there is so far: a preliminary output, which the next one and the result replace.
    ///
    /// # Errors
    /// `turn_cancelled`, or a storage code.
    pub fn progress(&self, output: &impl Serialize) -> Result<()> {
        (self.call.progress)(serde_json::to_value(output)?)
    }
}

impl<A> Clone for ToolCx<A> {
    fn clone(&self) -> Self {
        Self { cx: self.cx.clone(), call: self.call.clone() }
    }
}

impl<A> Deref for ToolCx<A> {
    type Target = Cx<A>;

    fn deref(&self) -> &Cx<A> {
        &self.cx
    }
}

impl<A> fmt::Debug for ToolCx<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolCx").field("call", &self.call.call).finish_non_exhaustive()
    }
}
