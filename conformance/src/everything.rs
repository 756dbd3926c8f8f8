//! The tools that the MCP conformance suite calls, as far as callables express them.

use std::time::Duration;

use hostel::{
    mcp::{Content, Elicited, LogLevel, McpCaller, McpServed as _, ToolOutput},
    prelude::*,
};
use serde_json::{Value, json};

/// A red pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/// An empty recording.
const WAV: &str = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=";

/// Everything an MCP client may want to try.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct EverythingAgent {
    calls: u64,
}

/// Where somebody lives.
#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "hostel::schemars", rename = "address")]
struct Address {
    #[serde(rename = "street")]
    _street: Option<String>,
    #[serde(rename = "city")]
    _city: Option<String>,
}

#[agent]
impl EverythingAgent {
    /// Answers with a text.
    #[callable(name = "test_simple_text")]
    fn simple_text(&self) -> &str {
        "This is a simple text response for testing."
    }

    /// Counts, and so changes the state.
    #[callable(name = "test_count")]
    fn count(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    /// Answers with a picture.
    #[callable(name = "test_image_content")]
    fn image(&self) -> ToolOutput {
        Content::image(PNG, "image/png").into()
    }

    /// Answers with sound.
    #[callable(name = "test_audio_content")]
    fn audio(&self) -> ToolOutput {
        Content::audio(WAV, "audio/wav").into()
    }

    /// Answers with a file.
    #[callable(name = "test_embedded_resource")]
    fn embedded(&self) -> ToolOutput {
        Content::resource("test://embedded-resource", "text/plain", "This is an embedded resource content.").into()
    }

    /// Answers with several things at once.
    #[callable(name = "test_multiple_content_types")]
    fn mixed(&self) -> ToolOutput {
        ToolOutput::from(Content::text("Multiple content types test:")).and(Content::image(PNG, "image/png")).and(
            Content::resource("test://mixed-content-resource", "application/json", "{\"test\":\"data\",\"value\":123}"),
        )
    }

    /// Fails.
    #[callable(name = "test_error_handling")]
    fn fails(&self) -> Result<()> {
        Err(Error::msg("This tool intentionally returns an error for testing"))
    }

    /// Reports its progress.
    #[callable(name = "test_tool_with_progress", streaming)]
    async fn progress(cx: &Cx<Self>, stream: Stream<u32>) -> Result<()> {
        for step in [0, 50, 100] {
            stream.send(&step)?;
            cx.sleep(Duration::from_millis(50)).await;
        }
        stream.end_with("done")
    }

    /// Takes an argument with definitions of its own.
    #[callable(name = "json_schema_2020_12_tool")]
    fn schema(&self, _name: String, _address: Address) -> &str {
        "taken"
    }

    /// Says in its log what it does.
    #[callable(name = "test_tool_with_logging")]
    async fn logging(cx: &Cx<Self>) -> Result<&'static str> {
        for said in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
            if let Some(caller) = cx.mcp_caller() {
                caller.log(LogLevel::Info, said)?;
            }
            cx.sleep(Duration::from_millis(50)).await;
        }
        Ok("logged")
    }

    /// Asks the caller's model.
    #[callable(name = "test_sampling")]
    async fn sampling(cx: &Cx<Self>, prompt: String) -> Result<String> {
        let said = caller(cx)?.sample(&prompt, 100).await?;
        Ok(format!("LLM response: {}", said.text()))
    }

    /// Asks the caller's person.
    #[callable(name = "test_elicitation")]
    async fn elicitation(cx: &Cx<Self>, message: String) -> Result<String> {
        let form = json!({
            "type": "object",
            "properties": {
                "username": {"type": "string", "description": "User's response"},
                "email": {"type": "string", "description": "User's email address"},
            },
            "required": ["username", "email"],
        });
        asked(cx, &message, form).await
    }

    /// Asks with a form that is filled in already.
    #[callable(name = "test_elicitation_sep1034_defaults")]
    async fn defaults(cx: &Cx<Self>) -> Result<String> {
        let form = json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "default": "John Doe"},
                "age": {"type": "integer", "default": 30},
                "score": {"type": "number", "default": 95.5},
                "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
                "verified": {"type": "boolean", "default": true},
            },
        });
        asked(cx, "Is this right?", form).await
    }

    /// Asks with every kind of choice.
    #[callable(name = "test_elicitation_sep1330_enums")]
    async fn choices(cx: &Cx<Self>) -> Result<String> {
        let titled = |names: [&str; 3]| -> Vec<Value> {
            let of = |(index, name): (usize, &str)| json!({"const": format!("value{}", index + 1), "title": name});
            names.into_iter().enumerate().map(of).collect()
        };
        let form = json!({
            "type": "object",
            "properties": {
                "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
                "titledSingle": {"type": "string", "oneOf": titled(["First Option", "Second Option", "Third Option"])},
                "legacyEnum": {
                    "type": "string",
                    "enum": ["opt1", "opt2", "opt3"],
                    "enumNames": ["Option One", "Option Two", "Option Three"],
                },
                "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
                "titledMulti": {
                    "type": "array",
                    "items": {"anyOf": titled(["First Choice", "Second Choice", "Third Choice"])},
                },
            },
        });
        asked(cx, "Which?", form).await
    }

    /// A text that stays.
    #[callable(name = "static_text", resource = "test://static-text")]
    fn static_text(&self) -> &str {
        "This is the content of the static text resource."
    }

    /// A picture that stays.
    #[callable(name = "static_binary", resource = "test://static-binary", mime = "image/png")]
    fn static_binary(&self) -> ToolOutput {
        Content::image(PNG, "image/png").into()
    }

    /// What is known under an id.
    #[callable(name = "template", resource = "test://template/{id}/data")]
    fn template(&self, id: &str) -> Value {
        json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")})
    }

    /// What changes with each call.
    #[callable(name = "watched", resource = "test://watched-resource")]
    fn watched(&self) -> String {
        self.calls.to_string()
    }

    /// A simple prompt.
    #[callable(name = "test_simple_prompt", prompt)]
    fn simple_prompt(&self) -> &str {
        "This is a simple prompt for testing."
    }

    /// A prompt with two arguments.
    #[callable(name = "test_prompt_with_arguments", prompt)]
    fn prompt_with_arguments(&self, arg1: &str, arg2: &str) -> String {
        format!("Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")
    }

    /// A prompt with a file in it.
    #[callable(name = "test_prompt_with_embedded_resource", prompt)]
    fn prompt_with_resource(&self, resource_uri: &str) -> ToolOutput {
        let file = Content::resource(resource_uri, "text/plain", "Embedded resource content for testing.");
        ToolOutput::from(file).and(Content::text("Please process the embedded resource above."))
    }

    /// A prompt with a picture in it.
    #[callable(name = "test_prompt_with_image", prompt)]
    fn prompt_with_image(&self) -> ToolOutput {
        ToolOutput::from(Content::image(PNG, "image/png")).and(Content::text("Please analyze the image above."))
    }
}

fn caller(cx: &Cx<EverythingAgent>) -> Result<McpCaller> {
    cx.mcp_caller().ok_or_else(|| Error::msg("This asks whoever calls over MCP."))
}

async fn asked(cx: &Cx<EverythingAgent>, message: &str, form: Value) -> Result<String> {
    let said = match caller(cx)?.elicit(message, form).await? {
        Elicited::Accepted(content) => format!("action=accept, content={content}"),
        Elicited::Declined => "action=decline".to_owned(),
        Elicited::Cancelled => "action=cancel".to_owned(),
    };
    Ok(format!("Elicitation completed: {said}"))
}
