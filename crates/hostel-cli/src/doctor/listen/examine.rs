//! What a request says about the client that sent it.

use ::http::{HeaderMap, Method, Uri};
use hostel_client::Target;
use hostel_protocol::Code;
use hostel_protocol::name::{AgentPath, Route, kebab, loose_key, nearest, route};

use crate::doctor::{Break, path};

/// The classes of this binary.
const BUILT_IN: [&str; 1] = ["coder-agent"];

/// Something to say about a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Note {
    Right(String),
    Wrong(Break),
}

impl Note {
    fn right(text: impl Into<String>) -> Self {
        Self::Right(text.into())
    }

    fn wrong(code: &str, sentence: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Wrong(Break::new("client", code, sentence, fix))
    }

    fn known(code: Code, sentence: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::wrong(code.as_str(), sentence, fix)
    }
}

pub(super) fn silent() -> Note {
    Note::wrong(
        "silent",
        "It connected and said nothing.",
        "Look whether it is a port scanner, a health check, or a client that waits for the server to speak first.",
    )
}

pub(super) fn tls(port: u16) -> Note {
    Note::wrong(
        "plain_port",
        format!("It began a TLS handshake (wss or https), but port {port} speaks plain HTTP."),
        "Pass protocol: \"ws\" to AgentClient or useAgent (they use wss for hosts that are not local), or turn TLS on.",
    )
}

pub(super) fn http2() -> Note {
    Note::wrong(
        "http2",
        "It began with HTTP/2, over which no WebSocket is opened here.",
        "Let the proxy speak HTTP/1.1 to the server.",
    )
}

pub(super) fn no_http(error: &hyper::Error) -> Note {
    Note::wrong("no_http", format!("What it sent is no HTTP request ({error})."), "Connect with a WebSocket client.")
}

/// Whether the request asks for a WebSocket.
pub(super) fn asks_for_socket(headers: &HeaderMap) -> bool {
    has(headers, "upgrade", "websocket")
}

/// Whether the request once asked for a WebSocket and something took that away.
pub(super) fn was_stripped(headers: &HeaderMap) -> bool {
    let forced = has(headers, "x-agents-force-websocket", "true");
    !asks_for_socket(headers) && (forced || headers.contains_key("sec-websocket-key"))
}

/// Everything there is to say about a request.
pub(super) fn request(method: &Method, uri: &Uri, headers: &HeaderMap) -> Vec<Note> {
    let mut notes = Vec::new();
    let socket = asks_for_socket(headers);
    path_notes(uri, headers, socket, &mut notes);
    upgrade_notes(method, headers, socket, &mut notes);
    host_notes(headers, &mut notes);
    header_notes(headers, &mut notes);
    if socket && !query_has(uri, "_pk") {
        notes.push(Note::right("it sends no connection id (_pk): not one of the published clients"));
    }
    notes
}

fn path_notes(uri: &Uri, headers: &HeaderMap, socket: bool, notes: &mut Vec<Note>) {
    let host = text(headers, "host").unwrap_or("localhost:8787");
    let Route::Agent(AgentPath { agent, name, rest }) = route(uri.path(), "agents") else {
        if !socket && !was_stripped(headers) && is_unrelated(uri.path()) {
            return notes.push(Note::right(format!("{} has nothing to do with agents", uri.path())));
        }
        let target = Target::parse(&format!("ws://{host}{}", uri.path()), "").ok();
        let hint = target.as_ref().and_then(path::hint);
        return notes.extend(hint.map(Note::Wrong));
    };
    notes.push(spelling(agent));
    if loose_key(agent).is_empty() {
        return;
    }
    if socket && !rest.is_empty() && !rest.starts_with("sub/") {
        notes.push(Note::wrong(
            "stray_sub_path",
            format!("The path goes on behind the instance's name: {rest:?} is a sub-path of which a WebSocket makes nothing."),
            format!("Drop the option `path` of the client: ws://{host}/agents/{agent}/{name}"),
        ));
    }
}

/// A path that a browser, a proxy or `hostel doctor` asks for by itself.
fn is_unrelated(path: &str) -> bool {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    segments.count() < 2 && !path.to_ascii_lowercase().contains("agent")
}

