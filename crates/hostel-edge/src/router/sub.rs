//! Requests for agents under others: `/agents/{agent}/{name}/sub/{child}/{name}[/sub/..][/rest]` (agents-protocol, 1.9).
//!
//! Each parent on the way is asked, in its own `on_before_sub_agent`, and what it lets through goes on with the rest of the path.
//! What names no agent that could be there is the parent's own request.

use std::sync::Arc;

use axum::body::Body;
use hostel_core::{AgentId, BeforeSubAgent, Error, Identity};
use hostel_protocol::{
    name::{Route, encode_segment, route, sub_path},
    refusal::Code,
};
use hostel_runtime::Binding;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode, Uri, header, uri::PathAndQuery};

use super::{AgentRouter, Destination};
use crate::{
    answer::failure,
    host::{make_absolute, reject_upgrade},
    request_id::RequestId,
    steps::{self, Kind},
    ws,
};

/// Headers by which a WebSocket opens: a parent that changes a request cannot lose them.
const OF_UPGRADE: [HeaderName; 6] = [
    header::CONNECTION,
    header::UPGRADE,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_PROTOCOL,
    header::SEC_WEBSOCKET_EXTENSIONS,
];

/// Where a request has got to on its way down.
pub(super) struct Place {
    pub(super) agent: AgentId,
    pub(super) binding: Arc<Binding>,
    /// The path of the agent as the request spelled it.
    pub(super) base: String,
    /// The path below it, without the slash before it.
    pub(super) rest: String,
}

impl Place {
    /// At the top.
    pub(super) fn of(request: &Request<Body>, prefix: &str, destination: &Destination) -> Self {
        let namespace = Arc::clone(&destination.binding.class.info().namespace);
        let path = request.uri().path();
        let rest = match route(path, prefix) {
            Route::Agent(found) => found.rest,
            Route::NoMatch(_) => "",
        };
        Self {
            agent: AgentId::in_namespace(namespace, &destination.name),
            binding: Arc::clone(&destination.binding),
            base: path[..path.len() - rest.len()].trim_end_matches('/').to_owned(),
            rest: rest.to_owned(),
        }
    }
}

/// Goes on to the agent, or is answered already.
pub(super) type Descent = Result<(Request<Body>, Place), Response<Body>>;

impl AgentRouter {
    /// Follows a request down to the agent it is for.
    pub(super) async fn descend(
        &self,
        mut request: Request<Body>,
        mut place: Place,
        destination: &Destination,
        id: &RequestId,
    ) -> Descent {
        while let Some((child, below)) = self.next(&place) {
            let child = match child {
                Ok(child) => child,
                Err(error) => return Err(self.refuse(request, error.to_refusal(Code::NameInvalid), id)),
            };
            let binding = &below.binding;
            // Whose it is, is a matter of the agent at the top.
            if let Err(refusal) = self.may_reach(binding, destination) {
                return Err(self.refuse(request, refusal, id));
            }
            Kind::of(&request).step("route", format_args!("on to {child}"));
            request = self.pass(request, &place, &child, &below.rest, id).await?;
            place = Place { agent: child, rest: below.rest.trim_start_matches('/').to_owned(), ..below };
        }
        Ok((request, place))
    }

    /// The agent under this one that the path goes on to.
    fn next(&self, place: &Place) -> Option<(Result<AgentId, Error>, Place)> {
        let directory = self.edge.node.directory();
        let sub = sub_path(&place.rest, |class| class != "sub" && directory.by_namespace(class).is_some())?;
        let binding = Arc::clone(directory.by_namespace(sub.class)?);
        let child = place.agent.sub_agent_in(sub.class, &sub.name);
        let base = format!("{}/sub/{}/{}", place.base, sub.class, encode_segment(&sub.name));
        let below = Place { agent: place.agent.clone(), binding, base, rest: sub.rest.into_owned() };
        Some((child, below))
    }

