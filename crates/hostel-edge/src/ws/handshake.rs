//! The opening handshake of RFC 6455, checked by us: method, headers, version,
//! key, and which compression offer is taken.

use data_encoding::BASE64;
use hostel_protocol::{Code, Refusal};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use sha1::{Digest, Sha1};

use super::{Upgrade, WsPolicy, offer};

/// A request that is not a WebSocket handshake we can complete.
#[derive(Debug, thiserror::Error)]
#[error("{refusal}")]
#[non_exhaustive]
pub struct BadUpgrade {
    /// Code, sentence and fix for the client.
    pub refusal: Refusal,
    /// 400, 405 or 426; more exact than the code's own status.
    pub status: StatusCode,
}

impl BadUpgrade {
    fn new(status: StatusCode, message: &str, fix: &str) -> Self {
        let refusal = Refusal::new(Code::BadUpgrade, message).with_fix(fix);
        Self { refusal, status }
    }

    /// The headers the answer must carry besides the refusal's own.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        match self.status {
            StatusCode::UPGRADE_REQUIRED => {
                headers.insert(header::UPGRADE, WEBSOCKET);
                headers.insert(header::SEC_WEBSOCKET_VERSION, VERSION);
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
            }
            _ => {}
        }
        headers
    }
}

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const VERSION: HeaderValue = HeaderValue::from_static("13");
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Whether the request asks for a WebSocket at all, well formed or not.
#[must_use]
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, &header::UPGRADE, "websocket")
}

/// Answers a handshake: the 101 to send back, and the future socket.
///
/// A client that offers subprotocols (often to carry a token) gets the first: we
/// speak none of them, but browsers give up on a server that picks none, and say
/// nothing but 1006.
///
/// # Errors
/// [`BadUpgrade`] when the request is not a correct handshake; nothing has been
/// taken from the request then.
pub fn handshake<B>(request: &mut Request<B>, policy: &WsPolicy) -> Result<(Response<()>, Upgrade), BadUpgrade> {
    check(request)?;
    let key = key(request.headers())?;
    let deflate = policy.compression.then(|| offer::choose(request.headers())).flatten();
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, WEBSOCKET);
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept(key));
    if let Some(deflate) = deflate {
        let answer = HeaderValue::try_from(deflate.answer()).expect("tokens and digits");
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, answer);
    }
    if let Some(subprotocol) = subprotocol(request.headers()) {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    let upgrade = Upgrade::new(hyper::upgrade::on(request), deflate, policy.clone());
    Ok((response, upgrade))
}

fn check<B>(request: &Request<B>) -> Result<(), BadUpgrade> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(BadUpgrade::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "A WebSocket opens with GET.",
            "send the handshake as a GET request",
        ));
    }
    if !is_upgrade(headers) {
        return Err(BadUpgrade::new(
            StatusCode::UPGRADE_REQUIRED,
            "This address speaks WebSocket, and the request does not ask for an upgrade.",
            "connect with a WebSocket client, or let the proxy pass the Upgrade and Connection headers",
        ));
    }
    if !has_token(headers, &header::CONNECTION, "upgrade") {
        return Err(BadUpgrade::new(
            StatusCode::BAD_REQUEST,
            "The request has Upgrade: websocket but no Connection: Upgrade.",
            "let the proxy in front pass the header Connection: Upgrade",
        ));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION) != Some(&VERSION) {
        return Err(BadUpgrade::new(
            StatusCode::UPGRADE_REQUIRED,
            "Only WebSocket version 13 is spoken here.",
            "send Sec-WebSocket-Version: 13",
        ));
    }
    Ok(())
}

fn key(headers: &HeaderMap) -> Result<&HeaderValue, BadUpgrade> {
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    match (keys.next(), keys.next()) {
        (Some(key), None) if is_key(key.as_bytes()) => Ok(key),
        _ => Err(BadUpgrade::new(
            StatusCode::BAD_REQUEST,
            "The header Sec-WebSocket-Key is missing, doubled, or not 16 bytes of base64.",
            "use a WebSocket client, which makes the key itself",
        )),
    }
}

