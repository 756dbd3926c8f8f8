//! The agent class: its state and its methods.

use hostel::{Cx, JsonSchema, Result, agent};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::{ContextChange, ProjectContext};

/// The coding agent. Clients see its project context as the state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct CoderAgent {
    context: ProjectContext,
}

/// What `setProjectContext` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContextSet {
    /// Always true: a failure is an error of the call.
    pub success: bool,
    /// The context as it is now.
    pub context: ProjectContext,
}

/// A coding agent that keeps the context of a project.
#[agent]
impl CoderAgent {
    /// Changes the given fields of the project context. Fields that are left out stay, `null` clears one.
    #[callable]
    fn set_project_context(&mut self, context: ContextChange) -> ContextSet {
        self.context.apply(context);
        ContextSet { success: true, context: self.context.clone() }
    }

    /// The project context.
    #[callable]
    fn get_project_context(&self) -> ProjectContext {
        self.context.clone()
    }

    /// The stored chat messages, oldest first.
    #[callable]
    fn get_messages(&self, cx: &Cx<Self>) -> Result<Vec<Value>> {
        let there = cx.sql("select 1 from sqlite_master where type = 'table' and name = ?", (MESSAGES,))?;
        if there.is_empty() {
            return Ok(Vec::new());
        }
        // Old tables keep whole seconds; the order of insertion decides between equals.
        let rows = cx.sql(&format!("select message from {MESSAGES} order by created_at, rowid"), ())?;
        let texts = rows.iter().map(|row| row.get::<String>("message"));
        texts.map(|text| Ok(serde_json::from_str(&text?)?)).collect()
    }
}

/// The table of the chat, under the name it has in the Agents SDK.
const MESSAGES: &str = "cf_ai_chat_agent_messages";
