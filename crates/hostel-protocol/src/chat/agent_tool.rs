//! The frame that shows what an agent does which another one runs as a tool (agents-protocol, 7.2).

use serde::Serialize;
use serde_json::Value;

/// A frame `agent-tool-event`. Every connection of the agent that runs the tool gets it.
///
/// ```
/// use hostel_protocol::chat::{AgentToolEvent, AgentToolFrame};
///
/// let event = AgentToolEvent::Finished { run_id: "r1", summary: "done" };
/// assert_eq!(
///     AgentToolFrame::new(Some("call-1"), 3, event).to_json(),
///     r#"{"type":"agent-tool-event","parentToolCallId":"call-1","sequence":3,"event":{"kind":"finished","runId":"r1","summary":"done"}}"#,
/// );
/// ```
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "type", rename = "agent-tool-event", rename_all = "camelCase")]
pub struct AgentToolFrame<'a> {
    /// The tool call that the run is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_tool_call_id: Option<&'a str>,
    /// Its place among the events of the run.
    pub sequence: u64,
    /// What has happened.
    pub event: AgentToolEvent<'a>,
    /// Whether it was sent before, to others or on another connection.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replay: bool,
}

/// What has happened in a run.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum AgentToolEvent<'a> {
    /// It was begun.
    Started {
        /// The run, which is also the name of the agent under this one.
        run_id: &'a str,
        /// The agent's class.
        agent_type: &'a str,
        /// What it was begun with, shortened.
        #[serde(skip_serializing_if = "Option::is_none")]
        input_preview: Option<&'a str>,
        /// Its place among the runs of the same call.
        order: u32,
        /// How pages show it.
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<&'a Value>,
    },
    /// The agent said something.
    Chunk {
        /// The run.
        run_id: &'a str,
        /// The chunk, as JSON.
        body: &'a str,
    },
    /// It did what it was told.
    Finished {
        /// The run.
        run_id: &'a str,
        /// What came of it.
        summary: &'a str,
    },
    /// It failed.
    Error {
        /// The run.
        run_id: &'a str,
        /// Why.
        error: &'a str,
    },
    /// It was stopped.
    Aborted {
        /// The run.
        run_id: &'a str,
        /// Why.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
    },
}

impl<'a> AgentToolFrame<'a> {
    /// An event as it happens.
    #[must_use]
    pub fn new(call: Option<&'a str>, sequence: u64, event: AgentToolEvent<'a>) -> Self {
        Self { parent_tool_call_id: call, sequence, event, replay: false }
    }

    /// The same, for somebody who came later.
    #[must_use]
    pub fn again(self) -> Self {
        Self { replay: true, ..self }
    }

    /// The frame as text.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Texts, numbers and JSON values: nothing in it can fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Recorded from the reference server.
    #[test]
    fn frames_are_those_of_the_reference_server() {
        let display = json!({"name": "Tool child"});
        let started = AgentToolEvent::Started {
            run_id: "ESRCQb3kiaiz",
            agent_type: "ToolChild",
            input_preview: Some("{\"text\":\"tool run\"}"),
            order: 0,
            display: Some(&display),
        };
        let chunk = AgentToolEvent::Chunk { run_id: "ESRCQb3kiaiz", body: "{\"type\":\"start\"}" };
        for (frame, expect) in [
            (
                AgentToolFrame::new(Some("ptc-1"), 0, started),
                r#"{"type":"agent-tool-event","parentToolCallId":"ptc-1","sequence":0,"event":{"kind":"started","runId":"ESRCQb3kiaiz","agentType":"ToolChild","inputPreview":"{\"text\":\"tool run\"}","order":0,"display":{"name":"Tool child"}}}"#,
            ),
            (
                AgentToolFrame::new(None, 1, chunk).again(),
                r#"{"type":"agent-tool-event","sequence":1,"event":{"kind":"chunk","runId":"ESRCQb3kiaiz","body":"{\"type\":\"start\"}"},"replay":true}"#,
            ),
        ] {
            assert_eq!(frame.to_json(), expect);
        }
    }
}
