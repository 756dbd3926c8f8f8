//! Headers that only the router may set, and those that say what a client believes.

use http::{HeaderMap, HeaderName, HeaderValue, header};

pub(crate) const NAMESPACE: HeaderName = HeaderName::from_static("x-partykit-namespace");
pub(crate) const ROOM: HeaderName = HeaderName::from_static("x-partykit-room");
/// The id of a request, on its answer.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The routing prefix a client believes in.
pub(crate) const BELIEVED_PREFIX: &str = "x-agents-namespace";
/// Says that the client meant to open a socket, whatever became of `Upgrade`.
pub(crate) const FORCE_WEBSOCKET: &str = "x-agents-force-websocket";

/// What a client says about itself, read before its headers are cleaned.
#[derive(Debug, Default)]
pub(crate) struct Beliefs {
    pub(crate) prefix: Option<String>,
    pub(crate) wants_socket: bool,
}

impl Beliefs {
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        Self {
            prefix: text(BELIEVED_PREFIX).map(|prefix| prefix.trim_matches('/').to_owned()),
            wants_socket: text(FORCE_WEBSOCKET).is_some_and(|value| value.eq_ignore_ascii_case("true")),
        }
    }
}

/// Drops every header that only this server, or a proxy it was told to trust, may set. Some proxies make `-` of `_`, so
/// both spellings go.
pub(crate) fn drop_reserved(headers: &mut HeaderMap) {
    let reserved: Vec<HeaderName> = headers.keys().filter(|name| is_reserved(name)).cloned().collect();
    for name in reserved {
        headers.remove(name);
    }
}

fn is_reserved(name: &HeaderName) -> bool {
    let name = name.as_str().replace('_', "-");
    let prefixes = ["x-partykit-", "x-agents-", "x-forwarded-", "x-hostel-", "cf-"];
    prefixes.iter().any(|prefix| name.starts_with(prefix)) || name == header::FORWARDED.as_str() || name == "x-real-ip"
}

/// A value for a header, if the text can be one.
pub(crate) fn value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threat_6_reserved_headers_from_outside_are_dropped_in_every_spelling() {
        let mut headers = HeaderMap::new();
        let spoofed = [
            "X-PartyKit-Room",
            "x-partykit-namespace",
            "x_partykit_room",
            "x-partykit_props",
            "X-Agents-Lifecycle-Props",
            "x-forwarded-for",
            "X_Forwarded_Host",
            "forwarded",
            "x-real-ip",
            "cf-connecting-ip",
            "x-hostel-identity",
        ];
        for name in spoofed {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            headers.append(name.clone(), HeaderValue::from_static("evil"));
            headers.append(name, HeaderValue::from_static("evil twice"));
        }
        headers.insert("x-added", HeaderValue::from_static("1"));
        drop_reserved(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-added"]);
    }
}
