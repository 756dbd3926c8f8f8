//! The tools that the MCP conformance suite calls, as far as callables express them.

use std::time::Duration;

use hostel::{
    mcp::{Content, ToolOutput},
    prelude::*,
};

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
}
