//! The MCP servers of agents that are nothing but configuration: registered as the file has them, and no others.

use anyhow::Context as _;
use hostel::{
    Cx, Result,
    mcp::{McpClient as _, Server},
};
use hostel_protocol::name::nearest;

use super::{ConfiguredAgent, Made};
use crate::config::{ChatSection, Config, RemoteSection, ServerSection};

/// The servers that a class is to use, by their names.
///
/// # Errors
/// One that the file does not have, or that may not be reached.
pub(super) fn of(config: &Config, chat: &ChatSection) -> anyhow::Result<Vec<(String, Server)>> {
    chat.mcp.iter().map(|name| Ok((name.clone(), server(config, name)?))).collect()
}

fn server(config: &Config, name: &str) -> anyhow::Result<Server> {
    let Some((mcp, section)) = config.sections.mcp.as_ref().and_then(|(mcp, _)| Some((mcp, mcp.servers.get(name)?)))
    else {
        let known = config.sections.mcp.iter().flat_map(|(mcp, _)| mcp.servers.keys());
        let hint = nearest(name, known.map(String::as_str));
        let hint = hint.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
        anyhow::bail!(
            "there is no [mcp.servers.{name}]; add one with its command or its url, or take the name out{hint}"
        );
    };
    match section {
        ServerSection::Program(_) => Ok(Server::program(name)),
        ServerSection::Remote(remote) => {
            let url = remote.url.parse().with_context(|| format!("[mcp.servers.{name}] url"))?;
            let reach = mcp.reach()?;
            reach.check(&url).map_err(|error| {
                let fix = error.fix().map(|fix| format!(" Fix: {fix}")).unwrap_or_default();
                anyhow::anyhow!("[mcp.servers.{name}] url: {error}{fix} (in [mcp] allow_hosts)")
            })?;
            Ok(remote_server(remote))
        }
    }
}

fn remote_server(section: &RemoteSection) -> Server {
    let server = Server::http(&section.url).transport(section.transport);
    let server = section.headers.iter().fold(server, |server, (name, value)| match value.name() {
        Some(secret) => server.header_from(name, "", secret.to_string()),
        None => match value.reveal_blocking(None) {
            Ok(value) => server.header(name, value.expose()),
            Err(_) => server,
        },
    });
    section.bearer.iter().fold(server, Server::bearer)
}

/// Brings what an agent has registered in step with the file.
pub(super) fn keep_in_step(cx: &Cx<ConfiguredAgent>, made: &Made) -> Result<()> {
    // Without `[mcp]` there is nothing to be in step.
    let Ok(registered) = cx.mcp().list() else { return Ok(()) };
    let is_wanted =
        |name: &str, at: &dyn Fn(&Server) -> bool| made.servers.iter().any(|(one, to)| one == name && at(to));
    for server in registered.iter().filter(|server| !is_wanted(&server.name, &|to| server.is_at(to))) {
        cx.mcp().remove(&server.id)?;
    }
    made.servers.iter().try_for_each(|(name, server)| cx.mcp().add(name, server.clone()).map(drop))
}
