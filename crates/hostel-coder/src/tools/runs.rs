//! An autonomous run, for the model: what comes next, and that it is over.

use hostel::JsonSchema;
use hostel_chat::Tool;
use serde::Deserialize;
use serde_json::json;

use super::Call;
use crate::{CoderAgent, runs::drive};

#[derive(Deserialize, JsonSchema)]
struct Next {
    /// What you will do next, in a sentence.
    text: String,
}

#[derive(Deserialize, JsonSchema)]
struct Finish {
    /// Whether the goal is reached.
    reached: bool,
    /// What was done, or why it cannot be.
    reason: String,
}

/// Those of a run are there while one is on.
pub(super) fn tools(me: &CoderAgent) -> Vec<Tool<CoderAgent>> {
    if !me.is_on_a_run() {
        return Vec::new();
    }
    let about = "Says what comes next in the run, for people to see.";
    let next = Tool::new("next_step", about, |cx: Call, Next { text }: Next| async move {
        cx.try_update(|me| me.with_work(cx.cx(), |cx| drive::announce(cx, &text)))?;
        Ok(json!({"shown": true}))
    });
    let about = "Ends the autonomous run: its goal is reached, or cannot be.";
    let finish = Tool::new("finish_run", about, |cx: Call, Finish { reached, reason }: Finish| async move {
        let why = format!("{}: {reason}", if reached { "The goal is reached" } else { "It was given up" });
        cx.try_update(|me| me.with_work(cx.cx(), |cx| drive::end(cx, &why)))
    });
    vec![next.repeatable(), finish.repeatable()]
}
