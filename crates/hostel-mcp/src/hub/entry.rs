//! One registered server: its connection, if there is one, and what is known of it.

use std::{sync::Arc, time::Duration};

use hostel_core::{Error, Result};
use hostel_protocol::refusal::Code;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{sync::Mutex as AsyncMutex, time::Instant};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    McpHub,
    agent::AgentServers,
    connect::{self, Peer},
    grants::{Keep, Known},
    rows::Row,
    show, sign_in,
};
use crate::client::{McpTool, Place, ServerState, ServerStatus};

/// One registered server.
pub(super) struct Entry {
    pub(super) row: Row,
    /// Held while it is being connected, so that all who need it share one attempt.
    live: AsyncMutex<Option<Live>>,
    seen: Mutex<Seen>,
    known: Known,
}

struct Live {
    peer: Peer,
    _until_dropped: DropGuard,
}

/// What is known of it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) state: ServerState,
    pub(super) error: Option<String>,
    pub(super) auth_url: Option<String>,
    pub(super) tools: Vec<McpTool>,
    pub(super) prompts: Vec<Value>,
    pub(super) resources: Vec<Value>,
    pub(super) instructions: Option<String>,
    pub(super) capabilities: Value,
    used: Instant,
}

impl Entry {
    pub(super) fn new(row: Row) -> Arc<Self> {
        let seen = Seen {
            state: ServerState::NotConnected,
            error: None,
            auth_url: None,
            tools: Vec::new(),
            prompts: Vec::new(),
            resources: Vec::new(),
            instructions: None,
            capabilities: Value::Null,
            used: Instant::now(),
        };
        Arc::new(Self { row, live: AsyncMutex::default(), seen: Mutex::new(seen), known: Known::default() })
    }

    pub(super) fn name(&self) -> &str {
        &self.row.name
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen.lock().clone()
    }

    pub(super) fn status(&self) -> ServerStatus {
        let seen = self.seen.lock();
        ServerStatus {
            id: self.row.id.clone(),
            name: self.row.name.clone(),
            state: seen.state,
            error: seen.error.clone(),
            auth_url: seen.auth_url.clone(),
            place: self.row.server.place.clone(),
        }
    }

    pub(super) fn usable_tools(&self) -> Vec<McpTool> {
        let seen = self.seen.lock();
        if seen.state == ServerState::Ready { seen.tools.clone() } else { Vec::new() }
    }

    pub(super) fn used(&self) {
        self.seen.lock().used = Instant::now();
    }

