//! An agent that uses MCP servers its clients name, so that they are told of them.

use hostel::{
    mcp::{McpClient as _, McpSettings, Reach, Server, ServerId},
    prelude::*,
};

/// Uses MCP servers.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ToolsAgent {}

#[agent]
impl ToolsAgent {
    /// Registers the server at `url`.
    #[callable]
    fn use_tools(&mut self, cx: &Cx<Self>, url: String) -> Result<ServerId> {
        cx.mcp().add("own", Server::http(url))
    }

    /// Takes all servers away.
    #[callable]
    fn use_none(&mut self, cx: &Cx<Self>) -> Result<()> {
        let servers = cx.mcp().list()?;
        servers.iter().try_for_each(|server| cx.mcp().remove(&server.id).map(drop))
    }
}

/// Servers on this machine may be used.
pub(crate) fn settings() -> McpSettings {
    let reach = Reach::public().allow("127.0.0.0/8").unwrap_or_else(|_| Reach::public());
    McpSettings { reach, ..McpSettings::default() }
}
