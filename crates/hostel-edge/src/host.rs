//! Answers requests that were addressed to an agent; the last stop before the runtime.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::Body;
use futures_util::future::BoxFuture;
use hostel_core::{ConnectRequest, Error, Identity, Result};
use hostel_protocol::refusal::{Code, Refusal, missing_namespace_or_room};
use hostel_runtime::Binding;
use http::{Request, Response, Uri, header};
use tracing::Instrument;

use crate::{
    address::Address,
    answer::{come_back_after, failure, problem, problem_as, refuse_socket},
    auth,
    drive::drive,
    edge::Edge,
    headers,
    listener::ConnInfo,
    request_id::RequestId,
    steps::{self, Kind},
    ws,
};

/// Answers the requests of one agent class, as a tower service.
///
/// It takes an agent's identity from the router alone. A request that reaches it any other way, whatever headers it
/// carries, is refused with the sentence people know, and with what to change.
#[derive(Clone)]
pub struct AgentHost {
    edge: Edge,
    binding: Arc<Binding>,
}

impl AgentHost {
    pub(crate) fn new(edge: Edge, class: &str) -> Result<Self> {
        let found = edge.node.directory().resolve(class, edge.node.options().development).cloned();
        let binding = found.map_err(Error::from_refusal)?;
        Ok(Self { edge, binding })
    }

    pub(crate) fn of(edge: Edge, binding: Arc<Binding>) -> Self {
        Self { edge, binding }
    }

    pub(crate) fn edge(&self) -> &Edge {
        &self.edge
    }

    fn class(&self) -> &str {
        &self.binding.class.info().class
    }

    /// Answers one request.
    pub async fn answer(&self, mut request: Request<Body>) -> Response<Body> {
        let id = request.extensions().get::<RequestId>().cloned().unwrap_or_default();
        let address = Address::read(&mut request);
        match (address, ws::is_upgrade(request.headers())) {
            (Some(address), true) => self.socket(request, address, &id),
            (Some(address), false) => self.http(request, &address, &id).await,
            (None, true) => refuse_upgrade(&self.edge, request, missing_namespace_or_room(self.class()), &id),
            (None, false) => problem(&missing_namespace_or_room(self.class()), Some(&id)),
        }
    }

    /// [`AgentHost::answer`] for what comes from outside and was not decided about yet.
    pub(crate) async fn answer_outside(&self, request: Request<Body>, address: Address) -> Response<Body> {
        let id = request.extensions().get::<RequestId>().cloned().unwrap_or_default();
        let (mut request, decision) = self.decide(request, address.id.name()).await;
        match decision {
            Ok(identity) => {
                request.extensions_mut().remove::<Identity>();
                identity.map(|identity| request.extensions_mut().insert(identity));
                address.write(&mut request);
                self.answer(request).await
            }
            Err(refusal) if ws::is_upgrade(request.headers()) => refuse_upgrade(&self.edge, request, refusal, &id),
            Err(refusal) => {
                steps::refused(&refusal);
                problem(&refusal, Some(&id))
            }
        }
    }

    /// The decisions of the router that concern one agent.
    async fn decide(
        &self,
        request: Request<Body>,
        name: &str,
    ) -> (Request<Body>, std::result::Result<Option<Identity>, Refusal>) {
        let mut request = self.edge.guard.believe(request);
        headers::drop_reserved(request.headers_mut());
        if let Err(refusal) = self.edge.admission.check(request.headers()) {
            return (request, Err(refusal));
        }
        let (request, decision) = self.edge.guard.admit(request).await;
        let decision = decision.and_then(|identity| {
            self.edge.guard.check_permission(self.binding.class.info(), name, identity.as_ref())?;
            Ok(identity)
        });
        (request, decision)
    }

    async fn http(&self, mut request: Request<Body>, address: &Address, id: &RequestId) -> Response<Body> {
        make_absolute(&mut request);
        let identity = request.extensions_mut().remove::<Identity>();
        request.extensions_mut().clear();
        identity.map(|identity| request.extensions_mut().insert(identity));
        let request = request.map(hostel_core::Body::new);
        match self.edge.node.request(&address.id, request, address.props.clone()).await {
            Ok(response) => response.map(Body::new),
            Err(error) => {
                tracing::warn!(agent = %address.id, error = ?error, "a request failed");
                let answer = failure(self.class(), address.id.name(), &error, self.edge.node.options().development, id);
                match self.edge.node.held_back_for(&address.id) {
                    Some(pause) if error.code() == Some(Code::AgentQuarantined) => come_back_after(answer, pause),
                    _ => answer,
                }
            }
        }
    }