fn is_key(key: &[u8]) -> bool {
    // Some clients leave the unused bits of the last digit set: the length is what counts.
    key.len() == 24
        && key.ends_with(b"==")
        && key[..22].iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

/// The first one offered, if it is a token (RFC 6455, 4.1).
fn subprotocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let first = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?.split(',').next()?.trim();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if first.is_empty() || !first.bytes().all(is_token) {
        return None;
    }
    HeaderValue::from_str(first).ok()
}

fn accept(key: &HeaderValue) -> HeaderValue {
    let digest = Sha1::new().chain_update(key.as_bytes()).chain_update(GUID).finalize();
    HeaderValue::try_from(BASE64.encode(&digest)).expect("base64 is a valid header value")
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> http::request::Builder {
        Request::get("/")
            .header("host", "h")
            .header("upgrade", "WebSocket")
            .header("connection", "keep-alive, Upgrade")
            .header("sec-websocket-version", "13")
    }

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn refused(mut request: Request<()>) -> StatusCode {
        handshake(&mut request, &WsPolicy::default())
            .map(|(response, _)| response.status())
            .expect_err("a refusal")
            .status
    }

    #[test]
    fn a_client_that_offers_subprotocols_gets_the_first() {
        for (offered, chosen) in [("chat, token.abc", Some("chat")), ("chat", Some("chat")), ("a b", None), (",", None)]
        {
            let request = request().header("sec-websocket-key", KEY).header("sec-websocket-protocol", offered);
            let (response, _) = handshake(&mut request.body(()).unwrap(), &WsPolicy::default()).unwrap();
            let got = response.headers().get("sec-websocket-protocol").map(|value| value.to_str().unwrap());
            assert_eq!(got, chosen, "{offered}");
        }
    }

    #[test]
    fn the_example_of_the_rfc_gets_its_accept_value_and_no_subprotocol() {
        let mut request = request().header("sec-websocket-key", KEY).body(()).unwrap();
        let (response, _) = handshake(&mut request, &WsPolicy::default()).unwrap();
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(!response.headers().contains_key("sec-websocket-protocol"));
        assert!(!response.headers().contains_key("sec-websocket-extensions"));
    }

    #[test]
    fn compression_is_agreed_only_when_the_policy_has_it() {
        for (compression, expect) in [(true, true), (false, false)] {
            let mut request = request()
                .header("sec-websocket-key", KEY)
                .header("sec-websocket-extensions", "permessage-deflate; client_max_window_bits")
                .body(())
                .unwrap();
            let policy = WsPolicy::new(&crate::Limits::default(), compression);
            let (response, _) = handshake(&mut request, &policy).unwrap();
            assert_eq!(response.headers().contains_key("sec-websocket-extensions"), expect);
        }
    }

    #[test]
    fn each_broken_handshake_is_refused_with_its_status() {
        let with_key = || request().header("sec-websocket-key", KEY);
        let post = with_key().method("POST").body(()).unwrap();
        assert_eq!(refused(post), 405);
        assert_eq!(refused(request().body(()).unwrap()), 400);
        assert_eq!(refused(request().header("sec-websocket-key", "short").body(()).unwrap()), 400);
        assert_eq!(refused(with_key().header("sec-websocket-key", KEY).body(()).unwrap()), 400);
        let mut old = with_key().body(()).unwrap();
        old.headers_mut().insert("sec-websocket-version", HeaderValue::from_static("8"));
        assert_eq!(refused(old), 426);
        let mut bare = with_key().body(()).unwrap();
        bare.headers_mut().remove("upgrade");
        assert_eq!(refused(bare), 426);
        let mut half = with_key().body(()).unwrap();
        half.headers_mut().remove("connection");
        assert_eq!(refused(half), 400);
    }

    #[test]
    fn a_wrong_version_is_answered_with_the_right_one() {
        let mut old = request().header("sec-websocket-key", KEY).body(()).unwrap();
        old.headers_mut().insert("sec-websocket-version", HeaderValue::from_static("8"));
        let refusal = handshake(&mut old, &WsPolicy::default()).map(|_| ()).unwrap_err();
        assert_eq!(refusal.headers()["sec-websocket-version"], "13");
    }
}
