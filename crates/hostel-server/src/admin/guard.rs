//! Who may ask: operators; where nobody is asked who they are, programs on this machine; and pages of admitted sites.

use std::net::IpAddr;

use hostel::{
    Code, ConnInfo, Edge, Refusal,
    axum::{
        extract::{Request, State},
        middleware::Next,
        response::Response,
    },
    http::{HeaderMap, header},
    problem,
};

/// Lets in who is known as an operator; and, where nobody is asked who they are, whoever connects from this machine without
/// anything between. A plain proxy on this machine looks like that, too: so a loopback address proves nothing where there is
/// a better proof, nor if it is that of a proxy.
pub(crate) async fn operators(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnInfo>().map(|info| info.peer.ip());
    let behind_proxy = came_through_a_proxy(request.headers()) || peer.is_some_and(|peer| edge.is_proxy(peer));
    let local = !edge.authenticates() && !behind_proxy && peer.is_none_or(|peer| peer.to_canonical().is_loopback());
    let (mut head, body) = request.into_parts();
    let identified = edge.identify(&mut head).await;
    match identified {
        Ok(Some(identity)) if identity.is_operator() => next.run(Request::from_parts(head, body)).await,
        // Who says to be somebody is taken at their word, even here.
        Ok(None) if local => next.run(Request::from_parts(head, body)).await,
        Ok(identity) => problem(&elsewhere(&edge, identity.is_some()), None),
        Err(refusal) => problem(&refusal, None),
    }
}

fn elsewhere(edge: &Edge, known: bool) -> Refusal {
    let message = "The operator's endpoints answer operators.";
    match (edge.authenticates(), known) {
        (true, false) => Refusal::new(Code::Unauthorized, message).with_fix(
            "send the token of an operator: `hostel token new NAME --operator` makes one, HOSTEL_TOKEN holds it",
        ),
        (true, true) => Refusal::new(Code::Forbidden, message).with_fix("use the token of an operator"),
        (false, _) => Refusal::new(Code::Forbidden, "The operator's endpoints answer this machine alone.").with_fix(
            "run the command on the server itself, or through a tunnel; with [auth], an operator's token does as well",
        ),
    }
}

/// Whether a proxy says whom it speaks for, or asks under the public name it was asked by.
fn came_through_a_proxy(headers: &HeaderMap) -> bool {
    let forwarding = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    forwarding.iter().any(|name| headers.contains_key(*name)) || !is_loopback_name(host)
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The same decision about sites as for agents.
pub(crate) async fn same_site(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    match edge.check_site(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => problem(&refusal, None),
    }
}

#[cfg(test)]
mod tests {
    use hostel::http::HeaderValue;

    use super::*;

    #[test]
    fn a_proxy_on_this_machine_is_not_taken_for_its_operator() {
        let headers = |host: &'static str, extra: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            extra.map(|name| headers.insert(name, HeaderValue::from_static("203.0.113.9")));
            headers
        };
        for host in ["localhost", "LOCALHOST:8787", "127.0.0.1:8787", "127.0.0.1", "[::1]:8787", "[::1]"] {
            assert!(!came_through_a_proxy(&headers(host, None)), "{host}");
            for sign in ["x-forwarded-for", "forwarded", "via", "x-real-ip"] {
                assert!(came_through_a_proxy(&headers(host, Some(sign))), "{host} {sign}");
            }
        }
        for host in ["agents.example", "agents.example:443", "203.0.113.9:8787", "localhost.evil.test", ""] {
            assert!(came_through_a_proxy(&headers(host, None)), "{host}");
        }
    }
}
