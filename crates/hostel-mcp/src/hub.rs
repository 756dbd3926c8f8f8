//! The node's connections to MCP servers. They belong to the node: an agent that sleeps keeps them until they idle.

mod agent;
mod answer;
mod connect;
mod entry;
mod events;
mod grants;
mod oauth;
mod remote;
mod rows;
mod seal;
mod show;
mod sign_in;
mod telling;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
};

use hostel_core::{
    AgentId, Error, Message, Result,
    host::{Host, McpServers},
};
use hostel_fetch::{Fetch, Redirects, Settings, Url};
use hostel_protocol::refusal::Code;
use hostel_runtime::{Node, WeakNode, nanoid};
use hostel_vault::Vault;
use parking_lot::Mutex;
use serde_json::Value;

pub(crate) use self::show::sanitised;
use self::{
    agent::AgentServers,
    connect::Unanswered,
    entry::Entry,
    oauth::Messenger,
    seal::Sealer,
    sign_in::{Away, Return},
};
use crate::{
    client::{McpTool, Place, Server, ServerId, ServerStatus},
    launch::Launcher,
    output::ToolOutput,
    settings::McpSettings,
};

/// The node's connections to MCP servers; a service of the application, made by `App::mcp`.
#[derive(Clone)]
pub struct McpHub(Arc<Inner>);

struct Inner {
    settings: McpSettings,
    vault: Option<Vault>,
    fetch: Fetch,
    /// What speaks to authorization servers.
    messenger: Arc<Messenger>,
    /// Seals the tokens they give.
    sealer: Sealer,
    /// Who was sent away to sign in.
    away: Away,
    /// Where browsers reach us, if nobody configured it.
    reached_at: OnceLock<String>,
    node: OnceLock<WeakNode>,
    /// Who starts programs that agents name.
    launcher: OnceLock<Arc<dyn Launcher>>,
    agents: Mutex<HashMap<AgentId, Arc<AgentServers>>>,
}

