//! How providers refuse a request.

use axum::{
    body::Body,
    http::{
        HeaderValue, Response, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
};
use serde_json::{Value, json};

use super::Speaks;
use crate::{Fault, FaultKind};

/// The answer in place of a stream; `None` for faults of the stream.
pub(super) fn refusal(speaks: Speaks, fault: &Fault) -> Option<Response<Body>> {
    let (status, word) = status(fault.kind)?;
    let body = error(speaks, word, status.as_u16(), &fault.message);
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let wish: Option<u64> = fault.message.split_whitespace().next().and_then(|word| word.parse().ok());
    if let Some(seconds) = wish {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    Some(response)
}

/// The status of a fault, and what OpenAI calls it.
fn status(kind: FaultKind) -> Option<(StatusCode, &'static str)> {
    Some(match kind {
        FaultKind::Auth => (StatusCode::UNAUTHORIZED, "invalid_api_key"),
        FaultKind::Quota => (StatusCode::PAYMENT_REQUIRED, "insufficient_quota"),
        FaultKind::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "rate_limit_error"),
        FaultKind::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded_error"),
        FaultKind::Provider => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        FaultKind::UnknownModel => (StatusCode::NOT_FOUND, "model_not_found"),
        FaultKind::BadRequest => (StatusCode::BAD_REQUEST, "invalid_request_error"),
        FaultKind::ContextTooLong => (StatusCode::BAD_REQUEST, "context_length_exceeded"),
        _ => return None,
    })
}

/// An error's body, each provider's way.
fn error(speaks: Speaks, word: &str, status: u16, message: &str) -> Value {
    match speaks {
        Speaks::OpenAi => json!({"error": {"message": message, "type": word, "code": word}}),
        Speaks::Anthropic => json!({"type": "error", "error": {"type": word, "message": message}}),
        Speaks::Google => json!([{"error": {"code": status, "message": message, "status": word.to_uppercase()}}]),
    }
}

/// The same as an event in the middle of a stream.
pub(super) fn in_stream(speaks: Speaks, fault: &Fault) -> Value {
    let (status, word) = status(fault.kind).unwrap_or((StatusCode::INTERNAL_SERVER_ERROR, "server_error"));
    match error(speaks, word, status.as_u16(), &fault.message) {
        Value::Array(mut list) => list.remove(0),
        one => one,
    }
}