    /// Asks the parent, and gives the request the path that the child is shown.
    async fn pass(
        &self,
        request: Request<Body>,
        parent: &Place,
        child: &AgentId,
        rest: &str,
        id: &RequestId,
    ) -> Result<Request<Body>, Response<Body>> {
        let props = if parent.agent.is_sub_agent() { None } else { self.options.props.clone() };
        self.options.retry.wake(&self.edge.node, &parent.agent, props).await;
        let is_upgrade = ws::is_upgrade(request.headers());
        let (asked, kept) = split(request, is_upgrade);
        let asking = self.edge.node.before_sub_agent(child, asked);
        let verdict = match tokio::time::timeout(self.options.before_deadline, asking).await {
            Ok(verdict) => verdict,
            Err(_) => return Err(self.hook_hangs(id)),
        };
        match verdict {
            Ok(BeforeSubAgent::Continue(passed)) => Ok(kept.joined(passed, rest)),
            Ok(BeforeSubAgent::Respond(response)) if is_upgrade => {
                let (code, reason) = rejection(response.status());
                steps::rejected(code, &reason);
                Err(reject_upgrade(&self.edge, kept.request, code, reason, id))
            }
            Ok(BeforeSubAgent::Respond(response)) => Err(response.map(Body::new)),
            Err(error) => {
                tracing::warn!(agent = %parent.agent, error = ?error, "on_before_sub_agent failed");
                let development = self.edge.node.options().development;
                let class = &parent.binding.class.info().class;
                Err(match is_upgrade {
                    true => self.refuse(kept.request, error.to_refusal(Code::ConnectFailed), id),
                    false => failure(class, parent.agent.name(), &error, development, id),
                })
            }
        }
    }
}

/// What of a request stays here while the parent is asked.
struct Kept {
    request: Request<Body>,
    is_upgrade: bool,
}

/// The request as the parent sees it, and what stays: for a WebSocket all of it, of others what is not the parent's to change.
fn split(mut request: Request<Body>, is_upgrade: bool) -> (hostel_core::Request, Kept) {
    make_absolute(&mut request);
    let body = std::mem::take(request.body_mut());
    let mut asked = Request::new(hostel_core::Body::new(body));
    *asked.method_mut() = request.method().clone();
    *asked.uri_mut() = request.uri().clone();
    *asked.headers_mut() = request.headers().clone();
    if let Some(identity) = request.extensions().get::<Identity>() {
        asked.extensions_mut().insert(identity.clone());
    }
    (asked, Kept { request, is_upgrade })
}

impl Kept {
    /// The request as it goes on: what the parent made of it, at the path below the child.
    fn joined(self, passed: hostel_core::Request, rest: &str) -> Request<Body> {
        let Self { mut request, is_upgrade } = self;
        let (mut parts, body) = passed.into_parts();
        let path = match parts.uri.query() {
            Some(query) => format!("{rest}?{query}"),
            None => rest.to_owned(),
        };
        *request.uri_mut() = PathAndQuery::try_from(path).map(Uri::from).unwrap_or_default();
        if is_upgrade {
            keep(&OF_UPGRADE, request.headers(), &mut parts.headers);
        } else {
            *request.method_mut() = parts.method;
            *request.body_mut() = Body::new(body);
        }
        keep(&[header::HOST], request.headers(), &mut parts.headers);
        *request.headers_mut() = parts.headers;
        request
    }
}

/// Copies headers over those of the same name.
fn keep(names: &[HeaderName], from: &HeaderMap, to: &mut HeaderMap) {
    for name in names {
        to.remove(name);
        for value in from.get_all(name) {
            to.append(name, value.clone());
        }
    }
}

/// How a WebSocket is closed whose parent answered something else: a 4xx is final for clients, anything else is not.
fn rejection(status: StatusCode) -> (u16, String) {
    let code = if status.is_client_error() { 4000 + status.as_u16() } else { 1011 };
    (code, format!("Sub-agent connection rejected ({})", status.as_u16()))
}