impl McpHub {
    /// A hub with these settings, and a vault for `secret:NAME`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: McpSettings, vault: Option<Vault>) -> Result<Self> {
        // Headers of a registration are secrets of that server alone; a stream may rest.
        let http = Settings { redirects: Redirects::SameOrigin, silence: None, ..Settings::default() };
        let refused = |error: hostel_fetch::FetchError| Error::from_refusal(error.to_refusal());
        let inner = Inner {
            fetch: Fetch::new(settings.reach.clone(), &http).map_err(refused)?,
            messenger: Arc::new(Messenger::new(&settings.reach).map_err(refused)?),
            sealer: Sealer::new(settings.key_file.clone()),
            away: Away::default(),
            reached_at: OnceLock::new(),
            node: OnceLock::new(),
            launcher: OnceLock::new(),
            agents: Mutex::default(),
            settings,
            vault,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Tells it where browsers reach this server, if nobody configured that.
    #[doc(hidden)]
    pub fn reached_at(&self, origin: String) {
        let _first_wins = self.0.reached_at.set(origin);
    }

    /// Scheme, host and port of this server, as a browser reaches it.
    fn origin(&self) -> Result<String> {
        let configured = self.0.settings.public_url.as_ref().map(ToString::to_string);
        configured.or_else(|| self.0.reached_at.get().cloned()).ok_or_else(|| {
            let message = "The server asks for a sign-in, and nobody knows where browsers reach this server.";
            Error::coded(Code::McpUnavailable, message)
                .with_fix("say [mcp] public_url = \"https://this.server\" in hostel.toml, or `McpSettings::public_url`")
        })
    }

    /// Whether a browser with this address comes back from signing in.
    pub(crate) fn expects_back(&self, path: &str, query: &str) -> bool {
        self.0.away.expects(path, &Return::of(query))
    }

    /// A browser came back: where it is sent next. `None` if it was not expected.
    pub(crate) async fn back(&self, path: &str, query: &str) -> Option<String> {
        let done = sign_in::finish(self, path, &Return::of(query)).await?;
        let place = self.0.settings.after_sign_in.as_deref().unwrap_or("/");
        let Err(error) = done else { return Some(place.to_owned()) };
        let error: String = url::form_urlencoded::byte_serialize(error.message().as_bytes()).collect();
        Some(format!("{place}{}error={error}", if place.contains('?') { '&' } else { '?' }))
    }

    /// Tells it the node whose agents it serves.
    #[doc(hidden)]
    pub fn attach(&self, node: &Node) {
        let _first_wins = self.0.node.set(node.downgrade());
    }

    /// Tells it who starts programs that agents name.
    pub(crate) fn launch_with(&self, launcher: Arc<dyn Launcher>) {
        let _first_wins = self.0.launcher.set(launcher);
    }

    /// The servers of the agent of `host`, read from its database the first time.
    fn servers(&self, host: &dyn Host) -> Result<Arc<AgentServers>> {
        if let Some(known) = self.0.agents.lock().get(host.id()) {
            return Ok(Arc::clone(known));
        }
        let rows = rows::read(host)?;
        let mut agents = self.0.agents.lock();
        let made = || Arc::new(AgentServers::new(host.id().clone(), rows));
        Ok(Arc::clone(agents.entry(host.id().clone()).or_insert_with(made)))
    }

    /// Brings what is in memory up to what is stored.
    fn renew(&self, host: &dyn Host) -> Result<Arc<AgentServers>> {
        let servers = self.servers(host)?;
        servers.renew(rows::read(host)?);
        Ok(servers)
    }

    fn check(&self, server: &Server) -> Result<()> {
        match &server.place {
            Place::Http(url) => {
                let url: Url = url.parse().map_err(|error| {
                    Error::coded(Code::InvalidArguments, format!("The URL of the MCP server is none: {error}"))
                })?;
                self.0.fetch.reach().check(&url).map_err(|error| Error::from_refusal(error.to_refusal()))
            }
            Place::Launched(_) => Ok(()),
            Place::Program(name) if self.0.settings.programs.contains_key(name) => Ok(()),
            Place::Program(name) => {
                let shown: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
                let message = format!("No program \"{shown}\" is configured as an MCP server.");
                let fix = "the operator names programs in hostel.toml: [mcp.servers.NAME] with command and args";
                Err(Error::coded(Code::McpServerUnknown, message).with_fix(fix))
            }
        }
    }

    pub(crate) fn add(&self, host: &Arc<dyn Host>, name: &str, server: Server) -> Result<ServerId> {
        self.check(&server)?;
        let known = rows::read(&**host)?;
        if let Some(same) = known.iter().find(|row| row.name == name && row.server.place == server.place) {
            let id = same.id.clone();
            if same.server != server {
                rows::write(&**host, &rows::Row { id: id.clone(), name: name.to_owned(), server })?;
                self.follow(host);
            }
            return Ok(id);
        }
        if known.len() >= self.0.settings.servers {
            let most = self.0.settings.servers;
            return Err(Error::coded(Code::InvalidArguments, format!("An agent has {most} MCP servers at most."))
                .with_fix("remove one first"));
        }
        let id = ServerId(nanoid(8));
        rows::write(&**host, &rows::Row { id: id.clone(), name: name.to_owned(), server })?;
        self.follow(host);
        Ok(id)
    }

    pub(crate) fn remove(&self, host: &Arc<dyn Host>, id: &ServerId) -> Result<bool> {
        let removed = rows::remove(&**host, id)?;
        if removed {
            self.follow(host);
        }
        Ok(removed)
    }

    /// Once the turn has committed: takes the change over, shows it, and connects what is new.
    fn follow(&self, host: &Arc<dyn Host>) {
        let (hub, host_later) = (self.clone(), Arc::clone(host));
        host.spawn(Box::pin(async move {
            match hub.renew(&*host_later) {
                Ok(servers) => {
                    hub.show(&servers);
                    hub.connect_all(&servers);
                }
                Err(error) => tracing::warn!(agent = %host_later.id(), error = ?error, "MCP servers could not be read"),
            }
        }));
    }

    fn connect_all(&self, servers: &Arc<AgentServers>) {
        for entry in servers.entries() {
            let (hub, servers) = (self.clone(), Arc::clone(servers));
            tokio::spawn(async move {
                let _shown_in_its_status = hub.peer(&servers, &entry).await;
            });
        }
    }

    pub(crate) fn list(&self, host: &dyn Host) -> Result<Vec<ServerStatus>> {
        Ok(self.renew(host)?.entries().iter().map(|entry| entry.status()).collect())
    }

    pub(crate) async fn ready(&self, host: &dyn Host) -> Result<Vec<ServerStatus>> {
        let servers = self.renew(host)?;
        self.discover(&servers).await;
        Ok(servers.entries().iter().map(|entry| entry.status()).collect())
    }

    /// All at once; each has the operator's deadline.
    async fn discover(&self, servers: &Arc<AgentServers>) {
        let entries = servers.entries();
        let work = entries.into_iter().map(|entry| {
            let (hub, servers) = (self.clone(), Arc::clone(servers));
            tokio::spawn(async move { hub.peer(&servers, &entry).await.map(drop) })
        });
        for outcome in futures_util::future::join_all(work).await {
            if let Ok(Err(error)) = outcome {
                tracing::debug!(agent = %servers.id, error = ?error, "an MCP server is not ready");
            }
        }
    }

    pub(crate) async fn tools(&self, host: &dyn Host) -> Result<Vec<McpTool>> {
        let servers = self.renew(host)?;
        self.discover(&servers).await;
        Ok(servers.entries().iter().flat_map(|entry| entry.usable_tools()).collect())
    }

    pub(crate) async fn call(
        &self,
        host: &dyn Host,
        id: &ServerId,
        tool: &str,
        arguments: Value,
    ) -> Result<ToolOutput> {
        let servers = self.renew(host)?;
        let entry = servers.entry(id).ok_or_else(|| {
            Error::coded(Code::McpServerUnknown, format!("The agent has no MCP server {id}."))
                .with_fix("list them with `cx.mcp().list()`")
        })?;
        // What the agent did before is durable before anybody else acts on it.
        host.durable().await?;
        let peer = self.peer(&servers, &entry).await?;
        let outcome = connect::call(&peer, tool, arguments).await;
        entry.used();
        match outcome {
            Ok(output) => Ok(output),
            Err(Unanswered::SignIn(challenge)) => Err(self.sign_in(&servers, &entry, &challenge).await),
            Err(Unanswered::Failed(error)) => {
                if peer.is_transport_closed() {
                    entry.lost("The connection broke.");
                    self.show(&servers);
                }
                Err(error)
            }
        }
    }

    /// A server that was connected wants somebody to sign in.
    async fn sign_in(&self, servers: &Arc<AgentServers>, entry: &Arc<Entry>, challenge: &str) -> Error {
        let keep = entry.keep(self, servers).filter(|_| !entry.row.server.brings_authorization());
        let Some(keep) = keep else {
            let message = format!("{} does not take its token any more.", entry.name());
            return Error::coded(Code::McpUnavailable, message).with_fix("replace the secret in the vault");
        };
        entry.disconnect().await;
        let error = sign_in::begin(self, servers, entry, &keep, challenge).await;
        self.show(servers);
        error
    }

    /// Shows the servers of an agent to its clients.
    fn show(&self, servers: &AgentServers) {
        if let Some(node) = self.0.node.get().and_then(WeakNode::upgrade) {
            node.show_mcp_servers(&servers.id, show::frame(&servers.entries()));
        }
    }

    /// Connects the entry if it is not, within the deadline.
    async fn peer(&self, servers: &Arc<AgentServers>, entry: &Arc<Entry>) -> Result<connect::Peer> {
        let deadline = self.0.settings.deadline;
        match tokio::time::timeout(deadline, entry.peer(self, servers)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let message = format!("{} did not answer within {deadline:?}.", entry.name());
                entry.failed(&message);
                self.show(servers);
                Err(Error::coded(Code::McpUnavailable, message).with_fix("try again; the next use connects anew"))
            }
        }
    }
}

impl McpServers for McpHub {
    fn frame(&self, host: &dyn Host) -> Option<Message> {
        let servers = match self.servers(host) {
            Ok(servers) => servers,
            Err(error) => {
                tracing::warn!(agent = %host.id(), error = ?error, "MCP servers could not be read");
                return None;
            }
        };
        let entries = servers.entries();
        if entries.is_empty() {
            self.0.agents.lock().remove(host.id());
            return None;
        }
        Some(show::frame(&entries))
    }
}

impl fmt::Debug for McpHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpHub").field("agents", &self.0.agents.lock().len()).finish_non_exhaustive()
    }
}
