//! `routeAgentRequest` as a tower service.

mod annex;
mod cors;
mod hooks;
mod retry;
mod sub;

use std::{
    borrow::Cow,
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use futures_util::future::BoxFuture;
use hostel_core::{Identity, allow};
use hostel_protocol::{
    OneLine,
    name::{NoMatch, Route, check_name, route},
    refusal::{Code, Refusal},
};
use hostel_runtime::Binding;
use http::{HeaderMap, Method, Request, Response};
use serde_json::Value;
use tracing::Instrument;

pub use self::{
    annex::{Annex, Plot},
    cors::Cors,
    hooks::{Before, Lobby},
    retry::RoutingRetry,
};
use self::{hooks::Hook, sub::Place};
use crate::{
    address::Address,
    admission::authority,
    answer::problem,
    edge::Edge,
    headers::{self, Beliefs, REQUEST_ID},
    host::{AgentHost, refuse_upgrade},
    listener::ConnInfo,
    request_id::RequestId,
    steps::{self, Kind},
    ws,
};

/// Routes `/{prefix}/{agent}/{name}` to agents, over HTTP and WebSocket.
///
/// An ordinary tower service: mount it in any axum router, or ask it with [`AgentRouter::try_route`] and do what you like
/// with the requests that are not for agents.
///
/// ```no_run
/// # fn demo(edge: hostel_edge::Edge) -> axum::Router {
/// use hostel_edge::{Before, Cors};
///
/// let agents = edge.route_agent_request().prefix("api/v1").cors(Cors::permissive());
/// axum::Router::new().nest_service("/health", axum::routing::get(|| async { "fine" })).fallback_service(agents)
/// # }
/// ```
#[derive(Clone)]
pub struct AgentRouter {
    edge: Edge,
    options: Arc<Options>,
}

#[derive(Clone)]
struct Options {
    prefix: String,
    cors: Option<Cors>,
    props: Option<Arc<Value>>,
    before_connect: Option<Hook>,
    before_request: Option<Hook>,
    before_deadline: Duration,
    retry: RoutingRetry,
    annexes: Vec<Arc<dyn Annex>>,
}

/// Where a request goes.
struct Destination {
    binding: Arc<Binding>,
    name: String,
    identity: Option<Identity>,
}

/// The name of everybody's own agent, where somebody is asked who they are.
const ME: &str = "me";

impl AgentRouter {
    pub(crate) fn new(edge: Edge) -> Self {
        let options = Options {
            prefix: "agents".to_owned(),
            cors: None,
            props: None,
            before_connect: None,
            before_request: None,
            before_deadline: Duration::from_secs(30),
            retry: RoutingRetry::default(),
            annexes: Vec::new(),
        };
        Self { edge, options: Arc::new(options) }
    }

    fn set(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(Arc::make_mut(&mut self.options));
        self
    }

    /// Sets the leading path segments; several are joined with `/`. Default `agents`.
    #[must_use]
    pub fn prefix(self, prefix: &str) -> Self {
        self.set(|options| options.prefix = prefix.trim_matches('/').to_owned())
    }

    /// Answers preflight requests and adds CORS headers to every answer, refusals included.
    #[must_use]
    pub fn cors(self, cors: Cors) -> Self {
        self.set(|options| options.cors = Some(cors))
    }

    /// Hands a JSON value to the `on_start` of the agents it reaches: `cx.props()`.
    #[must_use]
    pub fn props(self, props: Value) -> Self {
        self.set(|options| options.props = Some(Arc::new(props)))
    }

    /// Runs before a socket reaches its agent.
    #[must_use]
    pub fn on_before_connect<F, Fut>(self, hook: F) -> Self
    where
        F: Fn(Request<Body>, Lobby) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Before> + Send + 'static,
    {
        self.set(|options| options.before_connect = Some(hooks::boxed(hook)))
    }

    /// Runs before an HTTP request reaches its agent.
    #[must_use]
    pub fn on_before_request<F, Fut>(self, hook: F) -> Self
    where
        F: Fn(Request<Body>, Lobby) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Before> + Send + 'static,
    {
        self.set(|options| options.before_request = Some(hooks::boxed(hook)))
    }

    /// Sets how long [`AgentRouter::on_before_connect`] and [`AgentRouter::on_before_request`] may take; then the client is
    /// told to come back. Default 30 s.
    #[must_use]
    pub fn before_deadline(self, deadline: Duration) -> Self {
        self.set(|options| options.before_deadline = deadline)
    }

    /// Sets how often reaching an agent is tried again.
    #[must_use]
    pub fn routing_retry(self, retry: RoutingRetry) -> Self {
        self.set(|options| options.retry = retry)
    }

    /// Answers some of the requests below agents in their place; see [`Annex`]. The first one added that wants a request
    /// gets it.
    #[must_use]
    pub fn annex(self, annex: impl Annex) -> Self {
        self.set(|options| options.annexes.push(Arc::new(annex)))
    }

    /// Answers a request that is for an agent; gives every other one back, untouched.
    ///
    /// # Errors
    /// The request, when its path does not match: `routeAgentRequest` returning `null`.
    pub async fn try_route(&self, request: Request<Body>) -> Result<Response<Body>, Box<Request<Body>>> {
        match route(request.uri().path(), &self.options.prefix) {
            Route::Agent(_) => Ok(self.matched(request).await),
            Route::NoMatch(_) => Err(Box::new(request)),
        }
    }

    /// Answers any request; one that is for no agent with a reason.
    pub async fn answer(&self, mut request: Request<Body>) -> Response<Body> {
        let id = request.extensions().get::<RequestId>().cloned().unwrap_or_default();
        request.extensions_mut().insert(id.clone());
        match self.try_route(request).await {
            Ok(response) => response,
            Err(request) => {
                let cors = self.cors_headers(&request);
                signed(self.not_routed(*request, &id), &id, cors)
            }
        }
    }

    fn not_routed(&self, request: Request<Body>, id: &RequestId) -> Response<Body> {
        let refusal = self.edge.admission.check(request.headers()).err();
        let refusal = refusal.unwrap_or_else(|| match route(request.uri().path(), &self.options.prefix) {
            Route::NoMatch(NoMatch::MissingAgent { .. }) if self.may_list() => self.listing(),
            Route::NoMatch(no_match) => no_match.refusal(request.uri().path(), &self.options.prefix),
            Route::Agent(_) => Refusal::new(Code::NoRoute, "This path is not served."),
        });
        self.refuse(request, refusal, id)
    }

    fn may_list(&self) -> bool {
        self.edge.node.options().development && !self.edge.authenticates()
    }

    /// In development, `/agents` alone says what there is.
    fn listing(&self) -> Refusal {
        let slugs: Vec<_> = self.edge.node.directory().bindings().iter().map(|b| b.slug.as_str()).collect();
        let prefix = &self.options.prefix;
        Refusal::new(Code::NoRoute, format!("An agent is reached at /{prefix}/{{agent}}/{{name}}."))
            .with_fix(format!("agents here: {}", slugs.join(", ")))
    }

    async fn matched(&self, mut request: Request<Body>) -> Response<Body> {
        let id = request.extensions().get::<RequestId>().cloned().unwrap_or_default();
        request.extensions_mut().insert(id.clone());
        let span = tracing::info_span!("request", id = %id, method = %request.method(), path = %shown_path(&request));
        let cors = self.cors_headers(&request);
        let response = self.decide(request, &id).instrument(span).await;
        signed(response, &id, cors)
    }

    fn cors_headers(&self, request: &Request<Body>) -> Option<HeaderMap> {
        let cors = self.options.cors.as_ref()?;
        Some(cors.for_request(&self.edge.admission, request.headers()))
    }

    /// The order of decisions: site, who it is, agent, who may, what the client believes, preflight, hook, annexes, agent
    /// host.
    async fn decide(&self, mut request: Request<Body>, id: &RequestId) -> Response<Body> {
        let kind = Kind::of(&request);
        let peer = request.extensions().get::<ConnInfo>().map(|info| info.peer.to_string());
        kind.step("accept", format_args!("from {}", peer.as_deref().unwrap_or("inside the process")));
        kind.step("parse", format_args!("{:?}, {} headers", request.version(), request.headers().len()));
        take_host_from_uri(&mut request);
        let mut request = self.edge.guard.believe(request);
        let beliefs = Beliefs::read(request.headers());
        headers::drop_reserved(request.headers_mut());
        if let Err(refusal) = self.edge.admission.check(request.headers()) {
            return self.refuse(request, refusal, id);
        }
        kind.step("authorise", "host and origin may come in");
        if self.edge.authenticates() && self.is_preflight(&request) {
            return Response::default();
        }
        if let Some(annex) = self.options.annexes.iter().find(|annex| annex.wants_unasked(&request)) {
            kind.step("annex", format_args!("{annex:?} answers"));
            return annex.answer_unasked(request).await;
        }
        let (request, decision) = self.edge.guard.admit(request).await;
        let destination = match decision.and_then(|identity| self.destination(&request, &beliefs, identity)) {
            Ok(destination) => destination,
            Err(refusal) => return self.refuse(request, refusal, id),
        };
        kind.step("route", format_args!("to {}", destination.binding.slug));
        if self.is_preflight(&request) {
            return Response::default();
        }
        self.reach(request, destination, id).await
    }

    /// A browser asks without credentials whether it may send them.
    fn is_preflight(&self, request: &Request<Body>) -> bool {
        self.options.cors.is_some() && *request.method() == Method::OPTIONS
    }

    fn destination(
        &self,
        request: &Request<Body>,
        beliefs: &Beliefs,
        identity: Option<Identity>,
    ) -> Result<Destination, Refusal> {
        if let Some(identity) = &identity {
            Kind::of(request).step("authenticate", OneLine(identity.subject()));
        }
        let Route::Agent(path) = route(request.uri().path(), &self.options.prefix) else {
            return Err(Refusal::new(Code::NoRoute, "This path is not served."));
        };
        let development = self.edge.node.options().development;
        let found = self.edge.node.directory().resolve(path.agent, development);
        let binding = found.map_err(|unknown| self.guard_unknown(unknown, identity.as_ref()))?;
        let name = self.name(path.name, identity.as_ref())?;
        check_name(&name)?;
        self.edge.guard.check_permission(binding.class.info(), &name, identity.as_ref())?;
        self.check_beliefs(beliefs, ws::is_upgrade(request.headers()))?;
        if path.agent != binding.slug {
            tracing::info!(
                step = "route",
                spelled = path.agent,
                canonical = binding.slug,
                "reached by a loose spelling"
            );
        }
        Ok(Destination { binding: Arc::clone(binding), name: name.into_owned(), identity })
    }

    /// Somebody unknown hears nothing of which classes there are.
    fn guard_unknown(&self, unknown: Refusal, identity: Option<&Identity>) -> Refusal {
        let hidden = identity.is_none() && !allow::permits(self.edge.guard.rules("", None), None, "");
        if hidden { allow::denied(None) } else { unknown }
    }

    /// `me` is the agent that has its caller's name.
    fn name<'a>(&self, name: &'a str, identity: Option<&Identity>) -> Result<Cow<'a, str>, Refusal> {
        match identity {
            _ if name != ME || !self.edge.authenticates() => Ok(Cow::Borrowed(name)),
            Some(identity) => Ok(Cow::Owned(identity.subject().to_owned())),
            None => Err(allow::denied(None)),
        }
    }

    fn may_reach(&self, binding: &Binding, destination: &Destination) -> Result<(), Refusal> {
        self.edge.guard.check_permission(binding.class.info(), &destination.name, destination.identity.as_ref())
    }

    fn check_beliefs(&self, beliefs: &Beliefs, is_upgrade: bool) -> Result<(), Refusal> {
        let prefix = &self.options.prefix;
        if let Some(believed) = &beliefs.prefix
            && believed != prefix
        {
            let shown: String = believed.chars().take(80).collect();
            let message = format!("X-Agents-Namespace says \"{shown}\"; agents are served under \"{prefix}\" here.");
            return Err(Refusal::new(Code::NamespaceMismatch, message)
                .with_fix(format!("set the client's `prefix` option to \"{prefix}\", or leave the header out")));
        }
        if beliefs.wants_socket && !is_upgrade {
            let message = "The client wanted a WebSocket, but the request arrived without an Upgrade header.";
            return Err(Refusal::new(Code::UpgradeStripped, message).with_fix(
                "a proxy between client and server removes it: let it pass `Upgrade` and `Connection` on (HTTP/1.1)",
            ));
        }
        Ok(())
    }

    async fn reach(&self, request: Request<Body>, destination: Destination, id: &RequestId) -> Response<Body> {
        let hook = match ws::is_upgrade(request.headers()) {
            true => self.options.before_connect.as_ref(),
            false => self.options.before_request.as_ref(),
        };
        let lobby = Lobby { class_name: destination.binding.name.clone(), name: destination.name.clone() };
        let mut request = request;
        if let Some(identity) = &destination.identity {
            request.extensions_mut().insert(identity.clone());
        }
        let mut request = match hook {
            None => request,
            Some(hook) => match tokio::time::timeout(self.options.before_deadline, hook(request, lobby)).await {
                Ok(Before::Continue(request)) => request,
                Ok(Before::Respond(response)) => return response,
                Err(_) => return self.hook_hangs(id),
            },
        };
        // The hook may have made a new request; who sent it does not change by that.
        if let Some(identity) = &destination.identity {
            request.extensions_mut().insert(identity.clone());
        }
        if request.extensions().get::<RequestId>().is_none() {
            request.extensions_mut().insert(id.clone());
        }
        let place = Place::of(&request, &self.options.prefix, &destination);
        match self.descend(request, place, &destination, id).await {
            Ok((request, place)) => self.arrive(request, place).await,
            Err(response) => response,
        }
    }

    /// Hands the request to the agent it is for, or to an add-on in its place.
    async fn arrive(&self, mut request: Request<Body>, place: Place) -> Response<Body> {
        let kind = Kind::of(&request);
        // Props are for the agent that the router reaches; one under it has a parent to tell it things.
        let props = if place.agent.is_sub_agent() { None } else { self.options.props.clone() };
        if let Some((annex, plot)) = self.annex_for(&request, &place, props.as_ref()) {
            kind.step("annex", format_args!("{annex:?} answers for {}", place.agent));
            return annex.answer(request, plot).await;
        }
        if self.options.retry.wake(&self.edge.node, &place.agent, props.clone()).await {
            kind.step("wake", &place.agent);
        }
        Address { id: place.agent, props }.write(&mut request);
        AgentHost::of(self.edge.clone(), place.binding).answer(request).await
    }

    /// The add-on that answers this request in the agent's place.
    fn annex_for(
        &self,
        request: &Request<Body>,
        place: &Place,
        props: Option<&Arc<Value>>,
    ) -> Option<(&dyn Annex, Plot)> {
        if self.options.annexes.is_empty() {
            return None;
        }
        let plot = Plot {
            agent: place.agent.clone(),
            class: Arc::clone(&place.binding.class),
            base: place.base.clone(),
            rest: place.rest.clone(),
            props: props.cloned(),
        };
        let annex = self.options.annexes.iter().find(|annex| annex.wants(request, &plot))?;
        Some((&**annex, plot))
    }

    /// The request went with the hook, so there is no socket left to say it on.
    fn hook_hangs(&self, id: &RequestId) -> Response<Body> {
        let limit = self.options.before_deadline;
        let message = format!("What the application does before it lets a request in did not end within {limit:?}.");
        let refusal = Refusal::new(Code::AgentUnavailable, message).with_fix("come back later");
        steps::refused(&refusal);
        problem(&refusal, Some(id))
    }

    fn refuse(&self, request: Request<Body>, refusal: Refusal, id: &RequestId) -> Response<Body> {
        if ws::is_upgrade(request.headers()) {
            return refuse_upgrade(&self.edge, request, refusal, id);
        }
        steps::refused(&refusal);
        problem(&refusal, Some(id))
    }
}

