//! The plan, for the model.

use hostel_chat::Tool;
use serde_json::json;

use super::Call;
use crate::{CoderAgent, Plan, work::plan};

const ABOUT: &str = "Keeps the plan of what you are doing, for people to see: all steps each time, each with its status \
(pending, in_progress, completed), one in_progress at most. Use it for work of several steps; no steps take the plan away.";

pub(super) fn tools() -> Vec<Tool<CoderAgent>> {
    let update = Tool::new("update_plan", ABOUT, |cx: Call, plan: Plan| async move {
        cx.try_update(|me| me.with_work(cx.cx(), |cx| plan::set(cx, plan)))?;
        Ok(json!({"kept": true}))
    });
    vec![update.repeatable()]
}
