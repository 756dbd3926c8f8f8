//! Answers over HTTP, with the content types that were recorded.

use hostel::{
    Body, Response, Result,
    http::{self, header},
};
use serde::Serialize;

/// A text as the recorded server labels it.
pub(crate) const PLAIN: &str = "text/plain;charset=UTF-8";

pub(crate) fn text(body: &'static str) -> Result<Response> {
    Ok(http::Response::builder().header(header::CONTENT_TYPE, PLAIN).body(Body::from(body))?)
}

pub(crate) fn json(value: &impl Serialize) -> Result<Response> {
    let body = Body::from(serde_json::to_string(value)?);
    Ok(http::Response::builder().header(header::CONTENT_TYPE, "application/json").body(body)?)
}
