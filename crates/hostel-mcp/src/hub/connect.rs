//! Connections to MCP servers, by the official SDK.
#![expect(deprecated, reason = "sampling is for servers of the revisions that have it")]

use std::{
    process::Stdio,
    sync::{Arc, Weak},
    time::Duration,
};

use hostel_core::{AgentId, BoxFuture, Error, Result};
use hostel_protocol::refusal::Code;
use rmcp::{
    ClientHandler, ErrorData, ServiceError,
    model::{
        CallToolRequestParams, ClientConfig, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams,
        ElicitResult, Implementation, ProtocolVersion, Tool,
    },
    service::{
        ClientLifecycleMode, NotificationContext, RequestContext, RoleClient, RunningService,
        serve_client_with_lifecycle,
    },
    transport::child_process::TokioChildProcess,
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, DuplexStream},
    process::Command,
    sync::{Semaphore, SemaphorePermit},
};

use super::{McpHub, agent::AgentServers, answer, entry::Entry, remote};
use crate::{
    client::{Answering, McpTool, Place, Server, ServerId},
    launch::Launched,
    output::ToolOutput,
    settings::Program,
};

pub(super) type Peer = rmcp::service::Peer<RoleClient>;
pub(super) type Service = RunningService<RoleClient, Listener>;

/// Hears what the server says by itself, and has the agent answer what it asks, where that says how. It offers no roots.
pub(super) struct Listener {
    hub: McpHub,
    servers: Arc<AgentServers>,
    entry: Weak<Entry>,
    answering: Answering,
    asking: Semaphore,
}

/// The most questions of one server that wait for their answers.
const MOST_QUESTIONS: usize = 16;

/// A place among the questions that wait. Each is a call of the agent, and perhaps a model's work: a server cannot have any
/// number of them.
fn place(asking: &Semaphore) -> Result<SemaphorePermit<'_>, ErrorData> {
    let full = format!("{MOST_QUESTIONS} questions of this server wait already; ask again when one is answered.");
    asking.try_acquire().map_err(|_| ErrorData::invalid_request(full, None))
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
        info.capabilities = answer::capabilities(&self.answering);
        info
    }

    async fn create_elicitation(
        &self,
        asked: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let _place = place(&self.asking)?;
        answer::form(&self.hub, &self.servers.id, &self.answering, asked).await
    }

    async fn create_message(
        &self,
        asked: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        let _place = place(&self.asking)?;
        answer::model(&self.hub, &self.servers.id, &self.answering, asked).await
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
pub(super) async fn open(hub: &McpHub, entry: &Arc<Entry>, servers: &Arc<AgentServers>) -> Result<Service> {
    let listener = || listener(hub, entry, servers);
    match &entry.row.server.place {
        Place::Http(url) => Box::pin(remote::open(hub, entry, servers, url)).await,
        Place::Program(name) => program(hub, name, listener()).await,
        Place::Launched(program) => launched(hub.clone(), servers.id.clone(), program.clone(), listener()).await,
    }
}

/// Who listens to a server.
pub(super) fn listener(hub: &McpHub, entry: &Arc<Entry>, servers: &Arc<AgentServers>) -> Listener {
    let answering = entry.row.server.answering.clone();
    let (hub, servers) = (hub.clone(), Arc::clone(servers));
    Listener { hub, servers, entry: Arc::downgrade(entry), answering, asking: Semaphore::new(MOST_QUESTIONS) }
}

/// Asks for the newest revision, and falls back to the handshake of the older ones.
pub(super) fn lifecycle() -> ClientLifecycleMode {
    ClientLifecycleMode::Auto { preferred_versions: vec![ProtocolVersion::V_2026_07_28], legacy_version: None }
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

/// A program that the application's launcher starts. Boxed: the compiler loses sight of what may be sent otherwise.
fn launched(hub: McpHub, agent: AgentId, program: Value, listener: Listener) -> BoxFuture<Result<Service>> {
    Box::pin(started(hub, agent, program, listener))
}

/// What a program said last is told if it is no server: whoever wrote its entry has nothing else to go by.
async fn started(hub: McpHub, agent: AgentId, program: Value, listener: Listener) -> Result<Service> {
    let Some(launcher) = hub.0.launcher.get() else {
        return Err(Error::coded(Code::McpUnavailable, "The program is started when the agent is next at work."));
    };
    let Launched { input, output, errors } = Arc::clone(launcher).launch(agent, program).await?;
    let mut said = tokio::spawn(last_words(errors));
    let served = serve_client_with_lifecycle(listener, (output, input), ClientLifecycleMode::Initialize).await;
    let error = match served {
        Ok(service) => return Ok(service),
        Err(error) => error,
    };
    let words = tokio::time::timeout(LAST_WORDS, &mut said).await;
    said.abort();
    let words = words.ok().and_then(Result::ok).filter(|words| !words.is_empty());
    Err(match words {
        Some(words) => {
            Error::coded(Code::McpUnavailable, super::show::sanitised(&format!("The program said: {words}")))
        }
        None => unavailable(&error),
    })
}

/// How long a program that is no server has to end.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How much of what it said is told, in bytes.
const WORDS: usize = 400;

/// Reads to the end, and keeps the end.
async fn last_words(mut errors: DuplexStream) -> String {
    let (mut kept, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = errors.read(&mut piece).await {
        kept.extend_from_slice(&piece[..read]);
        let over = kept.len().saturating_sub(WORDS);
        kept.drain(..over);
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
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

/// Why a tool gave no answer.
pub(super) enum Unanswered {
    /// The server wants somebody to sign in, or to let us do more.
    SignIn(String),
    /// Anything else.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Unanswered {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Calls a tool.
pub(super) async fn call(peer: &Peer, tool: &str, arguments: Value) -> Result<ToolOutput, Unanswered> {
    let mut params = CallToolRequestParams::new(tool.to_owned());
    params.arguments = match arguments {
        Value::Null => None,
        Value::Object(object) => Some(object),
        _ => {
            return Err(Error::coded(Code::InvalidArguments, "The arguments of a tool are a JSON object.")
                .with_fix("hand over an object with the parameters by name, or null")
                .into());
        }
    };
    let result = peer.call_tool(params).await.map_err(|error| match error.auth_challenge() {
        Some(challenge) => Unanswered::SignIn(challenge.to_owned()),
        None => Unanswered::Failed(failed(tool, &error)),
    })?;
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

pub(super) fn unavailable(error: &(dyn std::error::Error + 'static)) -> Error {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_asks_too_much_is_refused_until_one_question_is_answered() {
        let asking = Semaphore::new(MOST_QUESTIONS);
        let mut waiting: Vec<_> = (0..MOST_QUESTIONS).map(|_| place(&asking).unwrap()).collect();
        assert!(place(&asking).unwrap_err().message.starts_with("16 questions of this server wait already"));
        waiting.pop();
        assert!(place(&asking).is_ok());
    }
}
