//! What a conversation is made of, as a model sees it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Message {
    /// From the user.
    User(Vec<Content>),
    /// From the model.
    Assistant(Vec<Piece>),
    /// What the tools answered that the message before called.
    Tool(Vec<ToolOutput>),
}

impl Message {
    /// A text from the user.
    pub fn user(text: impl Into<String>) -> Self {
        Self::User(vec![Content::Text(text.into())])
    }

    /// A text from the model.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::Assistant(vec![Piece::Text(text.into())])
    }

    /// What one tool answered.
    pub fn tool(call_id: impl Into<String>, name: impl Into<String>, output: impl Into<String>) -> Self {
        let (call_id, name, output) = (call_id.into(), name.into(), output.into());
        Self::Tool(vec![ToolOutput { call_id, name, output, is_error: false }])
    }
}

/// A piece of what the user says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// Words.
    Text(String),
    /// A picture.
    Image {
        /// Such as `image/png`.
        media_type: String,
        /// The picture itself, or where it is.
        data: Data,
    },
    /// Another file.
    File {
        /// Such as `application/pdf`.
        media_type: String,
        /// What it is called.
        name: Option<String>,
        /// The file itself, or where it is.
        data: Data,
    },
}

/// Bytes, or where they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Data {
    /// In base64.
    Base64(String),
    /// At an address the provider fetches them from.
    Url(String),
}

impl Data {
    /// From an address; one with `data:` in front holds the bytes itself.
    ///
    /// ```
    /// use hostel_model::Data;
    ///
    /// assert_eq!(Data::from_url("data:image/png;base64,AAAA"), Data::Base64("AAAA".into()));
    /// assert_eq!(Data::from_url("https://a.example/b.png"), Data::Url("https://a.example/b.png".into()));
    /// ```
    pub fn from_url(url: impl Into<String>) -> Self {
        let url = url.into();
        let inside = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
        match inside {
            Some((_, bytes)) => Self::Base64(bytes.to_owned()),
            None => Self::Url(url),
        }
    }

    /// As an address.
    pub fn to_url(&self, media_type: &str) -> String {
        match self {
            Self::Base64(bytes) => format!("data:{media_type};base64,{bytes}"),
            Self::Url(url) => url.clone(),
        }
    }
}

/// A piece of what the model said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Piece {
    /// Words.
    Text(String),
    /// What it thought.
    Reasoning {
        /// In words; may be empty.
        text: String,
        /// What [`Event::ReasoningEnd`](crate::Event::ReasoningEnd) had: give it back as it was, or some providers refuse
        /// the conversation.
        signature: Option<String>,
    },
    /// A call of a tool.
    ToolCall {
        /// Which call.
        id: String,
        /// Of which tool.
        name: String,
        /// With what.
        input: Value,
        /// What [`Event::ToolCall`](crate::Event::ToolCall) had: give it back as it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
}

/// What a tool answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolOutput {
    /// Which call this answers.
    pub call_id: String,
    /// Of which tool.
    pub name: String,
    /// The answer, as text; often JSON.
    pub output: String,
    /// Whether it failed.
    #[serde(default)]
    pub is_error: bool,
}
