//! Answers to whatever is asked, so that the client goes on and shows what it does next.

use std::time::Instant;

use ::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, ORIGIN,
};
use ::http::{HeaderValue, Method, Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Full, combinators::BoxBody};
use hyper::body::Incoming;
use yawc::WebSocket;

use super::examine::{self, Note};
use super::{Visitor, talk};

type Body = BoxBody<Bytes, std::convert::Infallible>;

/// Says what there is to say about a request, and answers it.
pub(super) fn answer(mut request: Request<Incoming>, visitor: &Visitor) -> Response<Body> {
    visitor.say(&format!("{} {}", request.method(), request.uri()));
    let notes = examine::request(request.method(), request.uri(), request.headers());
    notes.iter().for_each(|note| visitor.note(note));
    count(&request, visitor);
    let socket = examine::asks_for_socket(request.headers()) && request.method() == Method::GET;
    if socket && let Some(response) = upgrade(&mut request, visitor) {
        return response;
    }
    plain(&request, &notes)
}

/// Recognises clients that connect again and again.
fn count(request: &Request<Incoming>, visitor: &Visitor) {
    if !examine::asks_for_socket(request.headers()) {
        return;
    }
    let id = examine::client_id(request.uri()).unwrap_or_else(|| request.uri().path());
    if let Some(times) = visitor.crowd.visit(id, Instant::now()) {
        visitor.note(&talk::reconnecting(times));
    }
}

fn upgrade(request: &mut Request<Incoming>, visitor: &Visitor) -> Option<Response<Body>> {
    let options = yawc::Options::default().with_limits(16 << 20, 32 << 20);
    let path = request.uri().path().to_owned();
    let (response, socket) = WebSocket::upgrade_with_options(request, options).ok()?;
    let visitor = visitor.clone();
    tokio::spawn(async move {
        if let Ok(socket) = socket.await {
            talk::talk(socket, &path, &visitor).await;
        }
    });
    Some(response.map(|_| Empty::new().boxed()))
}

fn plain(request: &Request<Incoming>, notes: &[Note]) -> Response<Body> {
    let status = match request.method() {
        _ if examine::was_stripped(request.headers()) => StatusCode::UPGRADE_REQUIRED,
        &Method::OPTIONS => StatusCode::NO_CONTENT,
        _ => StatusCode::OK,
    };
    let text = match status {
        StatusCode::NO_CONTENT => String::new(),
        // A page that reads its history wants a list.
        _ if request.uri().path().ends_with("/get-messages") => "[]".to_owned(),
        _ => notes.iter().map(as_text).collect(),
    };
    let mut response = Response::new(Full::from(text).boxed());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let origin = request.headers().get(ORIGIN).cloned();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.unwrap_or(HeaderValue::from_static("*")));
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, HEAD, OPTIONS"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
    response
}

fn as_text(note: &Note) -> String {
    match note {
        Note::Right(text) => format!("ok: {text}\n"),
        Note::Wrong(found) => format!("{}: {}\nchange: {}\n", found.code, found.sentence, found.fix),
    }
}
