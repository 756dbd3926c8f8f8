//! What a model is asked.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Message;

/// One question to a model: the conversation so far, and how to answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// What stands above the conversation.
    pub system: Option<String>,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// What the model may call.
    pub tools: Vec<ToolSpec>,
    /// Whether it may, must or must not call.
    pub tool_choice: ToolChoice,
    /// How much chance there is in the answer.
    pub temperature: Option<f64>,
    /// How long the answer may be. Default: what the configuration says of the model.
    pub max_output_tokens: Option<u64>,
    /// How hard it thinks. Default: what the configuration or the provider says.
    pub reasoning: Option<Reasoning>,
    /// Texts at which the answer ends.
    pub stop: Vec<String>,
    /// Further fields of the provider's request, which win over ours.
    pub extra: Map<String, Value>,
}

impl Request {
    /// A question without tools.
    pub fn new(messages: Vec<Message>) -> Self {
        Self { messages, ..Self::default() }
    }

    /// With this above the conversation.
    #[must_use]
    pub fn with_system(mut self, text: impl Into<String>) -> Self {
        self.system = Some(text.into());
        self
    }

    /// With these tools.
    #[must_use]
    pub fn with_tools(mut self, tools: Vec<ToolSpec>) -> Self {
        self.tools = tools;
        self
    }
}

/// A tool as the model sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Its name: letters, digits, `_` and `-`, at most 64 of them; providers refuse others.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The JSON schema of its input: an object's.
    pub schema: Value,
}

impl ToolSpec {
    /// A tool.
    pub fn new(name: impl Into<String>, description: impl Into<String>, schema: Value) -> Self {
        Self { name: name.into(), description: description.into(), schema }
    }
}

/// Whether a model calls tools.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// It does not.
    None,
    /// It must call one.
    Required,
    /// It must call this one.
    Tool(String),
}

/// How hard a model thinks before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reasoning {
    /// Not at all, where that can be chosen.
    Off,
    /// A little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
}

impl Reasoning {
    /// As settings and providers write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}
