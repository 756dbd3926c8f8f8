//! MCP as it is configured.

use hostel::{
    App,
    mcp::{McpSettings, Program},
};
use hostel_protocol::name::nearest;

use crate::config::{Config, McpSection, ServerSection};

/// The application with what `[mcp]` says: without the section agents use no MCP servers, and are none.
pub(crate) fn of(config: &Config, app: App) -> anyhow::Result<App> {
    let Some((section, origin)) = &config.sections.mcp else { return Ok(app) };
    let mut settings = settings(section)?;
    settings.prefix = config.prefix.value.clone();
    let (app, unknown) = app.mcp(settings).mcp_servers(section.serve.iter().map(String::as_str));
    let Some(unknown) = unknown.first() else { return Ok(app) };
    let served = config.spellings();
    let near = nearest(unknown, served.iter().map(String::as_str));
    let hint = near.map_or_else(|| format!("there are {}", served.join(", ")), |near| format!("did you mean {near}?"));
    anyhow::bail!("{origin}: [mcp] serve: no agent class is called {unknown:?}; {hint}")
}

fn settings(section: &McpSection) -> anyhow::Result<McpSettings> {
    let mut settings = McpSettings { reach: section.reach()?, ..McpSettings::default() };
    settings.programs = section.servers.iter().filter_map(|(name, one)| Some((name.clone(), program(one)?))).collect();
    settings.public_url.clone_from(&section.public_url);
    settings.after_sign_in.clone_from(&section.after_sign_in);
    settings.client_metadata_url.clone_from(&section.client_metadata_url);
    if let Some(idle) = section.idle {
        settings.idle = idle.0;
    }
    if let Some(deadline) = section.deadline {
        settings.deadline = deadline.0;
    }
    if let Some(most) = section.max_servers {
        settings.servers = most;
    }
    Ok(settings)
}

fn program(section: &ServerSection) -> Option<Program> {
    let ServerSection::Program(section) = section else { return None };
    Some(Program {
        command: section.command.clone(),
        args: section.args.clone(),
        env: section.env.clone(),
        directory: section.directory.clone(),
    })
}
