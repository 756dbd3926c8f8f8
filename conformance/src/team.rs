//! A chat agent with another below it, each with a model that follows a script.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use hostel::prelude::*;
use hostel_chat::{
    AgentTask, Chat, ChatAgent, ChatSetup, Tool, ToolCx,
    model::{Model, Scripted},
};
use serde_json::{Value, json};

use crate::text::json as answer;

const LEAD: &str = "\
on find *
  call research {\"task\": \"$1\"}
then
  say Found: $result
on *
  say You said: $text
";
const WORK: &str = "\
on slow *
  pace 60ms
  say I look for $1 now.
  call dig {}
then
  pace 60ms
  say Here is $1: $result
on *
  say It is $text.
";

type Script = LazyLock<Option<Arc<dyn Model>>>;

static LEADS: Script = Script::new(|| model(LEAD));
static WORKS: Script = Script::new(|| model(WORK));

fn model(script: &str) -> Option<Arc<dyn Model>> {
    Scripted::new(script).ok().map(|model| Arc::new(model) as Arc<dyn Model>)
}

fn with<A: Send + Sync + 'static>(script: &Script) -> ChatSetup<A> {
    script.iter().fold(ChatSetup::new(), |setup, model| setup.model(Arc::clone(model)))
}

/// Has another agent look for things.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TeamAgent {}

#[agent(extend = Chat)]
impl TeamAgent {}

impl ChatAgent for TeamAgent {
    fn chat(&self, _: &Cx<Self>) -> ChatSetup<Self> {
        let research = |cx: ToolCx<Self>, input: Value| async move {
            let task = AgentTask::new(input["task"].as_str().unwrap_or_default()).display("Worker");
            Ok(cx.run_agent::<WorkerAgent>(task.shown_as(&input)).await?.into_output())
        };
        let tool = Tool::untyped("research", "Looks for something.", json!({"type": "object"}), research);
        with(&LEADS).tool(tool.repeatable())
    }
}

/// Looks for things, and counts how often it dug.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct WorkerAgent {
    dug: u32,
}

#[agent(extend = Chat)]
impl WorkerAgent {
    fn on_request(&self) -> Result<Response> {
        answer(self)
    }
}

impl ChatAgent for WorkerAgent {
    fn chat(&self, _: &Cx<Self>) -> ChatSetup<Self> {
        let dig = |cx: ToolCx<Self>, _: Value| async move {
            cx.sleep(Duration::from_millis(600)).await;
            cx.update(|me| me.dug += 1)?;
            Ok(json!("gold"))
        };
        with(&WORKS).tool(Tool::untyped("dig", "Digs.", json!({"type": "object"}), dig).repeatable())
    }
}
