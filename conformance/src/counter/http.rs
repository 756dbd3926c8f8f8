//! The counter over HTTP: says what it was asked, lists and closes its connections, or fails.

use std::collections::{BTreeMap, HashMap};

use hostel::{
    axum::extract::Query,
    http::{HeaderMap, Uri},
    prelude::*,
};
use serde_json::json;

use crate::text;

const BODY_LIMIT: usize = 1 << 20;

/// Answers by the end of the path.
pub(super) async fn answer<A>(cx: &Cx<A>, request: Request) -> Result<Response> {
    let path = request.uri().path();
    if path.ends_with("/boom") {
        Err(Error::msg("boom http"))
    } else if path.ends_with("/closeall") {
        close_all(cx, request.uri())
    } else if path.ends_with("/conns") {
        text::json(&cx.connections().iter().map(Connection::to_json).collect::<Vec<_>>())
    } else {
        mirror(cx.name(), request).await
    }
}

fn close_all<A>(cx: &Cx<A>, uri: &Uri) -> Result<Response> {
    let query = Query::<HashMap<String, String>>::try_from_uri(uri)?;
    let code = query.get("code").map_or(Ok(1000), |code| code.parse())?;
    let reason = query.get("reason").map_or("bye", String::as_str);
    cx.connections().iter().try_for_each(|connection| connection.close(code, reason))?;
    text::text("closed")
}

async fn mirror(name: &str, request: Request) -> Result<Response> {
    let (head, body) = request.into_parts();
    let body = body.bytes(BODY_LIMIT).await?;
    text::json(&json!({
        "method": head.method.as_str(),
        "url": head.uri.to_string(),
        "name": name,
        "headers": readable(&head.headers),
        "body": String::from_utf8_lossy(&body),
    }))
}

fn readable(headers: &HeaderMap) -> BTreeMap<&str, String> {
    let text = |value: &hostel::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str(), text(value))).collect()
}
