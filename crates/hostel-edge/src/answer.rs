//! Refusals and failures as HTTP responses and as short-lived sockets.

use std::time::Duration;

use axum::body::Body;
use hostel_core::Error;
use hostel_protocol::refusal::{Code, Refusal, connection_issues_text};
use http::{HeaderValue, Response, StatusCode, header};
use tokio_util::sync::CancellationToken;

use crate::{
    headers,
    request_id::RequestId,
    ws::{Outgoing, Socket},
};

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain;charset=UTF-8");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// A refusal as `application/problem+json` (RFC 9457), with `Retry-After` where coming back helps.
pub fn problem(refusal: &Refusal, id: Option<&RequestId>) -> Response<Body> {
    let body = refusal.to_problem_json(id.map(RequestId::as_str));
    let answer = finish(refusal.code, Body::from(body), PROBLEM);
    match refusal.details.as_ref().and_then(|details| details.get(RETRY_AFTER)?.as_u64()) {
        Some(seconds) => come_back_after(answer, Duration::from_secs(seconds)),
        None => answer,
    }
}

/// The detail of a refusal that says after how many seconds to come back, where its code does not know.
pub(crate) const RETRY_AFTER: &str = "retry_after";

/// [`problem`] under a status that is more exact than the code's own.
pub(crate) fn problem_as(status: StatusCode, refusal: &Refusal, id: Option<&RequestId>) -> Response<Body> {
    let body = refusal.to_problem_json_as(status.as_u16(), id.map(RequestId::as_str));
    let mut response = finish(refusal.code, Body::from(body), PROBLEM);
    *response.status_mut() = status;
    response
}

/// What HTTP hears when an agent cannot be reached, or its handler fails.
pub(crate) fn failure(class: &str, name: &str, error: &Error, development: bool, id: &RequestId) -> Response<Body> {
    match error.code() {
        Some(code) if code.http_status() == 503 => unavailable(class, name, code, error, development),
        Some(code) => problem(&error.to_refusal(code), Some(id)),
        None => thrown(error),
    }
}

/// The text old clients know for an agent that cannot be started.
fn unavailable(class: &str, name: &str, code: Code, error: &Error, development: bool) -> Response<Body> {
    let mut text = connection_issues_text(class, name, code);
    if development {
        text.push_str("\n\n");
        text.push_str(error.message());
        if let Some(fix) = error.fix() {
            text.push_str("\nFix: ");
            text.push_str(fix);
        }
    }
    finish(code, Body::from(text), PLAIN)
}

/// A handler's own error: 500, and the first line a JavaScript stack would have (agents-protocol, 8).
fn thrown(error: &Error) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("Error: {}", error.message())));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert(header::CONTENT_TYPE, PLAIN);
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    response
}

fn finish(code: Code, body: Body, content_type: HeaderValue) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert("x-hostel-code", HeaderValue::from_static(code.as_str()));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if code == Code::UpgradeStripped {
        // RFC 9110, 15.5.22 and 7.8.
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    if code.http_status() == 401 {
        // RFC 9110, 15.5.2, and RFC 6750, 3.
        let error = if code == Code::Unauthorized { "Bearer" } else { "Bearer error=\"invalid_token\"" };
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(error));
    }
    if let Some(value) = code.retry_after_secs().and_then(|seconds| headers::value(&seconds.to_string())) {
        headers.insert(header::RETRY_AFTER, value);
    }
    response
}

/// The answer with the time to wait that is known better than its code knows it.
pub(crate) fn come_back_after(mut answer: Response<Body>, pause: Duration) -> Response<Body> {
    let seconds = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
    if let Some(value) = headers::value(&seconds.to_string()) {
        answer.headers_mut().insert(header::RETRY_AFTER, value);
    }
    answer
}

/// Tells a client why its socket is refused: one frame at once, then the close (design, 5). A client that keeps coming back
/// waits for the close a little longer each time, unless the server stops.
pub(crate) async fn refuse_socket(mut socket: Socket, refusal: Refusal, delay: Duration, stop: CancellationToken) {
    socket.feed(Outgoing::Text(refusal.to_error_frame().into()));
    if socket.flush().await.is_err() {
        return;
    }
    // Whatever the client still says is read and dropped; if it leaves, there is nothing to wait for.
    let silence = async { while socket.recv().await.is_some() {} };
    tokio::select! {
        () = silence => return,
        () = tokio::time::sleep(delay) => {}
        () = stop.cancelled() => {}
    }
    socket.close(refusal.code.close_code(), &refusal.close_reason());
    socket.finish().await;
}