fn spelling(agent: &str) -> Note {
    let known = BUILT_IN.iter().find(|known| loose_key(known) == loose_key(agent));
    if let Some(known) = known {
        return match *known == agent {
            true => Note::right(format!("it asks for the agent {agent}")),
            false => Note::right(format!("it asks for {agent}, which Hostel takes for {known}; other servers may not")),
        };
    }
    if let Some(near) = nearest(agent, BUILT_IN) {
        let sentence = format!("It asks for the agent {agent:?}, which is nearly {near}.");
        return Note::known(Code::UnknownAgent, sentence, format!("Write agent: \"{near}\"."));
    }
    let right = kebab(agent);
    match right == agent {
        true => Note::right(format!("it asks for the agent {agent}: a class of your own")),
        false => Note::right(format!("it asks for {agent}: a class of your own, in kebab case {right}")),
    }
}

fn upgrade_notes(method: &Method, headers: &HeaderMap, socket: bool, notes: &mut Vec<Note>) {
    if was_stripped(headers) {
        notes.push(Note::known(
            Code::UpgradeStripped,
            "It asks for a WebSocket, but the Upgrade header was lost on the way.",
            "Let the proxy pass WebSockets: HTTP/1.1 to the server, with the headers Upgrade and Connection.",
        ));
        return;
    }
    if !socket {
        if method != Method::OPTIONS {
            notes.push(Note::right(format!(
                "it is a plain {method} request; a WebSocket would send Upgrade: websocket"
            )));
        }
        return;
    }
    let wrong = match () {
        () if method != Method::GET => Some("it must be a GET request"),
        () if !has(headers, "connection", "upgrade") => Some("the header Connection: Upgrade is missing"),
        () if text(headers, "sec-websocket-version") != Some("13") => Some("Sec-WebSocket-Version must be 13"),
        () if !headers.contains_key("sec-websocket-key") => Some("Sec-WebSocket-Key is missing"),
        () => None,
    };
    match wrong {
        Some(what) => notes.push(Note::known(
            Code::BadUpgrade,
            format!("Its WebSocket handshake is incomplete: {what}."),
            "Use a WebSocket client, and let the proxy pass its headers unchanged.",
        )),
        None => notes.push(Note::right("it asks for a WebSocket, correctly")),
    }
}

fn host_notes(headers: &HeaderMap, notes: &mut Vec<Note>) {
    let host = text(headers, "host").unwrap_or_default();
    if host.is_empty() {
        let sentence = "It sends no Host header.";
        notes.push(Note::known(Code::HostRefused, sentence, "Use an HTTP/1.1 client."));
    } else if !is_local(host) {
        let name = name_of(host);
        notes.push(Note::known(
            Code::HostRefused,
            format!("It reaches the server under the name {name:?}, which is refused unless it is allowed."),
            format!("Start the server with --allow-host {name}."),
        ));
    }
    if let Some(origin) = text(headers, "origin")
        && !same_origin(origin, host)
    {
        notes.push(Note::known(
            Code::OriginRefused,
            format!("It is a page of {origin}, and pages of other origins are refused unless they are allowed."),
            format!("Start the server with --allow-origin {origin}."),
        ));
    }
}

fn same_origin(origin: &str, host: &str) -> bool {
    let place = origin.split_once("://").map_or(origin, |(_, place)| place);
    place.eq_ignore_ascii_case(host)
}

fn name_of(host: &str) -> &str {
    let port = host.rfind(':').filter(|at| host[at + 1..].bytes().all(|byte| byte.is_ascii_digit()));
    let name = port.map_or(host, |at| &host[..at]);
    name.trim_start_matches('[').trim_end_matches(']')
}

fn is_local(host: &str) -> bool {
    let name = name_of(host);
    let loopback = name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    loopback || name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
}

fn header_notes(headers: &HeaderMap, notes: &mut Vec<Note>) {
    for name in headers.keys().map(::http::HeaderName::as_str).filter(|name| is_invented(name)) {
        notes.push(Note::wrong(
            "unknown_header",
            format!("It sends the header {name}, which means nothing: only the router says which agent is reached."),
            "Leave the header out; the path /agents/{agent}/{name} is all that is needed.",
        ));
    }
    if let Some(prefix) = text(headers, "x-agents-namespace")
        && prefix != "agents"
    {
        notes.push(Note::known(
            Code::NamespaceMismatch,
            format!("It expects the routing prefix {prefix:?}; the usual one is \"agents\"."),
            "Drop the header X-Agents-Namespace, or start the server with that --prefix.",
        ));
    }
    if let Some(offered) = text(headers, "sec-websocket-protocol") {
        notes.push(Note::wrong(
            "subprotocol",
            format!(
                "It offers the subprotocol {offered:?}. A Hostel server agrees to the first offered; this listener and other servers of the Agents SDK choose none, and browsers then give up."
            ),
            "Connect without a subprotocol.",
        ));
    }
}

