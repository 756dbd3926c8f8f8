//! Asking somebody: what the rules say of a call, what it would do, and the question.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{
    FutureExt,
    future::{Either, select},
};
use hostel::Result;
use hostel::protocol::chat::{Chunk, UiMessage};

use super::{Job, state_of, work::failure};
use crate::{
    approval::{Always, Approval, Question, Ruling},
    engine::{Engine, scribe::Call},
    tool::{Bound, CallInfo, Preview},
};

/// How long a tool may take to find out what it would do.
const PATIENCE: Duration = Duration::from_secs(20);
const DENIED: &str = "Somebody said no, so it was not run.";

impl Engine {
    /// Does with a call what the rules say; `true` if somebody is asked.
    pub(super) async fn ruled(
        &self,
        tool: &Bound,
        call: &Call,
        message: &UiMessage,
        jobs: &mut Vec<Job>,
    ) -> Result<bool> {
        match self.desk.rule(self.turn.id(), tool, call)? {
            Ruling::Run => jobs.push(Job { call: call.clone(), approval: None }),
            Ruling::Refuse(why) => self.turn.emit(vec![Chunk::tool_output_error(&call.id, &why)])?,
            Ruling::Ask => {
                self.ask(tool, call, message).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn ask(&self, tool: &Bound, call: &Call, message: &UiMessage) -> Result<()> {
        let preview = self.preview(tool, call).await;
        let preview = preview.as_ref();
        let approval = self.desk.ask(Question { turn: self.turn.id(), message, call, tool, preview })?;
        self.turn.emit(question(&approval))
    }

    /// What the call would do. Nobody is kept from asking by a preview that fails.
    async fn preview(&self, tool: &Bound, call: &Call) -> Option<Preview> {
        let shown = self.shown(tool, call).await;
        let with = |shown: Option<Preview>| shown.unwrap_or_default();
        match self.desk.always(self.turn.id(), tool, call) {
            Always::Tool => shown,
            Always::This(what) => Some(with(shown).with_always(what).bounded()),
            Always::Never => Some(with(shown).asked_each_time()),
        }
    }

    async fn shown(&self, tool: &Bound, call: &Call) -> Option<Preview> {
        let (shows, input) = (tool.shows.clone()?, call.input.clone());
        let info = CallInfo { progress: Arc::new(|_| Ok(())), ..self.info(&call.id, false, None) };
        let work = AssertUnwindSafe(async move { shows(info, input).await }).catch_unwind();
        let work = std::pin::pin!(work);
        let shown = match select(work, self.turn.sleep(PATIENCE)).await {
            Either::Left((Ok(Ok(preview)), _)) => preview,
            Either::Left((Ok(Err(error)), _)) => Preview::failure(failure(&error)),
            Either::Left((Err(_panic), _)) => Preview::failure("that is a fault in the tool."),
            Either::Right(_) => Preview::failure("it took too long to find out."),
        };
        Some(shown.bounded())
    }
}

/// A question as clients see it: what would be done, then whether it may.
pub(super) fn question(approval: &Approval) -> Vec<Chunk> {
    let call = approval.tool_call_id.as_str();
    let preview = approval.preview.as_ref();
    let shown = preview.map(|preview| Chunk::data("preview", preview.data(call)).with("id", call));
    shown.into_iter().chain([Chunk::tool_approval_request(&approval.id, call)]).collect()
}

/// Tells clients of a no. A message that says it was answered takes only a result any more.
pub(super) fn denial(message: &UiMessage, approval: &Approval) -> Chunk {
    let call = approval.tool_call_id.as_str();
    match state_of(message, call) {
        Some("approval-responded") => Chunk::tool_output_error(call, approval.reason.as_deref().unwrap_or(DENIED)),
        _ => Chunk::tool_output_denied(call),
    }
}
