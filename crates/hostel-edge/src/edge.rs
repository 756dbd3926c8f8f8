//! What all routers of one application share, and agents by name.

use std::{fmt, marker::PhantomData, net::IpAddr, ops::Deref, sync::Arc};

use axum::body::Body;
use hostel_core::{Agent, AgentId, Error, Identity, Order, Result, ScheduleId};
use hostel_protocol::refusal::Refusal;
use hostel_runtime::Node;
use http::{Extensions, HeaderMap, Request, Response, request::Parts};
use serde_json::Value;

use crate::{
    address::Address,
    admission::Admission,
    auth::{self, Authenticator, Guard, Network, Permissions, Rates, Throttle},
    brake::Brake,
    host::AgentHost,
    limits::Limits,
    router::AgentRouter,
    ws::WsPolicy,
};

/// What all routers of one application share. Cheap to clone.
#[derive(Clone)]
pub struct Edge {
    pub(crate) node: Node,
    pub(crate) limits: Limits,
    pub(crate) sockets: WsPolicy,
    pub(crate) admission: Arc<Admission>,
    pub(crate) brake: Brake,
    pub(crate) guard: Arc<Guard>,
}

impl Edge {
    /// The edge of `node`, with default limits, compression on, and same-origin sockets only.
    pub fn new(node: Node) -> Self {
        let limits = Limits::default();
        let sockets = WsPolicy::new(&limits, true);
        Self { node, limits, sockets, admission: Arc::default(), brake: Brake::default(), guard: Arc::default() }
    }

    /// Sets the limits, and whether sockets compress.
    #[must_use]
    pub fn limits(mut self, limits: Limits, compression: bool) -> Self {
        self.limits = limits.clamped();
        self.sockets = WsPolicy::new(&self.limits, compression);
        self
    }

    /// Sets which sites may talk to us.
    #[must_use]
    pub fn admission(mut self, admission: Admission) -> Self {
        self.admission = Arc::new(admission);
        self
    }

    /// Asks who everybody is. Classes that declare no rule are then open to those it knows alone.
    #[must_use]
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        Arc::make_mut(&mut self.guard).authenticator = Some(Arc::new(authenticator));
        self
    }

    /// Sets who may reach the agents of which class, in place of what the classes declare.
    #[must_use]
    pub fn permissions(mut self, permissions: Permissions) -> Self {
        Arc::make_mut(&mut self.guard).permissions = permissions;
        self
    }

    /// Sets how often one address, and one identity, may come.
    #[must_use]
    pub fn rates(mut self, rates: Rates) -> Self {
        Arc::make_mut(&mut self.guard).throttle = Arc::new(Throttle::new(rates));
        self
    }

    /// Believes these proxies what they say of where a request comes from (`X-Forwarded-For`, `X-Forwarded-Proto`).
    #[must_use]
    pub fn proxies(mut self, proxies: Vec<Network>) -> Self {
        Arc::make_mut(&mut self.guard).proxies = proxies;
        self
    }

    /// Whether anybody is asked who they are.
    pub fn authenticates(&self) -> bool {
        self.guard.authenticator.is_some()
    }

    /// Who sends the request with this head; for routes that are not agents', which have the same decision that way. Takes
    /// the credentials out of the head.
    ///
    /// # Errors
    /// Why the credentials are no good.
    pub async fn identify(&self, head: &mut Parts) -> std::result::Result<Option<Identity>, Refusal> {
        self.guard.identify(head).await
    }

    /// Whether this is the address of a proxy that is believed.
    pub fn is_proxy(&self, address: IpAddr) -> bool {
        self.guard.proxies.iter().any(|proxy| proxy.has(address))
    }

    /// Whom to count a request under that shows no identity; for routes that are not agents'. It is the address the request
    /// comes from, or what a known proxy says of it; of an IPv6 address the network, for who has one has all of its last 64
    /// bits. `None` inside the process.
    pub fn neighbourhood(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
        let seen = auth::seen(headers, extensions, &self.guard.proxies).map(|info| info.peer.ip());
        seen.or_else(|| auth::address(extensions)).map(auth::network)
    }

    /// The limits in force.
    pub fn bounds(&self) -> &Limits {
        &self.limits
    }

    /// Whether a request's `Host` and `Origin` may come in; for routes that are not agents'.
    ///
    /// # Errors
    /// `host_refused` or `origin_refused`.
    pub fn check_site(&self, headers: &HeaderMap) -> std::result::Result<(), Refusal> {
        self.admission.check(headers)
    }

    /// The node behind it.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// `routeAgentRequest` as a tower service: `/agents/{agent}/{name}` reaches the agent.
    pub fn route_agent_request(&self) -> AgentRouter {
        AgentRouter::new(self.clone())
    }

    /// The host of the class `A`: answers requests that the router addressed, and refuses all others.
    ///
    /// # Errors
    /// `unknown_agent` when the class is not served.
    pub fn host<A: Agent>(&self) -> Result<AgentHost> {
        AgentHost::new(self.clone(), A::CLASS)
    }

    /// A handle to the agent `name` of class `A`, once its `on_start` has run: typed calls, and `fetch` under any path.
    ///
    /// # Errors
    /// Why it cannot be started.
    pub async fn get_agent_by_name<A: Agent>(&self, name: &str) -> Result<AgentHandle<A>> {
        self.get_agent_with_props(name, None).await
    }

    /// The older name of [`Edge::get_agent_by_name`].
    ///
    /// # Errors
    /// Why it cannot be started.
    pub async fn get_server_by_name<A: Agent>(&self, name: &str) -> Result<AgentHandle<A>> {
        self.get_agent_by_name(name).await
    }

    /// [`Edge::get_agent_by_name`], handing `props` to the agent's `on_start`.
    ///
    /// # Errors
    /// Why it cannot be started.
    pub async fn get_agent_with_props<A: Agent>(&self, name: &str, props: Option<Value>) -> Result<AgentHandle<A>> {
        hostel_protocol::name::check_name(name).map_err(Error::from_refusal)?;
        let id = AgentId::new(A::CLASS, name);
        let props = props.map(Arc::new);
        self.node.wake(&id, props.clone()).await?;
        Ok(AgentHandle {
            stub: self.node.agent::<A>(name),
            host: self.host::<A>()?,
            address: Address { id, props },
            _class: PhantomData,
        })
    }
}

impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edge").field("node", &self.node).finish_non_exhaustive()
    }
}

/// One agent by name. Its stub's calls are methods of the handle.
pub struct AgentHandle<A: Agent> {
    stub: A::Stub,
    host: AgentHost,
    address: Address,
    _class: PhantomData<fn() -> A>,
}

impl<A: Agent> AgentHandle<A> {
    /// Hands over an HTTP request or a socket, under any path: the server half of a client's `basePath`.
    ///
    /// Nobody is asked who they are, and the rules of the class are not applied: whoever has the handle has decided. The
    /// request's extensions may hold an [`Identity`], which the agent then sees. For what comes from outside and has not been
    /// decided about yet, see [`AgentHandle::answer`].
    pub async fn fetch(&self, mut request: Request<Body>) -> Response<Body> {
        self.address.clone().write(&mut request);
        self.host.answer(request).await
    }

    /// [`AgentHandle::fetch`] for a request from outside, under the decisions that [`AgentRouter`] makes: which site it comes
    /// from, how often its sender may come, who that is, and whether they may reach this agent.
    ///
    /// ```
    /// # use axum::{body::Body, extract::{Request, State}, response::Response, http::StatusCode, response::IntoResponse};
    /// use hostel_edge::Edge;
    ///
    /// /// `/inbox`: the agent that everybody shares.
    /// async fn inbox<Inbox: hostel_core::Agent>(State(edge): State<Edge>, request: Request) -> Response {
    ///     match edge.get_agent_by_name::<Inbox>("shared").await {
    ///         Ok(inbox) => inbox.answer(request).await,
    ///         Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    ///     }
    /// }
    /// ```
    pub async fn answer(&self, request: Request<Body>) -> Response<Body> {
        self.host.answer_outside(request, self.address.clone()).await
    }

    /// Keeps a run of one of its tasks, once for each `key`; see [`Node::order`].
    ///
    /// # Errors
    /// Those of [`Node::order`].
    pub async fn order(&self, order: Order, key: Option<&str>) -> Result<ScheduleId> {
        self.host.edge().node().order(&self.address.id, order, key).await
    }

    /// Typed calls.
    pub fn stub(&self) -> &A::Stub {
        &self.stub
    }
}

impl<A: Agent> Deref for AgentHandle<A> {
    type Target = A::Stub;

    fn deref(&self) -> &A::Stub {
        &self.stub
    }
}

impl<A: Agent> fmt::Debug for AgentHandle<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AgentHandle").field(&self.address.id).finish()
    }
}
