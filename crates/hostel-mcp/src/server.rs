//! Agents as MCP servers.

mod handler;
mod heard;
mod outcome;
mod presence;
mod prompt;
mod resource;
mod schema;
mod sessions;
mod subscriptions;
mod surface;

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use axum::{Router, body::Body, response::IntoResponse};
use futures_util::{StreamExt, future::BoxFuture};
use hostel_core::{
    Agent,
    erased::{Class, ClassOf},
};
use hostel_edge::{AgentRouter, Annex, Edge, Plot, listener::ConnInfo, problem};
use http::{HeaderName, HeaderValue, Request, Response, header};
use http_body_util::BodyExt;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};

use self::{
    handler::{Handler, Target},
    sessions::{Checked, Sessions},
    surface::Surface,
};

/// How long a session is kept whose client neither asks nor reads anything.
const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);

/// The header that names a session.
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// One class as an MCP server: its callables are tools, its agents' state is a resource.
///
/// It speaks streamable HTTP in the revisions 2026-07-28 (without sessions) and 2025-11-25, 2025-06-18 and 2025-03-26 (with).
/// The site check and the permissions are those of the edge; this is asked afterwards.
#[derive(Clone)]
pub struct McpServer(Arc<Inner>);

struct Inner {
    service: StreamableHttpService<Handler, LocalSessionManager>,
    sessions: Sessions,
}

impl McpServer {
    /// Offers the class.
    pub fn new(edge: &Edge, class: Arc<dyn Class>) -> Self {
        let (surface, edge) = (Arc::new(Surface::of(class)), edge.clone());
        let mut manager = LocalSessionManager::default();
        manager.session_config.keep_alive = Some(SESSION_IDLE);
        let manager = Arc::new(manager);
        let mut config = StreamableHttpServerConfig::default();
        config.max_request_body_bytes = usize::try_from(edge.bounds().body_bytes).unwrap_or(usize::MAX);
        // Host and Origin were checked by the edge, which knows what the operator lets in.
        let config = config.disable_allowed_hosts().disable_allowed_origins();
        let sessions = Sessions::new(Arc::clone(&manager));
        let service =
            StreamableHttpService::new(move || Ok(Handler::new(Arc::clone(&surface), edge.clone())), manager, config);
        Self(Arc::new(Inner { service, sessions }))
    }

    /// Offers one agent, to be [mounted](MountedAgent::mount) anywhere.
    ///
    /// ```no_run
    /// # use hostel_core::Agent;
    /// # fn demo<Counter: Agent>(edge: &hostel_edge::Edge) -> axum::Router {
    /// use hostel_mcp::McpServer;
    ///
    /// axum::Router::new().merge(McpServer::of::<Counter>(edge, "shared").mount("/mcp"))
    /// # }
    /// ```
    pub fn of<A: Agent>(edge: &Edge, name: &str) -> MountedAgent {
        let class: Arc<dyn Class> = Arc::new(ClassOf::<A>::new());
        let path = format!("/agents/{}/{name}/mcp", class.info().namespace);
        MountedAgent { router: edge.route_agent_request().annex(McpAnnex::new(edge, [class])), path }
    }

    /// Answers a request for one agent. It was let in already.
    async fn answer(&self, mut request: Request<Body>, target: Target) -> Response<Body> {
        let stop = request.extensions().get::<ConnInfo>().map(|info| info.shutdown.clone()).unwrap_or_default();
        let owner = sessions::Owner::of(&target.agent, &request);
        let Checked { begins, client } = match self.0.sessions.check(&owner, &mut request) {
            Ok(checked) => checked,
            Err(refusal) => return problem(&refusal, None),
        };
        request.extensions_mut().insert(target);
        request.extensions_mut().insert(Arc::clone(&client));
        let mut response = self.0.service.handle(request).await;
        if begins && let Some(id) = response.headers().get(SESSION) {
            self.0.sessions.begun(id, owner, Arc::clone(&client));
        }
        let exposed = HeaderValue::from_static("mcp-session-id, mcp-protocol-version");
        response.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        // A stream that is left open would hold up the end of the server, and one that nobody reads the end of its session.
        response.map(|body| {
            let reader = Arc::clone(&client);
            let end = async move { client.during(stop.cancelled()).await };
            let seen = move |piece| {
                reader.seen();
                piece
            };
            Body::from_stream(body.into_data_stream().map(seen).take_until(end))
        })
    }
}

/// One agent as an MCP server at a path of your choice.
#[derive(Debug, Clone)]
pub struct MountedAgent {
    router: AgentRouter,
    path: String,
}

impl MountedAgent {
    /// A router with nothing but this agent at `path`. Who and what may come in is decided as for the agent itself.
    pub fn mount(self, path: &str) -> Router {
        let answer = move |request: Request<Body>| {
            let (router, inner) = (self.router.clone(), self.path.clone());
            async move { router.answer(under(request, inner)).await }
        };
        Router::new().route(path, axum::routing::any(answer))
    }
}

/// The request as it would have come to the agent's own path.
fn under(mut request: Request<Body>, mut path: String) -> Request<Body> {
    if let Some(query) = request.uri().query() {
        path = format!("{path}?{query}");
    }
    // What is no path leads to no agent, and is answered so.
    *request.uri_mut() = path.parse().unwrap_or_default();
    request
}

/// The MCP servers of several classes, each below its agents at `/agents/{agent}/{name}/mcp`.
///
/// Only classes that are named here offer anything: an agent's callables were written for its own pages, and a model at the
/// other end may be led by whatever it reads.
pub struct McpAnnex {
    classes: HashMap<Arc<str>, McpServer>,
}

impl McpAnnex {
    /// Offers these classes.
    pub fn new(edge: &Edge, classes: impl IntoIterator<Item = Arc<dyn Class>>) -> Self {
        let offer = |class: Arc<dyn Class>| (Arc::clone(&class.info().namespace), McpServer::new(edge, class));
        Self { classes: classes.into_iter().map(offer).collect() }
    }
}

impl Annex for McpAnnex {
    fn wants(&self, request: &Request<Body>, plot: &Plot) -> bool {
        plot.rest == "mcp"
            && !request.headers().contains_key(header::UPGRADE)
            && self.classes.contains_key(&plot.class.info().namespace)
    }

    fn answer(&self, request: Request<Body>, plot: Plot) -> BoxFuture<'static, Response<Body>> {
        let server = self.classes.get(&plot.class.info().namespace).cloned();
        Box::pin(async move {
            match server {
                Some(server) => {
                    let client = request.extensions().get().cloned();
                    server.answer(request, Target { agent: plot.agent, props: plot.props, client }).await
                }
                None => http::StatusCode::NOT_FOUND.into_response(),
            }
        })
    }
}

impl fmt::Debug for McpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("McpServer")
    }
}

impl fmt::Debug for McpAnnex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MCP")
    }
}
