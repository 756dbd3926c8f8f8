//! `/v1/chat/completions` and `/v1/models`: agents for programs that know OpenAI's API. A model is `agent/name`.
//!
//! What is asked goes the same way as a request to the agent itself, so the same people may do it. The agent keeps its own
//! conversation: of the messages of a request, only those behind the last answer are said to it.

mod answer;
mod ask;

use std::sync::Arc;

use hostel::{
    Edge,
    axum::{
        Router,
        body::{Body, to_bytes},
        extract::State,
        http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header},
        routing::{get, post},
    },
    problem,
};
use serde_json::{Value, json};

use self::ask::Ask;

/// Greatest body.
const BYTES: usize = 16 << 20;

#[derive(Clone)]
struct Door {
    edge: Edge,
    prefix: Arc<str>,
}

/// The endpoints, for agents below this prefix.
pub(crate) fn routes(edge: &Edge, prefix: &str) -> Router {
    let door = Door { edge: edge.clone(), prefix: prefix.trim_matches('/').into() };
    Router::new().route("/v1/chat/completions", post(completions)).route("/v1/models", get(models)).with_state(door)
}

/// What is wrong, as OpenAI's clients read it.
#[derive(Debug)]
struct Wrong {
    status: StatusCode,
    code: String,
    message: String,
}

impl Wrong {
    fn asked(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "invalid_request".to_owned(), message: message.into() }
    }

    fn body(&self) -> Value {
        let kind = if self.status.is_client_error() { "invalid_request_error" } else { "server_error" };
        json!({"error": {"message": self.message, "type": kind, "param": null, "code": self.code}})
    }

    fn response(&self) -> Response<Body> {
        let mut response = json_response(&self.body());
        *response.status_mut() = self.status;
        if self.status == StatusCode::BAD_GATEWAY {
            // OpenAI's clients send a 5xx again by themselves; what was said is said, and tools may have run.
            response.headers_mut().insert("x-should-retry", HeaderValue::from_static("false"));
        }
        response
    }
}

fn json_response(body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn completions(State(door): State<Door>, request: Request<Body>) -> Response<Body> {
    // Before the body is read; who asks is found out on the way to the agent.
    if let Err(refusal) = door.edge.check_site(request.headers()) {
        return problem(&refusal, None);
    }
    match complete(&door, request).await {
        Ok(response) => response,
        Err(wrong) => wrong.response(),
    }
}

async fn complete(door: &Door, request: Request<Body>) -> Result<Response<Body>, Wrong> {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, BYTES).await.map_err(|_| Wrong::asked("The body cannot be read, or is too large."))?;
    let ask = Ask::read(&bytes)?;
    let mut inner = Request::new(Body::from(ask.body().to_string()));
    *inner.method_mut() = Method::POST;
    *inner.uri_mut() = ask.path(&door.prefix).parse().map_err(|_| Wrong::asked("The model is no agent/name."))?;
    *inner.headers_mut() = passed_on(&parts.headers);
    *inner.extensions_mut() = parts.extensions;
    let router = door.edge.route_agent_request().prefix(&door.prefix);
    let response = router.answer(inner).await;
    if response.status() != StatusCode::OK {
        return Err(refused(response).await);
    }
    if !is_events(&response) {
        return Err(Wrong::asked(format!("{} does not chat.", ask.model)));
    }
    if ask.stream { Ok(answer::streamed(ask, response)) } else { answer::whole(&ask, response).await }
}

fn is_events(response: &Response<Body>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
}

/// The headers but those that speak of the body.
fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONTENT_ENCODING, header::ACCEPT_ENCODING] {
        headers.remove(name);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

/// A refusal in OpenAI's form, with our code, sentence and fix.
async fn refused(response: Response<Body>) -> Wrong {
    let status = response.status();
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap_or_default();
    let problem: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let text = |key: &str| problem[key].as_str().map(str::to_owned);
    let message = text("detail").unwrap_or_else(|| String::from_utf8_lossy(&bytes).into_owned());
    let fix = text("fix").map(|fix| format!(" Fix: {fix}")).unwrap_or_default();
    Wrong { status, code: text("code").unwrap_or_else(|| "error".to_owned()), message: format!("{message}{fix}") }
}

/// The classes that chat; each stands for any number of agents.
async fn models(State(door): State<Door>, request: Request<Body>) -> Response<Body> {
    let (mut parts, _) = request.into_parts();
    let allowed = door.edge.check_site(&parts.headers).map(|()| None);
    let who = match allowed {
        Ok(None::<()>) => door.edge.identify(&mut parts).await,
        Ok(Some(())) => Ok(None),
        Err(refusal) => return problem(&refusal, None),
    };
    match who {
        Err(refusal) => return problem(&refusal, None),
        Ok(None) if door.edge.authenticates() => {
            let code = "unauthorized".to_owned();
            let message = "Say who you are, with an API key that is a token of this server.".to_owned();
            return Wrong { status: StatusCode::UNAUTHORIZED, code, message }.response();
        }
        Ok(_) => {}
    }
    let bindings = door.edge.node().directory().bindings();
    let chats = bindings.iter().filter(|binding| binding.at_top && binding.class.info().extension.frames);
    let model =
        |slug: &str| json!({"id": format!("{slug}/default"), "object": "model", "created": 0, "owned_by": "hostel"});
    let data: Vec<Value> = chats.map(|binding| model(&binding.slug)).collect();
    json_response(&json!({"object": "list", "data": data}))
}
