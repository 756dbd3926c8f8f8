//! The recorded application's own routes, and its word for a path that leads nowhere.

use hostel::{
    Before, Cors, Edge, Lobby,
    axum::{
        Router,
        body::Body,
        extract::{Request, State},
        response::Response,
        routing::{any, get},
    },
    http::{HeaderName, HeaderValue, StatusCode, Uri, header, uri::PathAndQuery},
    mcp::McpServer,
};
use serde_json::json;

use crate::{counter::CounterAgent, everything::EverythingAgent, text::PLAIN};

/// All routes. The last one takes every path, so nothing is left for the default router behind it.
pub(crate) fn routes(edge: &Edge) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/cors/{*path}", any(cors))
        .route("/corsh/{*path}", any(cors_headers))
        .route("/api/v1/{*path}", any(prefixed))
        .route("/hook/{*path}", any(hooked))
        .route("/user", any(user))
        .route("/user/{*path}", any(user))
        .route("/direct", any(direct))
        .route("/direct/{*path}", any(direct))
        .route("/", any(agents))
        .route("/{*path}", any(agents))
        .with_state(edge.clone())
        .merge(McpServer::of::<EverythingAgent>(edge, "all").mount("/mcp"))
}

async fn agents(State(edge): State<Edge>, request: Request) -> Response {
    let routed = edge.route_agent_request().try_route(request).await;
    routed.unwrap_or_else(|_| plain(StatusCode::NOT_FOUND, "Not found (worker)"))
}

async fn cors(State(edge): State<Edge>, request: Request) -> Response {
    let router = edge.route_agent_request().cors(Cors::permissive());
    router.try_route(without(request, "/cors")).await.unwrap_or_else(nothing)
}

async fn cors_headers(State(edge): State<Edge>, request: Request) -> Response {
    let headers = Cors::headers([
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("https://x.example")),
        (HeaderName::from_static("x-extra"), HeaderValue::from_static("1")),
    ]);
    let router = edge.route_agent_request().cors(headers);
    router.try_route(without(request, "/corsh")).await.unwrap_or_else(nothing)
}

async fn prefixed(State(edge): State<Edge>, request: Request) -> Response {
    edge.route_agent_request().prefix("api/v1").try_route(request).await.unwrap_or_else(nothing)
}

async fn hooked(State(edge): State<Edge>, request: Request) -> Response {
    let router = edge
        .route_agent_request()
        .props(json!({"hello": "wörld"}))
        .on_before_connect(|request, lobby| async move { decide(request, &lobby) })
        .on_before_request(|request, lobby| async move {
            match decide(request, &lobby) {
                Before::Continue(mut request) => {
                    request.headers_mut().insert("x-added", HeaderValue::from_static("1"));
                    Before::Continue(request)
                }
                denied => denied,
            }
        });
    router.try_route(without(request, "/hook")).await.unwrap_or_else(nothing)
}

fn decide(request: Request, lobby: &Lobby) -> Before {
    if !request.uri().query().is_some_and(|query| query.contains("deny=1")) {
        return Before::Continue(request);
    }
    let mut denied = plain(StatusCode::UNAUTHORIZED, "denied");
    let lobby = serde_json::to_string(lobby).ok().and_then(|lobby| HeaderValue::from_str(&lobby).ok());
    if let Some(lobby) = lobby {
        denied.headers_mut().insert("x-lobby", lobby);
    }
    Before::Respond(denied)
}

/// The server half of a client's `basePath`.
async fn user(State(edge): State<Edge>, request: Request) -> Response {
    match edge.get_agent_by_name::<CounterAgent>("the-user").await {
        Ok(agent) => agent.fetch(request).await,
        Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "the user's agent cannot be started"),
    }
}

/// A mistake on purpose: the agent's host, without the router.
async fn direct(State(edge): State<Edge>, request: Request) -> Response {
    match edge.host::<CounterAgent>() {
        Ok(host) => host.answer(request).await,
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the counter is not served"),
    }
}

/// The request as it would be without the first part of its path.
fn without(mut request: Request, front: &str) -> Request {
    let shorter = request.uri().path_and_query().and_then(|path| path.as_str().strip_prefix(front));
    if let Some(path) = shorter.and_then(|path| path.parse::<PathAndQuery>().ok()) {
        *request.uri_mut() = Uri::from(path);
    }
    request
}

fn nothing(_: Box<Request>) -> Response {
    plain(StatusCode::NOT_FOUND, "nf")
}

fn plain(status: StatusCode, body: &'static str) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PLAIN));
    response
}
