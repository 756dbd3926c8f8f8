//! MCP servers of the project, for the model and by hand.

use hostel::{
    Cx, JsonSchema, Result,
    mcp::{McpClient as _, McpTool, ServerState, ServerStatus},
};
use hostel_chat::{Preview, Tool};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Call;
use crate::{
    CoderAgent,
    project_mcp::{self, AllowMcp, Entry, FILE},
    workspaces::Workspaces,
};

/// The tool that nobody's rules allow: each entry has a yes of its own.
pub(crate) const USE: &str = "use_project_mcp";

const LOOK: &str = "Lists the MCP servers that the project names in .mcp.json, and how each stands.";
const ABOUT: &str = "Begins to use an MCP server that the project names in .mcp.json. Somebody has to say yes to its entry as it is. \
Its tools, named mcp__SERVER__TOOL, are there from the next message on; each asks first.";

#[derive(Deserialize, JsonSchema)]
struct Which {
    /// What the project calls it.
    server: String,
}

/// Nothing where the application uses no MCP servers.
pub(super) fn tools(cx: &Cx<CoderAgent>) -> Vec<Tool<CoderAgent>> {
    if !cx.mcp().is_on() {
        return Vec::new();
    }
    let look = Tool::new("list_project_mcp", LOOK, |cx: Call, (): ()| async move { project_mcp::view(&cx).await });
    let tool = Tool::new(USE, ABOUT, |cx: Call, Which { server }: Which| async move { used(&cx, server).await });
    let tool = tool.preview(|cx: Call, Which { server }: Which| async move { shown(&cx, &server).await });
    vec![look.repeatable(), tool.ask().repeatable()]
}

async fn shown(cx: &Call, server: &str) -> Result<Preview> {
    let (entry, hash) = project_mcp::entry(cx, server).await?;
    let what = match &entry {
        Entry::Stdio(_) => {
            let reach = cx.env::<Workspaces>()?.command_options().reach();
            format!(
                "It is a program: it is started in the sandbox of the workspace, {reach}, whenever its tools are needed."
            )
        }
        Entry::Http(_) | Entry::Sse(_) => "It is elsewhere: what its tools are given goes there.".to_owned(),
    };
    let text = format!(
        "The project's {FILE} names the MCP server {server}:\n\n{}\n\n{what} Its tools are offered to the model; each asks first.",
        serde_json::to_string_pretty(&entry)?
    );
    Ok(Preview::text(text).with_fingerprint(hash))
}

async fn used(cx: &Call, server: String) -> Result<Value> {
    let (_, hash) = project_mcp::entry(cx, &server).await?;
    cx.check_preview(&hash)?;
    project_mcp::allow(cx, AllowMcp { server: server.clone(), hash }).await?;
    let standing = standing(cx, &server).await?;
    let is_its = |tool: &McpTool| standing.as_ref().is_some_and(|standing| standing.id == tool.server);
    let tools: Vec<String> = cx.mcp().tools().await?.into_iter().filter(is_its).map(|tool| tool.name).collect();
    let (state, error) =
        standing.map_or((ServerState::NotConnected, None), |standing| (standing.state, standing.error));
    Ok(json!({"server": server, "state": state, "error": error, "tools": tools}))
}

/// How it stands once that is known. It is being reached by itself as well, since it was registered.
async fn standing(cx: &Call, server: &str) -> Result<Option<ServerStatus>> {
    let mut found = None;
    for _ in 0..3 {
        found = cx.mcp().ready().await?.into_iter().find(|standing| standing.name == server);
        let on_its_way = [ServerState::Connecting, ServerState::Connected, ServerState::Discovering];
        if found.as_ref().is_none_or(|found| !on_its_way.contains(&found.state)) {
            break;
        }
    }
    Ok(found)
}
