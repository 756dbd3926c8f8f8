//! A notebook that other programs use over MCP, and an assistant that uses it the same way. Run with
//! `cargo run -p hostel --features mcp --example mcp`, then point an MCP client at
//! `http://127.0.0.1:8787/agents/notebook/team/mcp`, or have the assistant look:
//!
//! ```text
//! hostel call assistant ada useNotebook
//! hostel call assistant ada note '["buy milk"]'
//! ```
//!
//! A server that asks for a sign-in is shown as `authenticating` with the link to open: `hostel call assistant ada servers`.

use hostel::{
    mcp::{McpClient as _, McpSettings, Reach, Server, ServerState},
    prelude::*,
};

/// Notes that a team keeps.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Notebook {
    notes: Vec<String>,
}

/// Notes that a team keeps.
#[agent]
impl Notebook {
    /// Adds a note, and tells how many there are.
    #[callable]
    fn add(&mut self, text: String) -> usize {
        self.notes.push(text);
        self.notes.len()
    }
}

/// Uses the notebook as it would use any MCP server.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Assistant {}

#[agent]
impl Assistant {
    #[callable]
    fn use_notebook(&mut self, cx: &Cx<Self>) -> Result<String> {
        let server = Server::http("http://127.0.0.1:8787/agents/notebook/team/mcp");
        Ok(cx.mcp().add("notebook", server)?.to_string())
    }

    #[callable]
    async fn note(cx: &Cx<Self>, text: String) -> Result<String> {
        let tools = cx.mcp().tools().await?;
        let tool = tools.iter().find(|tool| tool.name == "add");
        let tool = tool.ok_or_else(|| Error::msg("No server has a tool `add`.").with_fix("call useNotebook first"))?;
        let said = cx.mcp().call(&tool.server, &tool.name, serde_json::json!({"text": text})).await?;
        Ok(format!("note {}", said.text()))
    }

    /// The servers, how they stand, and where to sign in.
    #[callable]
    fn servers(&self, cx: &Cx<Self>) -> Result<Vec<(String, ServerState, Option<String>)>> {
        Ok(cx.mcp().list()?.into_iter().map(|one| (one.name, one.state, one.auth_url)).collect())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    // The notebook is on this machine, where agents may not go unless it is listed.
    let reach = Reach::public().allow("127.0.0.1:8787").map_err(|error| Error::msg(error.to_string()))?;
    let settings = McpSettings { reach, ..McpSettings::default() };
    let app = App::new().agent::<Notebook>().agent::<Assistant>().mcp_server::<Notebook>().mcp(settings);
    Ok(app.serve("127.0.0.1:8787").await?)
}
