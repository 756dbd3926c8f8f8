//! The operator's endpoints under `/_hostel/`: what is there, what keeps failing, and data without code.
//!
//! They answer programs on this machine alone, whatever address the server listens on. A proxy on this machine is no such
//! program: it speaks for somebody else.

use std::net::IpAddr;

use hostel::{
    AgentId, Code, ConnInfo, Edge, Error, Refusal,
    axum::{
        Json, Router,
        body::Body,
        extract::{Path, Query, Request, State},
        middleware::Next,
        response::{IntoResponse, Response},
        routing::{get, post},
    },
    http::{HeaderMap, header},
    problem,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// Most agents listed at once.
const PAGE: usize = 1_000;

pub(crate) fn routes(edge: Edge) -> Router {
    Router::new()
        .route("/_hostel/agents", get(classes))
        .route("/_hostel/agents/{namespace}", get(agents))
        .route("/_hostel/agents/{namespace}/{name}/clear", post(clear))
        .route("/_hostel/agents/{namespace}/{name}/state", get(state))
        .with_state(edge)
}

/// Refuses whoever does not connect from this machine: there is no authentication to tell an operator by.
pub(crate) async fn from_this_machine(request: Request, next: Next) -> Response {
    let local = request.extensions().get::<ConnInfo>().is_none_or(|info| info.peer.ip().is_loopback());
    if local && !came_through_a_proxy(request.headers()) {
        return next.run(request).await;
    }
    let refusal = Refusal::new(Code::Forbidden, "The operator's endpoints answer this machine alone.");
    problem(&refusal.with_fix("run the command on the server itself, or through a tunnel"), None)
}

/// Whether a proxy says whom it speaks for, or asks under the public name it was asked by.
fn came_through_a_proxy(headers: &HeaderMap) -> bool {
    let forwarding = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    forwarding.iter().any(|name| headers.contains_key(*name)) || !is_loopback_name(host)
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The same decision about sites as for agents.
pub(crate) async fn same_site(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    match edge.check_site(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => problem(&refusal, None),
    }
}

/// An error as a response.
struct Failed(Error);

impl IntoResponse for Failed {
    fn into_response(self) -> Response<Body> {
        problem(&self.0.to_refusal(Code::Internal), None)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

async fn classes(State(edge): State<Edge>) -> Result<Json<Value>, Failed> {
    let classes = edge.node().overview().await?;
    let show = |class: hostel::ClassOverview| {
        let mut shown = json!(class);
        shown["quarantined"] = class.quarantined.iter().map(quarantined).collect();
        shown
    };
    Ok(Json(json!({"classes": classes.into_iter().map(show).collect::<Vec<_>>()})))
}

fn quarantined(agent: &hostel::Quarantined) -> Value {
    json!({
        "name": agent.id.name(),
        "failures": agent.failures,
        "retry_in_seconds": agent.retry_in.as_secs_f64(),
        "reason": agent.reason,
    })
}

#[derive(Debug, Deserialize)]
struct Page {
    limit: Option<usize>,
    after: Option<String>,
}

async fn agents(
    State(edge): State<Edge>,
    Path(namespace): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Failed> {
    let namespace = known(&edge, &namespace)?;
    let limit = page.limit.unwrap_or(100).clamp(1, PAGE);
    let agents = edge.node().agents(&namespace, limit, page.after.as_deref()).await?;
    let next = (agents.len() == limit).then(|| agents.last().map(|agent| agent.cursor.clone())).flatten();
    let show = |agent: hostel::AgentOverview| {
        let unreadable = || format!("(unreadable: {})", agent.problem.as_deref().unwrap_or("no name inside"));
        json!({
            "name": agent.name.clone().unwrap_or_else(unreadable),
            "awake": agent.awake,
            "sockets": agent.sockets,
            "bytes": agent.bytes,
        })
    };
    Ok(Json(json!({"agents": agents.into_iter().map(show).collect::<Vec<_>>(), "next": next})))
}

async fn clear(
    State(edge): State<Edge>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Json<Value>, Failed> {
    let id = agent(&edge, &namespace, &name)?;
    Ok(Json(json!({"cleared": edge.node().clear_quarantine(&id)})))
}

async fn state(
    State(edge): State<Edge>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Json<Value>, Failed> {
    let id = agent(&edge, &namespace, &name)?;
    Ok(Json(json!(edge.node().safe_state(&id).await?)))
}

fn agent(edge: &Edge, namespace: &str, name: &str) -> Result<AgentId, Failed> {
    let namespace = known(edge, namespace)?;
    Ok(AgentId::new(&namespace, name))
}

/// The namespace a spelling means.
fn known(edge: &Edge, spelling: &str) -> Result<String, Failed> {
    let found = edge.node().directory().resolve(spelling, true);
    let binding = found.map_err(|refusal| Failed(Error::from_refusal(refusal)))?;
    Ok(binding.class.info().namespace.to_string())
}

#[cfg(test)]
mod tests {
    use hostel::http::HeaderValue;

    use super::*;

    #[test]
    fn a_proxy_on_this_machine_is_not_taken_for_its_operator() {
        let headers = |host: &'static str, extra: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            extra.map(|name| headers.insert(name, HeaderValue::from_static("203.0.113.9")));
            headers
        };
        for host in ["localhost", "LOCALHOST:8787", "127.0.0.1:8787", "127.0.0.1", "[::1]:8787", "[::1]"] {
            assert!(!came_through_a_proxy(&headers(host, None)), "{host}");
            for sign in ["x-forwarded-for", "forwarded", "via", "x-real-ip"] {
                assert!(came_through_a_proxy(&headers(host, Some(sign))), "{host} {sign}");
            }
        }
        for host in ["agents.example", "agents.example:443", "203.0.113.9:8787", "localhost.evil.test", ""] {
            assert!(came_through_a_proxy(&headers(host, None)), "{host}");
        }
    }
}