    fn change(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock());
    }

    pub(super) fn failed(&self, why: &str) {
        self.change(|seen| {
            seen.state = ServerState::Failed;
            seen.error = Some(show::sanitised(why));
            seen.auth_url = None;
        });
    }

    /// Somebody has to sign in first, at this link.
    pub(super) fn authenticating(&self, link: String) {
        self.change(|seen| {
            seen.state = ServerState::Authenticating;
            seen.error = None;
            seen.auth_url = Some(link);
        });
    }

    /// Somebody has: it can be connected.
    pub(super) fn signed_in(&self) {
        self.change(|seen| {
            seen.state = ServerState::NotConnected;
            seen.auth_url = None;
        });
    }

    fn waits_for_somebody(&self) -> bool {
        self.seen.lock().state == ServerState::Authenticating
    }

    /// What keeps the tokens of this server, if it is one that has any.
    pub(super) fn keep(&self, hub: &McpHub, servers: &AgentServers) -> Option<Keep> {
        let Place::Http(url) = &self.row.server.place else { return None };
        let (hub, agent, server) = (hub.clone(), servers.id.clone(), self.row.id.clone());
        Some(Keep { hub, agent, server, url: url.clone(), known: Arc::clone(&self.known) })
    }

    /// The connection ended by itself.
    pub(super) fn lost(&self, why: &str) {
        self.change(|seen| {
            seen.state = ServerState::NotConnected;
            seen.error = Some(show::sanitised(why));
        });
    }

    /// Its connection, made if there is none.
    pub(super) async fn peer(self: &Arc<Self>, hub: &McpHub, servers: &Arc<AgentServers>) -> Result<Peer> {
        let mut live = self.live.lock().await;
        if let Some(live) = live.as_ref().filter(|live| !live.peer.is_transport_closed()) {
            self.used();
            return Ok(live.peer.clone());
        }
        *live = None;
        // A link that somebody may have open stays the one that is good.
        if self.waits_for_somebody() && hub.0.away.has(self) {
            return Err(sign_in::asked(self));
        }
        match self.connect(hub, servers).await {
            Ok((peer, guard)) => {
                *live = Some(Live { peer: peer.clone(), _until_dropped: guard });
                Ok(peer)
            }
            Err(error) if self.waits_for_somebody() => {
                hub.show(servers);
                Err(error)
            }
            Err(error) => {
                self.failed(error.message());
                hub.show(servers);
                let message = format!("{} cannot be used: {}", self.name(), show::sanitised(error.message()));
                let code = error.code().filter(|code| *code == Code::AddressRefused).unwrap_or(Code::McpUnavailable);
                Err(Error::coded(code, message).with_fix("look at `cx.mcp().list()`; the next use tries again"))
            }
        }
    }

    async fn connect(self: &Arc<Self>, hub: &McpHub, servers: &Arc<AgentServers>) -> Result<(Peer, DropGuard)> {
        let to = |state| {
            self.change(|seen| {
                seen.state = state;
                seen.error = None;
                seen.auth_url = None;
            });
            hub.show(servers);
        };
        to(ServerState::Connecting);
        let service = connect::open(hub, self, servers).await?;
        let peer = service.peer().clone();
        to(ServerState::Connected);
        to(ServerState::Discovering);
        let found = connect::discover(&peer, &self.row.id).await?;
        self.change(|seen| {
            seen.tools = found.tools;
            seen.prompts = found.prompts;
            seen.resources = found.resources;
            seen.instructions = found.instructions;
            seen.capabilities = found.capabilities;
            seen.used = Instant::now();
        });
        to(ServerState::Ready);
        let stop = CancellationToken::new();
        tokio::spawn(watch(hub.clone(), Arc::clone(servers), Arc::downgrade(self), service, stop.clone()));
        Ok((peer, stop.drop_guard()))
    }

    /// The server says that its tools are others now.
    pub(super) async fn rediscover(self: Arc<Self>, hub: McpHub, servers: Arc<AgentServers>, peer: Peer) {
        match connect::discover(&peer, &self.row.id).await {
            Ok(found) => self.change(|seen| {
                seen.tools = found.tools;
                seen.prompts = found.prompts;
                seen.resources = found.resources;
            }),
            Err(error) => self.change(|seen| seen.error = Some(show::sanitised(error.message()))),
        }
        hub.show(&servers);
    }

    /// Ends the connection.
    pub(super) async fn disconnect(&self) {
        *self.live.lock().await = None;
    }

    fn idle_for(&self) -> Duration {
        self.seen.lock().used.elapsed()
    }
}

/// Owns a connection: ends it when nobody uses it, and says so when it ends by itself.
async fn watch(
    hub: McpHub,
    servers: Arc<AgentServers>,
    entry: std::sync::Weak<Entry>,
    service: connect::Service,
    stop: CancellationToken,
) {
    let idle = hub.0.settings.idle;
    let ended = service.cancellation_token();
    let waiting = service.waiting();
    tokio::pin!(waiting);
    loop {
        let rest = entry.upgrade().map_or(Duration::ZERO, |entry| idle.saturating_sub(entry.idle_for()));
        tokio::select! {
            _ = &mut waiting => {
                if let Some(entry) = entry.upgrade() {
                    entry.lost("The server ended the connection.");
                    hub.show(&servers);
                }
                return;
            }
            () = stop.cancelled() => break,
            () = tokio::time::sleep(rest.max(Duration::from_millis(10))) => {
                let Some(entry) = entry.upgrade() else { break };
                if entry.idle_for() >= idle {
                    entry.change(|seen| seen.state = ServerState::NotConnected);
                    hub.show(&servers);
                    break;
                }
            }
        }
    }
    ended.cancel();
    let _ended = waiting.await;
}