    fn socket(&self, mut request: Request<Body>, address: Address, id: &RequestId) -> Response<Body> {
        make_absolute(&mut request);
        let (response, upgrade) = match ws::handshake(&mut request, &self.edge.sockets) {
            Ok(accepted) => accepted,
            Err(bad) => return bad_upgrade(&bad, id),
        };
        Kind::Socket.step("upgrade", "the WebSocket opens");
        let uri = request.uri().to_string();
        let identity = request.extensions_mut().remove();
        let meter = self.edge.guard.throttle.meter(identity.as_ref(), auth::address(request.extensions()));
        let connect = ConnectRequest { uri, headers: std::mem::take(request.headers_mut()), identity };
        let edge = self.edge.clone();
        let span = tracing::Span::current();
        upgrade.spawn(move |socket| {
            async move {
                let pk = connect.query("_pk");
                let session = edge.node.open(&address.id, connect, pk.as_deref(), address.props.clone()).await;
                Kind::Socket.step("identify", format_args!("{} as {}", address.id, session.id().escape_debug()));
                let limits = edge.limits;
                // The task of an idle socket holds the socket and its session, and nothing of how it came about.
                drop(edge);
                drop(tokio::spawn(drive(socket, session, limits, meter)));
            }
            .instrument(span)
        });
        response.map(|()| Body::empty())
    }
}

/// Accepts an upgrade only to say why there is no agent behind it: a browser shows nothing of a refused handshake.
pub(crate) fn refuse_upgrade(
    edge: &Edge,
    mut request: Request<Body>,
    refusal: Refusal,
    id: &RequestId,
) -> Response<Body> {
    let (response, upgrade) = match ws::handshake(&mut request, &edge.sockets) {
        Ok(accepted) => accepted,
        Err(bad) => return bad_upgrade(&bad, id),
    };
    steps::refused(&refusal);
    let delay = edge.brake.delay(&request);
    let stop = request.extensions().get::<ConnInfo>().map(|info| info.shutdown.clone()).unwrap_or_default();
    upgrade.spawn(move |socket| refuse_socket(socket, refusal, delay, stop));
    response.map(|()| Body::empty())
}

/// Accepts an upgrade only to close it: an agent has answered the request for one under it with something else.
pub(crate) fn reject_upgrade(
    edge: &Edge,
    mut request: Request<Body>,
    code: u16,
    reason: String,
    id: &RequestId,
) -> Response<Body> {
    let (response, upgrade) = match ws::handshake(&mut request, &edge.sockets) {
        Ok(accepted) => accepted,
        Err(bad) => return bad_upgrade(&bad, id),
    };
    upgrade.spawn(move |mut socket| async move {
        socket.close(code, &reason);
        socket.finish().await;
    });
    response.map(|()| Body::empty())
}

fn bad_upgrade(bad: &ws::BadUpgrade, id: &RequestId) -> Response<Body> {
    steps::refused(&bad.refusal);
    let mut response = problem_as(bad.status, &bad.refusal, Some(id));
    response.headers_mut().extend(bad.headers());
    response
}

/// Gives a request its full URL, as agents see it.
pub(crate) fn make_absolute<B>(request: &mut Request<B>) {
    let scheme = match request.extensions().get::<ConnInfo>() {
        Some(info) if info.tls => "https",
        _ => "http",
    };
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    if let Ok(uri) = Uri::builder().scheme(scheme).authority(host).path_and_query(path).build() {
        *request.uri_mut() = uri;
    }
}

impl tower::Service<Request<Body>> for AgentHost {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<'static, std::result::Result<Response<Body>, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let host = self.clone();
        Box::pin(async move { Ok(host.answer(request).await) })
    }
}

impl fmt::Debug for AgentHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AgentHost").field(&self.class()).finish()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_refused_handshake_says_the_same_status_in_head_and_body() {
        let mut old = Request::get("/").header("upgrade", "websocket").header("connection", "upgrade");
        old = old.header("sec-websocket-version", "8");
        let bad = ws::handshake(&mut old.body(()).unwrap(), &ws::WsPolicy::default()).map(|_| ()).unwrap_err();
        let response = bad_upgrade(&bad, &RequestId::default());
        assert_eq!(response.status(), 426);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["status"], 426);
    }
}