/// What every answer carries: the id under which it is found in the log, and the CORS headers, without which a page may not
/// read why it was refused.
fn signed(mut response: Response<Body>, id: &RequestId, cors: Option<HeaderMap>) -> Response<Body> {
    let is_socket = response.status() == http::StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    if let Some(value) = headers::value(id.as_str()) {
        headers.entry(REQUEST_ID).or_insert(value);
    }
    headers.extend(cors.filter(|_| !is_socket).into_iter().flatten());
    response
}

/// HTTP/2 has the host in the URI; everything after reads it from `Host`.
fn take_host_from_uri(request: &mut Request<Body>) {
    if !request.headers().contains_key(http::header::HOST)
        && let Some(value) = authority(request.uri()).and_then(headers::value)
    {
        request.headers_mut().insert(http::header::HOST, value);
    }
}

/// The path for the log: without the query, which may carry a token, and one line whatever it contains.
fn shown_path(request: &Request<Body>) -> String {
    request.uri().path().chars().take(200).flat_map(char::escape_debug).collect()
}

impl tower::Service<Request<Body>> for AgentRouter {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let router = self.clone();
        Box::pin(async move { Ok(router.answer(request).await) })
    }
}

impl fmt::Debug for AgentRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentRouter").field("prefix", &self.options.prefix).finish_non_exhaustive()
    }
}
