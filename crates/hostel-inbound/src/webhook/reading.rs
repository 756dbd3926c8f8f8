//! From a request to a [`Delivery`].

use std::collections::BTreeMap;

use hostel_core::{Error, Result};
use hostel_protocol::refusal::Code;
use http::{HeaderMap, header};
use jiff::Timestamp;
use ring::digest;
use serde_json::Value;

use super::{Scheme, Webhook};
use crate::Delivery;

/// Headers that are nobody's business but the door's.
const LEFT_OUT: [&str; 8] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-hub-signature",
    "x-hub-signature-256",
    "stripe-signature",
    "x-slack-signature",
    "webhook-signature",
];
/// More are left out, and so are longer ones.
const MOST_HEADERS: usize = 64;
const MOST_HEADER_BYTES: usize = 1024;

/// A webhook whose signature was found good, and what tells it from others.
pub(super) struct Read {
    pub(super) delivery: Delivery,
    /// The same for each time it is sent.
    pub(super) key: String,
}

pub(super) fn read(
    name: &str,
    webhook: &Webhook,
    headers: &HeaderMap,
    body: &[u8],
    received_at: Timestamp,
) -> Result<Read> {
    let digest = hex(digest::digest(&digest::SHA256, body).as_ref());
    let content = content(headers, body)?;
    let named = id(&webhook.scheme, headers, &content);
    let trusted = named.as_ref().filter(|_| webhook.by_id || webhook.scheme.signs_ids());
    let key = format!("hook:{name}:{}", trusted.unwrap_or(&digest));
    let event = text_header(headers, "x-github-event").or_else(|| member(&content, "/type"));
    let delivery = Delivery {
        hook: name.to_owned(),
        id: named.unwrap_or(digest),
        event,
        headers: kept(&webhook.scheme, headers),
        body: content,
        received_at,
    };
    Ok(Read { delivery, key })
}

/// GitHub can also send a form with the JSON in its field `payload`.
fn content(headers: &HeaderMap, body: &[u8]) -> Result<Value> {
    let text = std::str::from_utf8(body)
        .map_err(|_| Error::coded(Code::MalformedRequest, "The body of the webhook is no UTF-8 text."))?;
    let kind = text_header(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    if kind.starts_with("application/x-www-form-urlencoded") {
        let fields = form_urlencoded::parse(body).into_owned();
        let fields: serde_json::Map<_, _> = fields.map(|(name, value)| (name, Value::String(value))).collect();
        let payload = fields.get("payload").and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok());
        return Ok(payload.unwrap_or(Value::Object(fields)));
    }
    Ok(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())))
}

fn id(scheme: &Scheme, headers: &HeaderMap, body: &Value) -> Option<String> {
    let id = match scheme {
        Scheme::GitHub => text_header(headers, "x-github-delivery"),
        Scheme::Stripe => member(body, "/id"),
        Scheme::Slack => member(body, "/event_id"),
        Scheme::Standard => text_header(headers, "webhook-id"),
        Scheme::Hmac(how) => how.id_header.as_deref().and_then(|header| text_header(headers, header)),
        Scheme::Token => None,
    };
    id.filter(|id| (1..=200).contains(&id.len()))
}

fn kept(scheme: &Scheme, headers: &HeaderMap) -> BTreeMap<String, String> {
    let signature = match scheme {
        Scheme::Hmac(how) => how.header.to_ascii_lowercase(),
        _ => String::new(),
    };
    let shown = headers.iter().filter(|(name, value)| {
        !LEFT_OUT.contains(&name.as_str()) && name.as_str() != signature && value.len() <= MOST_HEADER_BYTES
    });
    let texts = shown.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    texts.take(MOST_HEADERS).collect()
}

fn member(body: &Value, pointer: &str) -> Option<String> {
    body.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

fn text_header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
