//! What a callable may answer with when one JSON value is not enough: text, pictures, sound, files.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The mark in a schema by which an answer is known to be a [`ToolOutput`].
pub(crate) const MARK: &str = "x-mcp-output";

/// An answer in MCP's own form. A callable that returns one decides itself what an MCP client is shown; to clients of the
/// Agents SDK it is an ordinary object.
///
/// ```
/// use hostel_mcp::{Content, ToolOutput};
///
/// let chart = ToolOutput::from(Content::image("aGVsbG8=", "image/png")).and(Content::text("Sales by month"));
/// assert_eq!(serde_json::to_value(&chart)?["content"][1]["text"], "Sales by month");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolOutput {
    /// What is shown, in order.
    pub content: Vec<Content>,
    /// The same for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub structured_content: Option<Value>,
    /// Whether the tool failed, and the content says how.
    #[serde(default)]
    pub is_error: bool,
}

/// One part of a [`ToolOutput`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    #[serde(rename_all = "camelCase")]
    Image {
        /// In base 64.
        data: String,
        /// E.g. `image/png`.
        mime_type: String,
    },
    /// Sound.
    #[serde(rename_all = "camelCase")]
    Audio {
        /// In base 64.
        data: String,
        /// E.g. `audio/wav`.
        mime_type: String,
    },
    /// A resource, with its content.
    Resource {
        /// `uri`, `mimeType`, and `text` or `blob`.
        resource: Value,
    },
    /// A resource to be read by its URI.
    ResourceLink {
        /// Where it is.
        uri: String,
        /// What it is called.
        name: String,
    },
    /// Something newer.
    #[serde(untagged)]
    Other(Value),
}

impl Content {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }

    /// A picture in base 64.
    pub fn image(data: impl Into<String>, mime_type: impl Into<String>) -> Self {
        Self::Image { data: data.into(), mime_type: mime_type.into() }
    }

    /// Sound in base 64.
    pub fn audio(data: impl Into<String>, mime_type: impl Into<String>) -> Self {
        Self::Audio { data: data.into(), mime_type: mime_type.into() }
    }

    /// A text file.
    pub fn resource(uri: &str, mime_type: &str, text: &str) -> Self {
        Self::Resource { resource: serde_json::json!({"uri": uri, "mimeType": mime_type, "text": text}) }
    }
}

impl ToolOutput {
    /// Adds a part.
    #[must_use]
    pub fn and(mut self, content: Content) -> Self {
        self.content.push(content);
        self
    }

    /// All text in it, a line each part.
    pub fn text(&self) -> String {
        text_of(&self.content)
    }
}

/// All text of these parts, a line each.
pub(crate) fn text_of(parts: &[Content]) -> String {
    let texts = parts.iter().filter_map(|part| match part {
        Content::Text { text } => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// One message of a prompt, for a `#[callable(prompt)]` that says by whom each is; it returns a list of them.
///
/// ```
/// use hostel_mcp::{Content, Saying};
///
/// let shown = Saying::assistant(Content::text("Which language?"));
/// assert_eq!(serde_json::to_value(&shown)?["role"], "assistant");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Saying {
    role: Role,
    #[schemars(with = "Value")]
    content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Role {
    User,
    Assistant,
}

impl Saying {
    /// Said by the user.
    pub fn user(content: Content) -> Self {
        Self { role: Role::User, content }
    }

    /// Said by the model.
    pub fn assistant(content: Content) -> Self {
        Self { role: Role::Assistant, content }
    }
}

impl From<Content> for ToolOutput {
    fn from(content: Content) -> Self {
        Self { content: vec![content], ..Self::default() }
    }
}

impl JsonSchema for ToolOutput {
    fn schema_name() -> Cow<'static, str> {
        "ToolOutput".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": {"content": {"type": "array"}, "structuredContent": {}, "isError": {"type": "boolean"}},
            "required": ["content", "isError"],
            (MARK): true
        })
    }
}
