//! Agents as MCP clients: `cx.mcp()`.

use std::{fmt, sync::Arc};

use hostel_core::{Cx, Error, Result, host::Host};
use hostel_protocol::refusal::Code;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{hub::McpHub, launch::Launcher, output::ToolOutput};

/// The MCP servers of an agent: `cx.mcp()`.
///
/// ```
/// use hostel_core::{Cx, Result};
/// use hostel_mcp::{McpClient as _, Server};
///
/// async fn weather<A: 'static>(cx: &Cx<A>, place: &str) -> Result<String> {
///     let server = cx.mcp().add("weather", Server::http("https://weather.example/mcp"))?;
///     let args = serde_json::json!({"place": place});
///     Ok(cx.mcp().call(&server, "forecast", args).await?.text())
/// }
/// ```
pub trait McpClient {
    /// The MCP servers of this agent.
    fn mcp(&self) -> Mcp;
}

impl<A> McpClient for Cx<A> {
    fn mcp(&self) -> Mcp {
        let hub = self.env::<McpHub>().ok();
        Mcp { hub: hub.map(|hub| (*hub).clone()), host: Arc::clone(self.host()) }
    }
}

/// The name of a registration; it does not change.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServerId(pub(crate) String);

impl ServerId {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where an MCP server is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Server {
    pub(crate) place: Place,
    #[serde(default, skip_serializing_if = "Transport::is_auto")]
    pub(crate) transport: Transport,
    #[serde(default)]
    pub(crate) headers: Vec<Header>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<OwnClient>,
    #[serde(default, skip_serializing_if = "Answering::is_nobody")]
    pub(crate) answering: Answering,
}

/// How a server at a URL is spoken to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// Streamable HTTP; HTTP+SSE if the server answers the handshake with 400, 404 or 405, as those of 2024 do.
    #[default]
    Auto,
    /// Streamable HTTP alone.
    StreamableHttp,
    /// HTTP+SSE alone, the transport of 2024-11-05.
    Sse,
}

impl Transport {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// The callables of the agent that answer what a server asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answering {
    /// Forms for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) forms: Option<String>,
    /// Questions to a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
}

impl Answering {
    fn is_nobody(&self) -> bool {
        *self == Self::default()
    }
}

/// A client that was registered at an authorization server by hand.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnClient {
    pub(crate) id: String,
    /// The name of its secret in the vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<String>,
}

/// A header of every request.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) value: String,
    /// A secret of the vault that follows the value; looked up at each connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    /// A URL.
    Http(String),
    /// A program of the operator's configuration.
    Program(String),
    /// A program that the application's launcher starts.
    Launched(Value),
}

impl Server {
    fn at(place: Place) -> Self {
        let (transport, answering) = (Transport::default(), Answering::default());
        Self { place, transport, headers: Vec::new(), client: None, answering }
    }

    /// A server at a URL, over streamable HTTP, or HTTP+SSE where that is all it speaks.
    pub fn http(url: impl Into<String>) -> Self {
        Self::at(Place::Http(url.into()))
    }

    /// The program `[mcp.servers.NAME]` of the configuration.
    pub fn program(name: impl Into<String>) -> Self {
        Self::at(Place::Program(name.into()))
    }

    /// A program that the [`Launcher`](crate::Launcher) of the application starts, which is the one to understand `program`.
    pub fn launched(program: impl Into<Value>) -> Self {
        Self::at(Place::Launched(program.into()))
    }

    /// Says how a server at a URL is spoken to, where that is not to be found out. Programs do not mind.
    #[must_use]
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// Adds a header to every request. It is stored as it is; for a token, [`Server::bearer`] stores only a name.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(Header { name: name.into(), value: value.into(), secret: None });
        self
    }

    /// Adds `Authorization: Bearer` with a secret of the vault. The name must be the author's own: whoever chooses it and the
    /// URL reads that secret.
    #[must_use]
    pub fn bearer(self, secret: impl Into<String>) -> Self {
        self.header_from("authorization", "Bearer ", secret)
    }

    /// Adds a header that is `prefix` and a secret of the vault. Mind who chooses the name, as for [`Server::bearer`].
    #[must_use]
    pub fn header_from(mut self, name: impl Into<String>, prefix: &str, secret: impl Into<String>) -> Self {
        self.headers.push(Header { name: name.into(), value: prefix.to_owned(), secret: Some(secret.into()) });
        self
    }
}

impl Server {
    /// Signs in as a client that was registered by hand, where the server lets nobody register by program. `secret` is the
    /// name of its secret in the vault, if it has one.
    #[must_use]
    pub fn client(mut self, id: impl Into<String>, secret: Option<&str>) -> Self {
        self.client = Some(OwnClient { id: id.into(), secret: secret.map(str::to_owned) });
        self
    }

    /// Has a callable of the agent fill in the forms that this server has for a person (elicitation), by its wire name:
    /// `fn(message: String, form: Value) -> Option<Value>`, where nothing is a no. What it leaves out and the form has a default
    /// for is filled in. Without this the server is told that nobody is there.
    ///
    /// It is called with what the server says, whoever may call it otherwise: mark it `allow = "internal"`.
    #[must_use]
    pub fn forms(mut self, method: impl Into<String>) -> Self {
        self.answering.forms = Some(method.into());
        self
    }

    /// Lends this server a model (sampling): a callable of the agent, by its wire name, that is handed the server's question as
    /// the protocol has it (`messages`, `maxTokens` and so on) and answers with a text. Mind who pays for that.
    #[must_use]
    pub fn lends_model(mut self, method: impl Into<String>) -> Self {
        self.answering.model = Some(method.into());
        self
    }

