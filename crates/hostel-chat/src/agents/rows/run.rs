//! A run of an agent below, as it is told.

use hostel::Timestamp;
use serde::{Deserialize, Serialize};

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentRunState {
    /// It is under way, or waits for somebody.
    Running,
    /// The agent did what it was told.
    Completed,
    /// It failed.
    Error,
    /// It was stopped.
    Aborted,
}

impl AgentRunState {
    pub(super) const ALL: [Self; 4] = [Self::Running, Self::Completed, Self::Error, Self::Aborted];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Error => "error",
            Self::Aborted => "aborted",
        }
    }
}

/// A run of an agent below.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AgentRun {
    /// The run, which is also the name of its agent.
    pub run_id: String,
    /// The class of its agent.
    pub agent_type: String,
    /// The tool call it is for.
    pub tool_call_id: String,
    /// How it stands.
    pub state: AgentRunState,
    /// What the agent said in the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Why it came to no good end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it was begun.
    pub started_at: Timestamp,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}
