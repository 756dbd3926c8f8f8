//! The frame that tells clients of MCP servers (agents-protocol, 7.5).

use std::sync::Arc;

use hostel_core::Message;
use serde_json::{Map, Value, json};

use super::entry::Entry;
use crate::client::{McpTool, Place};

/// The most of an error that is shown.
const MOST: usize = 500;

pub(super) fn frame(entries: &[Arc<Entry>]) -> Message {
    let mut servers = Map::new();
    let (mut tools, mut prompts, mut resources) = (Vec::new(), Vec::new(), Vec::new());
    for entry in entries {
        let (id, seen) = (entry.row.id.as_str(), entry.seen());
        servers.insert(id.to_owned(), server(entry, &seen));
        tools.extend(seen.tools.iter().map(|one| tool(id, one)));
        prompts.extend(seen.prompts.iter().map(|one| owned(id, one)));
        resources.extend(seen.resources.iter().map(|one| owned(id, one)));
    }
    let mcp = json!({"prompts": prompts, "resources": resources, "servers": servers, "tools": tools});
    json!({"mcp": mcp, "type": "cf_agent_mcp_servers"}).to_string().into()
}

fn server(entry: &Entry, seen: &super::entry::Seen) -> Value {
    let url = match &entry.row.server.place {
        Place::Http(url) => sanitised(url),
        Place::Program(name) => format!("program:{name}"),
        Place::Launched(_) => format!("program:{}", entry.name()),
    };
    json!({
        "name": entry.name(),
        "server_url": url,
        "auth_url": seen.auth_url,
        "state": seen.state,
        "error": seen.error,
        "instructions": seen.instructions,
        "capabilities": seen.capabilities,
    })
}

fn tool(id: &str, tool: &McpTool) -> Value {
    let mut shown = tool.rest.as_object().cloned().unwrap_or_default();
    shown.insert("serverId".into(), id.into());
    shown.insert("name".into(), tool.name.clone().into());
    shown.insert("description".into(), tool.description.clone().into());
    shown.insert("inputSchema".into(), tool.input_schema.clone());
    shown.into()
}

fn owned(id: &str, item: &Value) -> Value {
    let mut shown = item.as_object().cloned().unwrap_or_default();
    shown.insert("serverId".into(), id.into());
    shown.into()
}

/// One line of at most 500 characters without queries, users and passwords of URLs, which may be secrets.
pub(crate) fn sanitised(text: &str) -> String {
    let words = text.split_whitespace().map(|word| match word.find("://") {
        Some(scheme) => {
            let ends = |c: char| "?#".contains(c);
            let cut = word.find(ends).map_or(word, |end| &word[..end]);
            match cut[scheme + 3..].split('/').next().and_then(|authority| authority.rfind('@')) {
                Some(at) => format!("{}{}", &cut[..scheme + 3], &cut[scheme + 3 + at + 1..]),
                None => cut.to_owned(),
            }
        }
        None => word.to_owned(),
    });
    let line = words.collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_one_short_line_without_the_secrets_of_urls() {
        let said = "error sending request for url (https://ada:pw@mcp.example/a?key=s3cret)\nat\u{7}once";
        assert_eq!(sanitised(said), "error sending request for url (https://mcp.example/a atonce");
        assert_eq!(sanitised(&"x".repeat(900)).len(), 500);
    }
}