    /// Whether its requests say by themselves who sends them.
    pub(crate) fn brings_authorization(&self) -> bool {
        self.headers.iter().any(|header| header.name.eq_ignore_ascii_case("authorization"))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|header| &header.name).collect();
        f.debug_struct("Server").field("place", &self.place).field("headers", &headers).finish()
    }
}

/// How a server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerState {
    /// Somebody has to sign in first.
    Authenticating,
    /// It is being reached.
    Connecting,
    /// It answered.
    Connected,
    /// Its tools are being listed.
    Discovering,
    /// Its tools can be called.
    Ready,
    /// It could not be reached or discovered; the next use tries again.
    Failed,
    /// It is registered, and not connected now; the next use connects it.
    NotConnected,
}

/// A registered server and how it stands.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerStatus {
    /// Its registration.
    pub id: ServerId,
    /// What the agent calls it.
    pub name: String,
    /// How it stands.
    pub state: ServerState,
    /// What went wrong last, if it failed.
    pub error: Option<String>,
    /// Where somebody has to go who signs in, while it is [`ServerState::Authenticating`].
    pub auth_url: Option<String>,
    /// Where it is.
    pub(crate) place: Place,
}

impl ServerStatus {
    /// Whether this is where `server` is, whatever its headers are.
    pub fn is_at(&self, server: &Server) -> bool {
        self.place == server.place
    }
}

/// A tool of a server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct McpTool {
    /// Whose it is.
    pub server: ServerId,
    /// What it is called there.
    pub name: String,
    /// What it says it does. That is the server's word, not a fact.
    pub description: Option<String>,
    /// What it takes.
    pub input_schema: Value,
    /// The rest of what the server says of it: title, annotations, output schema.
    pub rest: Value,
}

impl McpTool {
    /// A hash of everything a person who approves this tool has seen: name, description, schemas, annotations. Keep it with
    /// the approval; a tool that has another one later was not approved.
    pub fn fingerprint(&self) -> String {
        let shown = serde_json::json!([self.name, self.description, sorted(&self.input_schema), sorted(&self.rest)]);
        Sha256::digest(shown.to_string().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The same value with its keys in order: who sends them in another order says nothing else.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut keys: Vec<_> = object.iter().collect();
            keys.sort_by_key(|(key, _)| *key);
            keys.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect::<serde_json::Map<_, _>>().into()
        }
        Value::Array(values) => values.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// The MCP servers of one agent.
#[derive(Clone)]
pub struct Mcp {
    hub: Option<McpHub>,
    host: Arc<dyn Host>,
}

impl Mcp {
    fn hub(&self) -> Result<&McpHub> {
        self.hub.as_ref().ok_or_else(|| {
            Error::coded(Code::McpOff, "This application uses no MCP servers.")
                .with_fix("call `App::mcp(McpSettings::default())` before it is served")
        })
    }

    /// Whether the application uses MCP servers at all.
    pub fn is_on(&self) -> bool {
        self.hub.is_some()
    }

    /// Says who starts the programs of [`Server::launched`]. The first launcher of a node stays.
    ///
    /// # Errors
    /// `mcp_off`.
    pub fn launch_with(&self, launcher: Arc<dyn Launcher>) -> Result<()> {
        self.hub()?.launch_with(launcher);
        Ok(())
    }

    /// Registers a server. In a turn, the registration belongs to the turn; connecting begins when it has committed. A
    /// server of the same name and place is not registered twice.
    ///
    /// # Errors
    /// `mcp_off`, `address_refused` for a URL into our own networks, `mcp_server_unknown` for a program that is not
    /// configured, or a storage code.
    pub fn add(&self, name: &str, server: Server) -> Result<ServerId> {
        self.hub()?.add(&self.host, name, server)
    }

    /// Takes a server away and ends its connection. `false` if there is none.
    ///
    /// # Errors
    /// `mcp_off`, or a storage code.
    pub fn remove(&self, id: &ServerId) -> Result<bool> {
        self.hub()?.remove(&self.host, id)
    }

    /// The servers and how they stand now, without connecting any.
    ///
    /// # Errors
    /// `mcp_off`, or a storage code.
    pub fn list(&self) -> Result<Vec<ServerStatus>> {
        self.hub()?.list(&*self.host)
    }

    /// Connects and discovers all servers, and waits for it as long as the operator allows. Those that fail say so in what
    /// is handed back.
    ///
    /// # Errors
    /// `mcp_off`, or a storage code.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the connecting to go on.
    pub async fn ready(&self) -> Result<Vec<ServerStatus>> {
        self.hub()?.ready(&*self.host).await
    }

    /// The tools of all servers that can be used, after waiting for them like [`Mcp::ready`].
    ///
    /// # Errors
    /// `mcp_off`, or a storage code.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the connecting to go on.
    pub async fn tools(&self) -> Result<Vec<McpTool>> {
        self.hub()?.tools(&*self.host).await
    }

    /// Calls a tool; connects its server first if need be. `arguments` must be a JSON object, or null.
    ///
    /// A tool that ran and failed is no error: see [`ToolOutput::is_error`].
    ///
    /// # Errors
    /// `mcp_off`, `mcp_server_unknown`, `mcp_unavailable`, or `mcp_call_failed` with the server's words. A call that failed on
    /// its way is not repeated: the server may have acted on it.
    ///
    /// # Cancel safety
    /// Dropping the future tells the server that nobody waits any more.
    pub async fn call(&self, id: &ServerId, tool: &str, arguments: Value) -> Result<ToolOutput> {
        self.hub()?.call(&*self.host, id, tool, arguments).await
    }
}

impl fmt::Debug for Mcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mcp").field(self.host.id()).finish()
    }
}
