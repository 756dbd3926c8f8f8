//! Other agents as tools: each run is an agent under this one, told what to do, and what it does is shown to the pages of
//! this one.
//!
//! A run is two things that find each other again after a crash: a turn of the agent below, which is durable like any other,
//! and a row of the agent above, which says how far it has been shown. What the one below could still take back is not
//! shown, so nothing is ever shown twice.

mod asked;
mod below;
mod door;
mod held;
mod rows;
mod show;
mod task;

use std::time::Duration;

use hostel::{Agent, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

pub use self::{
    asked::ApprovalBelow,
    rows::{AgentRun, AgentRunState},
    task::AgentTask,
};
pub(crate) use self::{
    asked::{DECIDE, decide, hand_down, waiting},
    below::{STOP, stop},
    door::{Knock, answer},
    show::{abandon, forget, replay, runs},
};
use crate::{
    agent::ChatAgent,
    tool::{Tool, ToolCx},
};

/// A tool of this kind has a limit of its own.
const NO_LIMIT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What the model tells an agent below.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Errand {
    /// What it is to do, with everything it has to know: it sees nothing else of this conversation.
    task: String,
}

impl<A: Send + Sync + 'static> Tool<A> {
    /// Another agent as a tool. Each call makes an agent of the class `B` under this one and tells it what the model says;
    /// its last answer is the tool's output. What it does meanwhile is shown to the pages of this agent
    /// (`useAgentToolEvents`), and pages can talk with it at `.../sub/{class}/{run}`.
    ///
    /// After a crash both go on where they were. Stopping the answer stops the agent below as well. The class has to be
    /// served: `App::sub_agent` or `App::agent`.
    ///
    /// ```
    /// use hostel::prelude::*;
    /// use hostel_chat::{ChatAgent, ChatSetup, Tool};
    ///
    /// # fn demo<Desk: ChatAgent, Researcher: ChatAgent>() -> ChatSetup<Desk> {
    /// ChatSetup::new().tool(Tool::agent::<Researcher>("research", "Finds out about one topic, and says what it found."))
    /// # }
    /// ```
    pub fn agent<B: ChatAgent>(name: impl Into<String>, description: impl Into<String>) -> Self {
        Self::agent_with::<B, Errand>(name, description, |errand| AgentTask::new(errand.task))
    }

    /// [`Tool::agent`] with an input of its own; `tell` says what the agent is told.
    pub fn agent_with<B: ChatAgent, T>(
        name: impl Into<String>,
        description: impl Into<String>,
        tell: impl Fn(T) -> AgentTask + Send + Sync + 'static,
    ) -> Self
    where
        T: Serialize + DeserializeOwned + JsonSchema + Send + 'static,
    {
        Self::of_class(B::CLASS.to_owned(), name, description, tell)
    }

    /// [`Tool::agent`] of a class given by its name, which has to be one that chats.
    pub fn agent_of(class: impl Into<String>, name: impl Into<String>, description: impl Into<String>) -> Self {
        Self::of_class::<Errand>(class.into(), name, description, |errand| AgentTask::new(errand.task))
    }

    fn of_class<T>(
        class: String,
        name: impl Into<String>,
        description: impl Into<String>,
        tell: impl Fn(T) -> AgentTask + Send + Sync + 'static,
    ) -> Self
    where
        T: Serialize + DeserializeOwned + JsonSchema + Send + 'static,
    {
        let run = move |cx: ToolCx<A>, input: T| {
            let (preview, class) = (serde_json::to_value(&input), class.clone());
            let task = tell(input);
            async move {
                let run = cx.run_agent_of(&class, task.shown_as(&preview?)).await?;
                Ok(run.into_output())
            }
        };
        Self::new(name, description, run).repeatable().timeout(NO_LIMIT)
    }
}

impl<A: Send + Sync + 'static> ToolCx<A> {
    /// Has an agent of the class `B` under this one do something, and waits for it; for tools that do more than that, or
    /// run several. The tool has to be [`repeatable`](Tool::repeatable): after a crash it is called again, and a run that is
    /// over by then is not done again.
    ///
    /// The agent is [`ToolCx::agent_name`], so it can be made ready before: `cx.sub_agent::<B>(&cx.agent_name(&task)?)`.
    ///
    /// # Errors
    /// `turn_cancelled`, `unknown_agent`, `queue_full` with too many runs at a time, or a storage code. What goes wrong with
    /// the run is in the [`AgentRun`].
    ///
    /// # Cancel safety
    /// Dropped because the answer was stopped, the agent below is stopped as well. Otherwise it goes on, and asking again
    /// goes on with it; when the answer ends without that, it is stopped.
    pub async fn run_agent<B: ChatAgent>(&self, task: AgentTask) -> Result<AgentRun> {
        self.run_agent_of(<B as Agent>::CLASS, task).await
    }

    /// [`ToolCx::run_agent`] of a class given by its name. It has to be one that chats.
    ///
    /// # Errors
    /// As there.
    pub async fn run_agent_of(&self, class: &str, task: AgentTask) -> Result<AgentRun> {
        below::run(self, class, task).await
    }

    /// The name of the agent that does this task: that of the run.
    ///
    /// # Errors
    /// A storage code.
    pub fn agent_name(&self, task: &AgentTask) -> Result<String> {
        below::run_id(self, task)
    }
}

impl AgentRun {
    /// What the model gets: what the agent said, or what went wrong, in the shape that pages of the Agents SDK know.
    pub fn into_output(self) -> Value {
        let status = match self.state {
            AgentRunState::Completed => return Value::String(self.summary.unwrap_or_default()),
            AgentRunState::Aborted => "aborted",
            AgentRunState::Running | AgentRunState::Error => "error",
        };
        let error = self.error.unwrap_or_else(|| "The agent did not come to an end.".to_owned());
        serde_json::json!({"ok": false, "status": status, "error": error, "retryable": false})
    }
}
