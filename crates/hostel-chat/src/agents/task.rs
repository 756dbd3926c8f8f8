//! What an agent below is told, and how pages show it.

use std::time::Duration;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// How long a run may take if nobody says.
const LIMIT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How much of its input pages are shown, in characters.
const PREVIEW: usize = 500;

/// What an agent below is told, and how pages show it.
///
/// ```
/// use hostel_chat::AgentTask;
///
/// let task = AgentTask::new("Read the report and say what it costs.").display("Reader");
/// # let _ = task;
/// ```
#[derive(Debug, Clone)]
pub struct AgentTask {
    pub(super) text: String,
    pub(super) name: Option<String>,
    pub(super) key: Option<String>,
    pub(super) order: u32,
    pub(super) preview: Option<String>,
    pub(super) display: Option<Value>,
    pub(super) limit: Duration,
    pub(super) body: Map<String, Value>,
}

impl AgentTask {
    /// What it is told.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            name: None,
            key: None,
            order: 0,
            preview: None,
            display: None,
            limit: LIMIT,
            body: Map::new(),
        }
    }

    /// Tells it apart from the other runs of the same call; pages show them by `order`.
    #[must_use]
    pub fn key(self, key: impl Into<String>, order: u32) -> Self {
        Self { key: Some(key.into()), order, ..self }
    }

    /// What its agent is called in addresses, `.../sub/{class}/{name}`; another with the same name has a sign behind it. Each run has
    /// an agent of its own.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// What pages call it.
    #[must_use]
    pub fn display(self, name: impl Into<String>) -> Self {
        self.display_as(json!({"name": name.into()}))
    }

    /// What pages are handed to show it: an object, with `name` and `icon` if they are to understand it.
    #[must_use]
    pub fn display_as(self, display: Value) -> Self {
        Self { display: Some(display), ..self }
    }

    /// What pages see of its input; without this, what it is told.
    #[must_use]
    pub fn shown_as(self, input: &Value) -> Self {
        let text = input.as_str().map_or_else(|| input.to_string(), str::to_owned);
        Self { preview: Some(short(&text)), ..self }
    }

    /// How long it may take; a week without. It is stopped then.
    #[must_use]
    pub fn limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// What else the agent is handed: [`ChatTurn::body`](crate::ChatTurn::body) of its turn.
    #[must_use]
    pub fn body(self, body: Map<String, Value>) -> Self {
        Self { body, ..self }
    }

    pub(super) fn run_id(&self, call: &str) -> String {
        match (&self.name, &self.key) {
            (Some(name), Some(key)) => format!("{name}:{key}"),
            (Some(name), None) => name.clone(),
            (None, Some(key)) => format!("agent-tool:{call}:{key}"),
            (None, None) => format!("agent-tool:{call}"),
        }
    }

    /// The run where another has that id.
    pub(super) fn another_run_id(&self, id: &str, turn: &str, call: &str) -> String {
        match &self.name {
            None => format!("{id}:{turn}"),
            Some(_) => {
                let hash = Sha256::new().chain_update(turn).chain_update([0]).chain_update(call).finalize();
                format!("{id}-{}", data_encoding::HEXLOWER.encode(&hash[..4]))
            }
        }
    }

    pub(super) fn preview(&self) -> String {
        self.preview.clone().unwrap_or_else(|| short(&self.text))
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(PREVIEW) {
        None => text.to_owned(),
        Some(_) => text.chars().take(PREVIEW - 3).chain("...".chars()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_see_the_beginning_of_a_long_input() {
        let task = AgentTask::new("x").shown_as(&json!({"text": "ä".repeat(600)}));
        assert_eq!(task.preview().chars().count(), PREVIEW);
        assert!(task.preview().ends_with("ä..."));
        assert_eq!(AgentTask::new("hello").preview(), "hello");
        assert_eq!(AgentTask::new("x").shown_as(&json!({"a": 1})).preview(), r#"{"a":1}"#);
    }

    #[test]
    fn runs_of_one_call_have_names_of_their_own() {
        let task = AgentTask::new("x");
        assert_eq!(task.run_id("c1"), "agent-tool:c1");
        assert_eq!(task.another_run_id("agent-tool:c1", "t2", "c1"), "agent-tool:c1:t2");
        assert_eq!(task.key("tests", 1).run_id("c1"), "agent-tool:c1:tests");
        let named = AgentTask::new("x").named("left");
        assert_eq!(named.run_id("c1"), "left");
        let others = ["c1", "c2"].map(|call| named.another_run_id("left", "t2", call));
        assert!(others[0] != others[1] && others.iter().all(|other| other.starts_with("left-")), "{others:?}");
    }
}
