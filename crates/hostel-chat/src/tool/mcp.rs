//! Tools of MCP servers, as tools of a model.

use std::sync::Arc;

use hostel::{
    Cx, Error, Result,
    mcp::{Content, McpClient as _, McpTool, ToolOutput},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Bound, Tool, ToolCx, is_name};

/// Which tools of the agent's MCP servers a model is offered, and whether somebody has to say yes.
///
/// A yes, also a standing one, holds only as long as the server says the same of the tool as it did then. Tools of servers
/// that cannot be used now are not offered.
#[derive(Debug, Clone)]
pub struct McpTools {
    asks: bool,
    only: Option<Vec<String>>,
    by_server: bool,
}

impl McpTools {
    /// All of them, each asking first.
    pub fn asking() -> Self {
        Self { asks: true, only: None, by_server: false }
    }

    /// All of them, without asking: for servers you trust with whatever a model comes up with.
    pub fn trusting() -> Self {
        Self { asks: false, only: None, by_server: false }
    }

    /// Only these, by the names their servers give them.
    #[must_use]
    pub fn only(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.only = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Names each `mcp__SERVER__TOOL`, so that none is taken for a tool of the agent, whatever its server calls it, and rules can
    /// mean all those of a server.
    #[must_use]
    pub fn by_server(mut self) -> Self {
        self.by_server = true;
        self
    }
}

/// Adds the tools that can be used now. What the agent does itself they cannot take over.
pub(crate) async fn add<A: Send + Sync + 'static>(cx: &Cx<A>, choice: &McpTools, tools: &mut Vec<Bound>) -> Result<()> {
    let found = match cx.mcp().tools().await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(agent = %cx.id(), error = ?error, "no tools of MCP servers are offered");
            return Ok(());
        }
    };
    let servers = if choice.by_server { cx.mcp().list()? } else { Vec::new() };
    let wanted = |tool: &McpTool| choice.only.as_ref().is_none_or(|only| only.contains(&tool.name));
    for found in found.into_iter().filter(wanted) {
        let server = servers.iter().find(|server| server.id == found.server).map(|server| server.name.as_str());
        let Some(name) = free_name(&found, server, tools) else { continue };
        tools.push(tool(name, found, choice.asks).bind(cx)?);
    }
    Ok(())
}

fn tool<A: Send + Sync + 'static>(name: String, found: McpTool, asks: bool) -> Tool<A> {
    let description = found.description.clone().unwrap_or_default();
    let (schema, pin) = (found.input_schema.clone(), found.fingerprint());
    let found = Arc::new(found);
    let run = move |cx: ToolCx<A>, input: Value| {
        let found = Arc::clone(&found);
        async move { shown(cx.mcp().call(&found.server, &found.name, input).await?) }
    };
    let tool = Tool::untyped(name, description, schema, run).pinned(pin);
    if asks { tool.ask() } else { tool }
}

/// A name that providers take and nobody has: the tool's own, or with its server's behind it; or, with the name of its server, that
/// and the tool's.
fn free_name(found: &McpTool, server: Option<&str>, tools: &[Bound]) -> Option<String> {
    let short: String = clean(&found.name).chars().take(48).collect();
    let names = match server {
        Some(server) => vec![of_server(server, &found.name)],
        None => vec![clean(&found.name), clean(&format!("{short}_{}", found.server))],
    };
    let is_free = |name: &String| is_name(name) && tools.iter().all(|tool| tool.spec.name != *name);
    names.into_iter().find(is_free)
}

/// What is too long ends in what tells it from others that begin like it.
fn of_server(server: &str, tool: &str) -> String {
    let whole = format!("mcp__{server}__{tool}");
    let name = clean(&whole);
    if whole == name {
        return name;
    }
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(&whole)[..4]);
    format!("{}_{hash}", &name[..name.len().min(MOST - hash.len() - 1)])
}

/// The longest name that providers take.
const MOST: usize = 64;

fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '_' }).take(MOST).collect()
}

/// What the server says, as simply as it can be said.
fn shown(output: ToolOutput) -> Result<Value> {
    if output.is_error {
        return Err(Error::msg(output.text()));
    }
    if let Some(value) = output.structured_content {
        return Ok(value);
    }
    let is_text = output.content.iter().all(|part| matches!(part, Content::Text { .. }));
    Ok(if is_text { json!(output.text()) } else { serde_json::to_value(output)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_server_fit_and_are_told_apart() {
        assert_eq!(of_server("files", "read"), "mcp__files__read");
        let (one, two) = (of_server("a", &"x".repeat(80)), of_server("a", &format!("{}y", "x".repeat(79))));
        assert!(one != two && is_name(&one) && is_name(&two), "{one} {two}");
        assert_ne!(of_server("a", "b.c"), of_server("a", "b_c"));
    }
}
