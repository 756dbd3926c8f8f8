//! A message of a conversation, with everything in it that we do not know.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::fault::ChatFault;
use super::read;

/// Who speaks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Role {
    /// A person.
    User,
    /// The agent.
    Assistant,
    /// Instructions.
    System,
    /// A role of another time or application, kept as it came.
    Other(String),
}

impl Role {
    /// The role as it stands on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::System => "system",
            Self::Other(name) => name,
        }
    }
}

impl From<&str> for Role {
    fn from(name: &str) -> Self {
        match name {
            "user" => Self::User,
            "assistant" => Self::Assistant,
            "system" => Self::System,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One message. Parts and keys that we do not know stay as they are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UiMessage {
    /// Unique in the conversation.
    pub id: String,
    /// Who speaks.
    pub role: Role,
    /// What an application attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// Text, reasoning, tool calls, files, … in order.
    pub parts: Vec<Value>,
    /// Every other key.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl UiMessage {
    /// A message without parts.
    #[must_use]
    pub fn new(id: impl Into<String>, role: Role) -> Self {
        Self { id: id.into(), role, metadata: None, parts: Vec::new(), rest: Map::new() }
    }

    /// What a person said.
    #[must_use]
    pub fn user(id: impl Into<String>, text: impl Into<String>) -> Self {
        let mut message = Self::new(id, Role::User);
        message.parts.push(json!({"type": "text", "text": text.into()}));
        message
    }

    /// Reads a message of any generation; one of the time before parts is converted.
    ///
    /// # Errors
    ///
    /// When the text is not JSON, or not a message.
    pub fn parse(text: &str) -> Result<Self, ChatFault> {
        Self::from_value(read::json(text).map_err(|fault| ChatFault::new(fault.to_string()))?)
    }

    /// [`UiMessage::parse`] of a value.
    ///
    /// # Errors
    ///
    /// When the value is not a message.
    pub fn from_value(value: Value) -> Result<Self, ChatFault> {
        let Value::Object(mut rest) = value else {
            return Err(ChatFault::new("A message of a conversation must be a JSON object."));
        };
        let id = read::take_text(&mut rest, "id").ok_or_else(|| lacks("id", "a string"))?;
        let role = read::take_text(&mut rest, "role").ok_or_else(|| lacks("role", "a string"))?;
        let parts = match rest.shift_remove("parts") {
            Some(Value::Array(parts)) => Some(parts),
            None | Some(Value::Null) => None,
            Some(_) => return Err(lacks("parts", "an array")),
        };
        let metadata = rest.shift_remove("metadata");
        let mut message = Self { id, role: Role::from(role.as_str()), metadata, parts: Vec::new(), rest };
        super::v4::upgrade(&mut message, parts)?;
        Ok(message)
    }

    /// The message as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Its texts, joined.
    #[must_use]
    pub fn text(&self) -> String {
        let texts = self.parts.iter().filter(|part| part["type"] == "text");
        texts.filter_map(|part| part["text"].as_str()).collect()
    }
}

fn lacks(field: &str, wanted: &str) -> ChatFault {
    ChatFault::new(format!("`{field}` of a message of a conversation must be {wanted}."))
}