/// Names that look like routing headers and are none.
fn is_invented(name: &str) -> bool {
    let real = ["x-agents-namespace", "x-agents-force-websocket"];
    let prefixes = ["x-partykit-", "x-cf-agent", "cf-agent", "x-agent", "x-durable-object"];
    !real.contains(&name) && prefixes.iter().any(|prefix| name.starts_with(prefix))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn has(headers: &HeaderMap, name: &str, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
}

fn query_has(uri: &Uri, key: &str) -> bool {
    let query = uri.query().unwrap_or_default();
    query.split('&').any(|pair| pair.split('=').next() == Some(key) && pair.len() > key.len() + 1)
}

/// What a client is told apart by: its connection id, or else where it comes from.
pub(super) fn client_id(uri: &Uri) -> Option<&str> {
    let query = uri.query().unwrap_or_default();
    query.split('&').find_map(|pair| pair.strip_prefix("_pk=")).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(uri: &str, headers: &[(&str, &str)]) -> Vec<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: ::http::HeaderName = name.parse().unwrap();
            map.append(name, value.parse().unwrap());
        }
        let notes = request(&Method::GET, &uri.parse().unwrap(), &map);
        let wrong = notes.into_iter().filter_map(|note| match note {
            Note::Wrong(found) => Some(found.code),
            Note::Right(_) => None,
        });
        wrong.collect()
    }

    const SOCKET: [(&str, &str); 5] = [
        ("host", "localhost:8787"),
        ("upgrade", "websocket"),
        ("connection", "keep-alive, Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn with(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
        SOCKET.iter().chain(more).copied().collect()
    }

    #[test]
    fn a_correct_client_is_told_nothing_to_change() {
        assert_eq!(codes("/agents/coder-agent/default?_pk=1", &SOCKET), [""; 0]);
        assert_eq!(codes("/agents/CoderAgent/default?_pk=1", &with(&[("origin", "http://localhost:8787")])), [""; 0]);
        assert_eq!(codes("/agents/my-own/x", &SOCKET), [""; 0]);
    }

    #[test]
    fn each_mistake_of_a_request_has_its_code() {
        for (uri, more, code) in [
            ("/agents/coder-agnet/x", &[][..], "unknown_agent"),
            ("/agents/coder-agent", &[], "missing_name"),
            ("/api/agent/coder-agent/x", &[], "no_route"),
            ("/agents/coder-agent/x/agents", &[], "stray_sub_path"),
            ("/agents/coder-agent/x", &[("origin", "https://app.example")], "origin_refused"),
            ("/agents/coder-agent/x", &[("x-partykit-room", "x")], "unknown_header"),
            ("/agents/coder-agent/x", &[("x-cf-agent-namespace", "x")], "unknown_header"),
            ("/agents/coder-agent/x", &[("x-agents-namespace", "api")], "namespace_mismatch"),
            ("/agents/coder-agent/x", &[("sec-websocket-protocol", "chat")], "subprotocol"),
        ] {
            assert_eq!(codes(uri, &with(more)), [code], "{uri} {more:?}");
        }
    }

    #[test]
    fn a_handshake_that_lost_headers_is_recognised() {
        let without = |name: &str| -> Vec<(&str, &str)> {
            SOCKET.iter().filter(|(header, _)| *header != name).copied().collect()
        };
        let uri = "/agents/coder-agent/x";
        assert_eq!(codes(uri, &without("upgrade")), ["upgrade_stripped"]);
        assert_eq!(codes(uri, &without("connection")), ["bad_upgrade"]);
        assert_eq!(codes(uri, &without("sec-websocket-key")), ["bad_upgrade"]);
        assert_eq!(codes(uri, &[("host", "localhost"), ("x-agents-force-websocket", "true")]), ["upgrade_stripped"]);
        assert_eq!(codes(uri, &[("host", "localhost")]), [""; 0]);
    }

    #[test]
    fn names_beyond_loopback_have_to_be_allowed() {
        for (host, fine) in [
            ("localhost:8787", true),
            ("127.0.0.1", true),
            ("[::1]:8787", true),
            ("app.localhost:1", true),
            ("agents.example", false),
            ("192.168.1.2:8787", false),
        ] {
            let found = codes("/agents/coder-agent/x", &[("host", host)]);
            assert_eq!(found.is_empty(), fine, "{host}: {found:?}");
        }
    }
}
