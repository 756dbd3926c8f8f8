//! Connections to MCP servers, by the official SDK.

use std::{
    collections::HashMap,
    process::Stdio,
    sync::{Arc, Weak},
};

use hostel_core::{Error, Result};
use hostel_protocol::refusal::Code;
use hostel_vault::{SecretValue, VaultError};
use http::{HeaderName, HeaderValue};
use rmcp::{
    ClientHandler, ServiceError,
    model::{CallToolRequestParams, ClientConfig, Implementation, ProtocolVersion, Tool},
    service::{ClientLifecycleMode, NotificationContext, RoleClient, RunningService, serve_client_with_lifecycle},
    transport::{
        StreamableHttpClientTransport, child_process::TokioChildProcess,
        streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use super::{McpHub, agent::AgentServers, entry::Entry};
use crate::{
    client::{Header, McpTool, Place, Server, ServerId},
    output::ToolOutput,
    settings::Program,
};

pub(super) type Peer = rmcp::service::Peer<RoleClient>;
pub(super) type Service = RunningService<RoleClient, Listener>;

/// Hears what the server says by itself. It offers neither sampling nor elicitation, and no roots.
pub(super) struct Listener {
    hub: McpHub,
    servers: Arc<AgentServers>,
    entry: Weak<Entry>,
}

impl Listener {
    fn changed(&self, peer: Peer) {
        if let Some(entry) = self.entry.upgrade() {
            // Asking the server waits for an answer that comes through here.
            drop(tokio::spawn(entry.rediscover(self.hub.clone(), Arc::clone(&self.servers), peer)));
        }
    }
}

impl ClientHandler for Listener {
    fn get_info(&self) -> ClientConfig {
        let mut info = ClientConfig::default();
        info.client_info = Implementation::new("hostel", env!("CARGO_PKG_VERSION"));
        info
    }

    async fn on_tool_list_changed(&self, context: NotificationContext<RoleClient>) {
        self.changed(context.peer);
    }

    async fn on_prompt_list_changed(&self, context: NotificationContext<RoleClient>) {
        self.changed(context.peer);
    }

    async fn on_resource_list_changed(&self, context: NotificationContext<RoleClient>) {
        self.changed(context.peer);
    }
}

/// Connects to a server.
pub(super) async fn open(
    hub: &McpHub,
    server: &Server,
    entry: Weak<Entry>,
    servers: &Arc<AgentServers>,
) -> Result<Service> {
    let listener = Listener { hub: hub.clone(), servers: Arc::clone(servers), entry };
    match &server.place {
        Place::Http(url) => http(hub, url, &server.headers, listener).await,
        Place::Program(name) => program(hub, name, listener).await,
    }
}

/// Asks for the newest revision, and falls back to the handshake of the older ones.
fn lifecycle() -> ClientLifecycleMode {
    ClientLifecycleMode::Auto { preferred_versions: vec![ProtocolVersion::V_2026_07_28], legacy_version: None }
}

async fn http(hub: &McpHub, url: &str, headers: &[Header], listener: Listener) -> Result<Service> {
    hub.check(&Server::http(url))?;
    let mut config = StreamableHttpClientTransportConfig::with_uri(url);
    config.custom_headers = revealed(hub, headers).await?;
    let transport = StreamableHttpClientTransport::with_client(hub.0.fetch.unchecked_client().clone(), config);
    serve_client_with_lifecycle(listener, transport, lifecycle()).await.map_err(|error| unavailable(&error))
}

/// Header values, with secrets from the vault.
async fn revealed(hub: &McpHub, headers: &[Header]) -> Result<HashMap<HeaderName, HeaderValue>> {
    let mut revealed = HashMap::new();
    for Header { name, value, secret } in headers {
        let secret = match secret {
            Some(named) => SecretValue::named(named.parse().map_err(|error: VaultError| error.to_error())?),
            None => SecretValue::outright(""),
        };
        let secret = secret.reveal(hub.0.vault.as_ref()).await.map_err(|error| error.to_error())?;
        let name: HeaderName = name.parse()?;
        let mut value = HeaderValue::from_str(&format!("{value}{}", secret.expose()))?;
        value.set_sensitive(true);
        revealed.insert(name, value);
    }
    Ok(revealed)
}

async fn program(hub: &McpHub, name: &str, listener: Listener) -> Result<Service> {
    hub.check(&Server::program(name))?;
    let Some(program) = hub.0.settings.programs.get(name) else {
        return Err(Error::coded(Code::McpServerUnknown, "The program is no longer configured."));
    };
    let command = command(hub, program).await?;
    let (transport, stderr) = TokioChildProcess::builder(command).stderr(Stdio::piped()).spawn()?;
    if let Some(stderr) = stderr {
        tokio::spawn(log(name.to_owned(), stderr));
    }
    // A program is on this machine: it answers the handshake or is no server, and need not be asked twice.
    let mode = ClientLifecycleMode::Initialize;
    serve_client_with_lifecycle(listener, transport, mode).await.map_err(|error| unavailable(&error))
}

/// The command with nothing of our environment but what a program cannot do without.
async fn command(hub: &McpHub, program: &Program) -> Result<Command> {
    let mut command = Command::new(&program.command);
    command.args(&program.args).env_clear().process_group(0).kill_on_drop(true);
    for name in ["PATH", "HOME", "LANG", "TZ", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    for (name, value) in &program.env {
        let value = value.reveal(hub.0.vault.as_ref()).await.map_err(|error| error.to_error())?;
        command.env(name, value.expose());
    }
    if let Some(directory) = &program.directory {
        command.current_dir(directory);
    }
    Ok(command)
}

/// What a program says beside the protocol goes to the log, a line each.
async fn log(program: String, stderr: tokio::process::ChildStderr) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let line: String = line.chars().take(500).collect();
        tracing::debug!(program, "{}", hostel_protocol::OneLine(&line));
    }
}

/// What a server offers.
#[derive(Default)]
pub(super) struct Found {
    pub(super) tools: Vec<McpTool>,
    pub(super) prompts: Vec<Value>,
    pub(super) resources: Vec<Value>,
    pub(super) instructions: Option<String>,
    pub(super) capabilities: Value,
}

pub(super) async fn discover(peer: &Peer, id: &ServerId) -> Result<Found> {
    let mut found = Found::default();
    let Some(info) = peer.peer_info() else { return Ok(found) };
    found.instructions = info.instructions.clone();
    found.capabilities = serde_json::to_value(&info.capabilities)?;
    if info.capabilities.tools.is_some() {
        let tools = peer.list_all_tools().await.map_err(|error| unavailable(&error))?;
        found.tools = tools.into_iter().map(|tool| ours(tool, id)).collect();
    }
    // Prompts and resources are shown, not used: a server that fails to list them can still be called.
    if info.capabilities.prompts.is_some() {
        found.prompts = values(peer.list_all_prompts().await);
    }
    if info.capabilities.resources.is_some() {
        found.resources = values(peer.list_all_resources().await);
    }
    Ok(found)
}

fn values<T: serde::Serialize>(listed: Result<Vec<T>, ServiceError>) -> Vec<Value> {
    listed.unwrap_or_default().iter().filter_map(|item| serde_json::to_value(item).ok()).collect()
}

fn ours(tool: Tool, id: &ServerId) -> McpTool {
    let mut rest = serde_json::to_value(&tool).unwrap_or_default();
    if let Some(object) = rest.as_object_mut() {
        ["name", "description", "inputSchema"].iter().for_each(|key| drop(object.remove(*key)));
    }
    McpTool {
        server: id.clone(),
        name: tool.name.into_owned(),
        description: tool.description.map(Into::into),
        input_schema: Value::Object((*tool.input_schema).clone()),
        rest,
    }
}

/// Calls a tool.
pub(super) async fn call(peer: &Peer, tool: &str, arguments: Value) -> Result<ToolOutput> {
    let mut params = CallToolRequestParams::new(tool.to_owned());
    params.arguments = match arguments {
        Value::Null => None,
        Value::Object(object) => Some(object),
        _ => {
            return Err(Error::coded(Code::InvalidArguments, "The arguments of a tool are a JSON object.")
                .with_fix("hand over an object with the parameters by name, or null"));
        }
    };
    let result = peer.call_tool(params).await.map_err(|error| failed(tool, &error))?;
    let mut json = serde_json::to_value(&result)?;
    if let Some(object) = json.as_object_mut() {
        object.remove("resultType");
        object.entry("content").or_insert_with(|| Value::Array(Vec::new()));
    }
    Ok(serde_json::from_value(json)?)
}

fn failed(tool: &str, error: &ServiceError) -> Error {
    let said = match error {
        ServiceError::McpError(said) => said.message.to_string(),
        other => chain(other),
    };
    let message = format!("{tool}: {}", super::show::sanitised(&said));
    Error::coded(Code::McpCallFailed, message).with_fix("look at the tool's schema and the state of its server")
}

fn unavailable(error: &(dyn std::error::Error + 'static)) -> Error {
    Error::coded(Code::McpUnavailable, super::show::sanitised(&chain(error)))
}

/// The error with its causes, each once.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let line = cause.to_string();
        if !text.contains(&line) {
            text = format!("{text}: {line}");
        }
        next = cause.source();
    }
    text
}
