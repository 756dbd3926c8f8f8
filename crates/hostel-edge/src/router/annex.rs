//! Add-ons that answer certain requests below an agent, before it is woken.

use std::{fmt, sync::Arc};

use axum::body::Body;
use futures_util::future::BoxFuture;
use hostel_core::{AgentId, erased::Class};
use http::{Request, Response};
use serde_json::Value;

/// Answers certain requests below an agent in its place: `/agents/{agent}/{name}/mcp`, say.
///
/// It is asked when the request has passed everything that may refuse it (site, authentication, the class's permission, the
/// application's hooks) and before the agent is woken: an annex that needs no agent wakes none. Who asks is in the request's
/// extensions, where no client can put anything. The request's full URI is not made absolute; the path is as it came.
///
/// A router without annexes spends nothing on them.
///
/// ```
/// use axum::body::Body;
/// use futures_util::future::BoxFuture;
/// use hostel_edge::{Annex, Plot};
/// use http::{Request, Response};
///
/// /// Answers `/agents/{agent}/{name}/about`.
/// #[derive(Debug)]
/// struct About;
///
/// impl Annex for About {
///     fn wants(&self, _: &Request<Body>, plot: &Plot) -> bool {
///         plot.rest == "about"
///     }
///
///     fn answer(&self, _: Request<Body>, plot: Plot) -> BoxFuture<'static, Response<Body>> {
///         Box::pin(async move { Response::new(Body::from(plot.class.info().doc.to_string())) })
///     }
/// }
/// # fn demo(edge: hostel_edge::Edge) -> hostel_edge::AgentRouter {
/// edge.route_agent_request().annex(About)
/// # }
/// ```
pub trait Annex: fmt::Debug + Send + Sync + 'static {
    /// Whether it answers this request. Asked for every request below an agent, so it looks at path, method and query, and
    /// does nothing that takes time.
    fn wants(&self, request: &Request<Body>, plot: &Plot) -> bool;

    /// Answers it.
    fn answer(&self, request: Request<Body>, plot: Plot) -> BoxFuture<'static, Response<Body>>;

    /// Whether it answers this request before anybody is asked who they are, and whatever agent it is for: a browser that
    /// comes back from elsewhere brings no token. The site check came before. What it takes here must be let in by a secret
    /// of its own.
    fn wants_unasked(&self, request: &Request<Body>) -> bool {
        let _ = request;
        false
    }

    /// Answers what it [wants unasked](Annex::wants_unasked).
    fn answer_unasked(&self, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let _ = request;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = http::StatusCode::NOT_FOUND;
        Box::pin(std::future::ready(response))
    }
}

/// The agent that a request lies below.
#[derive(Debug, Clone)]
pub struct Plot {
    /// The agent. It may be asleep, or never have been.
    pub agent: AgentId,
    /// Its class.
    pub class: Arc<dyn Class>,
    /// The path of the agent as this request spelled it, without a slash at its end: `/agents/counter/room`.
    pub base: String,
    /// The path below the agent, without the slash before it; may be empty.
    pub rest: String,
    /// What the router hands to the agent's `on_start`.
    pub props: Option<Arc<Value>>,
}
