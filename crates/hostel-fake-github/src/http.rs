//! From a request to who asks what, and the limits.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use http::Method;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::{
    answer::{Answer, Answered},
    routes, smart,
    world::{Fault, Scope, World, Write, now},
};

/// Greatest body, a push included.
const MOST_BYTES: usize = 256 << 20;

/// How many requests an hour has.
const AN_HOUR: u64 = 5000;

/// One request of the API.
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// The path without `/api/v3`, in its parts, decoded.
    pub(crate) path: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) accept: String,
    pub(crate) body: Value,
    /// Whose token it has.
    pub(crate) who: Option<(String, Scope)>,
}

impl Asked {
    /// A parameter of the query.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// A text of the body.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.body[name].as_str()
    }

    /// Who asks, if they may write.
    pub(crate) fn writer(&self) -> Result<String, Answer> {
        match &self.who {
            None => Err(Answer::error(401, "Requires authentication")),
            Some((_, Scope::Read)) => {
                let refused = Answer::error(403, "Resource not accessible by personal access token");
                Err(refused.with("x-accepted-github-permissions", "contents=write; pull_requests=write"))
            }
            Some((login, Scope::Write)) => Ok(login.clone()),
        }
    }
}

/// Answers git, and everybody else.
pub(crate) async fn serve(State(world): State<Arc<Mutex<World>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST_BYTES).await else {
        return Answer::error(413, "Payload too large").into_http();
    };
    let path = parts.uri.path();
    if let Some(asked) = smart::asked(path, parts.uri.query().unwrap_or_default()) {
        return smart::serve(&world, &asked, &parts, body.to_vec()).await;
    }
    if let Some(rest) = path.strip_prefix("/_fake/") {
        return about_itself(&world, rest);
    }
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (accept, token, path) = (header("accept"), header("authorization"), path.to_owned());
    let (method, query) = (parts.method.clone(), parts.uri.query().unwrap_or_default().to_owned());
    if header("user-agent").is_empty() {
        return Answer::error(
            403,
            "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.",
        )
        .into_http();
    }
    let work = move || answer(&mut world.lock(), &method, &path, &query, accept, &token, &body);
    match tokio::task::spawn_blocking(work).await {
        Ok(Some(answer)) => answer.into_http(),
        // What was promised does not come: the other side sees a connection that breaks.
        Ok(None) => broken(),
        Err(error) => Answer::error(500, &error.to_string()).into_http(),
    }
}

fn broken() -> Response {
    let failing = Body::new(Broken);
    (http::StatusCode::OK, [("content-length", "1000")], failing).into_response()
}

/// A body that fails.
struct Broken;

impl http_body::Body for Broken {
    type Data = axum::body::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Ready(Some(Err(std::io::Error::other("the answer is lost"))))
    }
}

/// What was counted, for tests that talk to the process.
fn about_itself(world: &Mutex<World>, what: &str) -> Response {
    let world = world.lock();
    match what {
        "writes" => {
            let writes = world.writes.iter().map(|write| json!({"what": write.what, "by": write.by}));
            Answer::ok(writes.collect()).into_http()
        }
        "requests" => Answer::ok(json!(world.requests)).into_http(),
        _ => Answer::not_found().into_http(),
    }
}

/// Answers one request of the API; `None` if its answer is to be lost.
fn answer(
    world: &mut World,
    method: &Method,
    path: &str,
    query: &str,
    accept: String,
    authorization: &str,
    body: &[u8],
) -> Option<Answer> {
    let own = path.strip_prefix("/api/v3").unwrap_or(path);
    world.requests.push(format!("{method} {own}"));
    let fault = world.faults.pop_front();
    if let Some(refused) = fault.as_ref().and_then(refused) {
        return Some(refused);
    }
    let token = authorization.split_once(' ').map(|(_, token)| token.trim());
    let who = token.map(|token| world.whose(token));
    let bad = who.as_ref().is_some_and(Option::is_none);
    let body = if body.is_empty() { Some(Value::Null) } else { serde_json::from_slice(body).ok() };
    let answered = match body {
        _ if bad => Err(Answer::error(401, "Bad credentials")),
        None => Err(Answer::error(400, "Problems parsing JSON")),
        Some(body) => {
            let path = own.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
            let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            let asked = Asked { method: method.clone(), path, query, accept, body, who: who.flatten() };
            routes::answer(world, &asked).inspect(|_| count(world, &asked, own))
        }
    };
    let answer: Answered = if fault == Some(Fault::Lost) { return None } else { answered };
    Some(limits(answer.unwrap_or_else(|refused| refused), world.requests.len()))
}

fn count(world: &mut World, asked: &Asked, path: &str) {
    if asked.method != Method::GET {
        let by = asked.who.as_ref().map(|(login, _)| login.clone()).unwrap_or_default();
        world.writes.push(Write { what: format!("{} {path}", asked.method), by });
    }
}

fn decoded(part: &str) -> String {
    // A plus is a plus in a path.
    let pair = format!("x={}", part.replace('+', "%2B"));
    form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn refused(fault: &Fault) -> Option<Answer> {
    match fault {
        Fault::RateLimit { reset } => {
            let answer = Answer::error(
                403,
                "API rate limit exceeded for user ID 1001. (See the documentation for more details.)",
            );
            let answer = answer.with("x-ratelimit-limit", AN_HOUR).with("x-ratelimit-remaining", 0);
            Some(answer.with("x-ratelimit-reset", reset).with("x-ratelimit-resource", "core"))
        }
        Fault::Secondary { retry_after } => {
            let text = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
            Some(Answer::error(403, text).with("retry-after", retry_after))
        }
        Fault::Status(status) => Some(Answer::error(*status, "It was made to fail")),
        Fault::Lost => None,
    }
}

fn limits(answer: Answer, used: usize) -> Answer {
    let left = AN_HOUR.saturating_sub(used as u64);
    let answer = answer.with("x-ratelimit-limit", AN_HOUR).with("x-ratelimit-remaining", left);
    let answer = answer.with("x-ratelimit-used", used).with("x-ratelimit-resource", "core");
    answer.with("x-ratelimit-reset", now().as_second() + 3600)
}
