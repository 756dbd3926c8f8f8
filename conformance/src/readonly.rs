//! An agent whose connections choose their own flags, in their query.

use hostel::prelude::*;
use serde_json::Value;

/// Read-only connections, connections without protocol frames, tags, and hooks that fail or close.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ROAgent {
    v: Value,
}

impl Default for ROAgent {
    fn default() -> Self {
        Self { v: 1.into() }
    }
}

#[agent]
impl ROAgent {
    fn should_connection_be_readonly(&self, _: &Connection, request: &ConnectRequest) -> bool {
        request.query("ro").as_deref() == Some("1")
    }

    fn should_send_protocol_messages(&self, _: &Connection, request: &ConnectRequest) -> bool {
        request.query("proto").as_deref() != Some("0")
    }

    fn get_connection_tags(&self, request: &ConnectRequest) -> Vec<String> {
        let tags = request.query("tags");
        tags.map(|tags| tags.split(',').map(str::to_owned).collect()).unwrap_or_default()
    }

    fn on_connect(&self, connection: &Connection, request: &ConnectRequest) -> Result<()> {
        if request.query("throw").as_deref() == Some("1") {
            return Err(Error::msg("connect boom"));
        }
        if let Some(code) = request.query("kick") {
            connection.close(code.parse()?, "kicked")?;
        }
        if request.query("hello").is_some() {
            connection.send("hello");
        }
        Ok(())
    }

    #[callable]
    fn set_it(&mut self, v: Value) -> &'static str {
        self.v = v;
        "set"
    }

    #[callable]
    fn get_it(&self) -> Self {
        self.clone()
    }
}
