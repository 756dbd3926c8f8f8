//! Takes credentials out of a request's head, wherever a client can put them, so that nothing behind ever sees them.

use hostel_protocol::refusal::Refusal;
use http::{HeaderMap, HeaderValue, Uri, header, request::Parts};

use crate::refusals::malformed;

/// Where credentials are looked for, besides the `Authorization` header and the subprotocol.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    /// The name of a cookie.
    pub(crate) cookie: Option<String>,
    /// Names of query parameters that hold a token.
    pub(crate) query: Vec<String>,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// Nothing.
    None,
    /// A token. The client meant to send it.
    Token(String),
    /// A ticket.
    Ticket(String),
    /// A token from a cookie: the browser sent it, whoever asked it to.
    Cookie(String),
}

/// The parameter that holds a ticket.
const TICKET: &str = "ticket";
/// What a subprotocol that is a token begins with.
const BEARER: &str = "bearer.";

/// Takes all credentials out of the head, and tells what they are.
///
/// # Errors
/// More than one that was sent on purpose, or one that is no text.
pub(crate) fn take(head: &mut Parts, places: &Places) -> Result<Credentials, Refusal> {
    let mut tickets = Vec::new();
    let mut tokens = Vec::new();
    let header = from_header(&mut head.headers);
    shorten_referer(&mut head.headers);
    tokens.extend(from_subprotocol(&mut head.headers));
    take_query(&mut head.uri, places, &mut tokens, &mut tickets);
    let cookie = places.cookie.as_deref().and_then(|name| from_cookies(&mut head.headers, name));
    tokens.extend(header?);
    match (tokens.len() + tickets.len(), tokens.pop(), tickets.pop(), cookie) {
        (0, _, _, None) => Ok(Credentials::None),
        (0, _, _, Some(cookie)) => Ok(Credentials::Cookie(cookie)),
        (1, Some(token), ..) => Ok(Credentials::Token(token)),
        (1, None, Some(ticket), _) => Ok(Credentials::Ticket(ticket)),
        _ => Err(malformed("The request has more than one token.")),
    }
}

fn from_header(headers: &mut HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get(header::AUTHORIZATION).cloned() else { return Ok(None) };
    let several = headers.get_all(header::AUTHORIZATION).iter().count() > 1;
    headers.remove(header::AUTHORIZATION);
    if several {
        return Err(malformed("The request has more than one Authorization header."));
    }
    let text = value.to_str().unwrap_or_default();
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
            Ok(Some(token.trim().to_owned()))
        }
        _ => Err(malformed("The Authorization header is not `Bearer`, a space, and a token.")),
    }
}

/// A browser cannot set headers on a socket, but it can offer subprotocols: `["hostel", "bearer.<token>"]`. The token is
/// taken off the list; the handshake answers with what is left of it.
fn from_subprotocol(headers: &mut HeaderMap) -> Vec<String> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let lines: Vec<String> = lines.iter().map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect();
    let offers = lines.iter().flat_map(|line| line.split(',')).map(|offer| offer.trim().to_owned());
    let (tokens, others): (Vec<_>, Vec<_>) = offers.partition(|offer: &String| offer.starts_with(BEARER));
    if !tokens.is_empty() {
        headers.remove(header::SEC_WEBSOCKET_PROTOCOL);
        if let (false, Ok(rest)) = (others.is_empty(), HeaderValue::from_str(&others.join(", "))) {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, rest);
        }
    }
    tokens.iter().map(|token| token[BEARER.len()..].to_owned()).collect()
}

/// Takes one cookie off the list; the others stay as they are.
/// They are bytes: one of another program may be in any character set, and ours stands beside it all the same.
fn from_cookies(headers: &mut HeaderMap, name: &str) -> Option<String> {
    let lines: Vec<HeaderValue> = headers.get_all(header::COOKIE).iter().cloned().collect();
    let all = || lines.iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';')).map(<[u8]>::trim_ascii);
    let found = all().find_map(|pair| value_of(pair, name))?;
    let rest: Vec<&[u8]> = all().filter(|pair| !pair.is_empty() && value_of(pair, name).is_none()).collect();
    headers.remove(header::COOKIE);
    if let (false, Ok(rest)) = (rest.is_empty(), HeaderValue::from_bytes(&rest.join(&b"; "[..]))) {
        headers.insert(header::COOKIE, rest);
    }
    // One that is no text is no token of ours, and stays somebody's bad one.
    let token = String::from_utf8_lossy(found);
    Some(token.into_owned()).filter(|token| !token.is_empty())
}

/// What a cookie of this name says.
fn value_of<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let end = pair.iter().position(|byte| *byte == b'=')?;
    (pair[..end].trim_ascii() == name.as_bytes()).then(|| pair[end + 1..].trim_ascii())
}

/// A page's own URL may repeat a token.
fn shorten_referer(headers: &mut HeaderMap) {
    let Some(page) = headers.get(header::REFERER).map(HeaderValue::as_bytes) else { return };
    let Some(end) = page.iter().position(|byte| *byte == b'?') else { return };
    match HeaderValue::from_bytes(&page[..end]) {
        Ok(page) => headers.insert(header::REFERER, page),
        Err(_) => headers.remove(header::REFERER),
    };
}

/// Takes parameters off the query.
fn take_query(uri: &mut Uri, places: &Places, tokens: &mut Vec<String>, tickets: &mut Vec<String>) {
    let Some(query) = uri.query() else { return };
    let mut rest = Vec::new();
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = decode(key);
        let found = match () {
            () if places.query.contains(&key) => &mut *tokens,
            () if key == TICKET => &mut *tickets,
            () => {
                rest.push(pair);
                continue;
            }
        };
        // An empty one is how clients send none.
        found.extend(Some(decode(value)).filter(|value| !value.is_empty()));
    }
    let path = uri.path();
    let shorter = if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) };
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = shorter.parse().ok();
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

/// Form-decoding, as the query of a URL has it.
fn decode(text: &str) -> String {
    let pair = format!("_={text}");
    let request = hostel_core::ConnectRequest { uri: format!("/?{pair}"), ..Default::default() };
    request.query("_").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Headers<'a> = &'a [(&'a str, &'a str)];

    fn places() -> Places {
        Places { cookie: Some("session".into()), query: vec!["token".into(), "_token".into()] }
    }

    fn taken(uri: &str, headers: Headers<'_>) -> (Result<Credentials, Refusal>, Parts) {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        (take(&mut head, &places()), head)
    }

    fn token(text: &str) -> Credentials {
        Credentials::Token(text.to_owned())
    }

    #[test]
    fn a_token_is_found_in_every_place_and_is_gone_afterwards() {
        let cases: [(&str, Headers<'_>, Credentials); 8] = [
            ("/a?_pk=1", &[("authorization", "bearer CANARY")], token("CANARY")),
            ("/a?_pk=1", &[("sec-websocket-protocol", "hostel, bearer.CANARY")], token("CANARY")),
            ("/a?token=CANARY&_pk=1", &[], token("CANARY")),
            ("/a?_pk=1&_token=CANARY", &[], token("CANARY")),
            ("/a?t%6Fken=CAN%41RY&_pk=1", &[], token("CANARY")),
            ("/a?_pk=1&ticket=CANARY", &[], Credentials::Ticket("CANARY".into())),
            ("/a?_pk=1", &[("cookie", "a=1; session=CANARY; b=2")], Credentials::Cookie("CANARY".into())),
            ("/a?_pk=1", &[], Credentials::None),
        ];
        for (uri, headers, expected) in cases {
            let (found, head) = taken(uri, headers);
            assert_eq!(found, Ok(expected), "{uri} {headers:?}");
            assert_eq!(head.uri, "/a?_pk=1");
            assert!(!format!("{head:?}").contains("CANARY"), "{head:?}");
        }
    }

    #[test]
    fn what_else_stands_in_the_same_place_stays() {
        let (_, head) = taken("/a?x=%20&token=c&y&ticket=", &[("cookie", "a=1; session=c; b=2"), ("cookie", "d=3")]);
        assert_eq!(head.uri, "/a?x=%20&y");
        assert_eq!(head.headers["cookie"], "a=1; b=2; d=3");
        let (_, head) = taken("/a", &[("sec-websocket-protocol", "bearer.c, hostel, graphql")]);
        assert_eq!(head.headers["sec-websocket-protocol"], "hostel, graphql");
        let (_, head) = taken("http://host:1/a?token=c", &[]);
        assert_eq!(head.uri, "http://host:1/a");
    }

    #[test]
    fn a_cookie_is_found_beside_one_in_another_character_set() {
        let mut request = http::Request::builder().uri("/a");
        let headers = request.headers_mut().unwrap();
        headers.append("cookie", HeaderValue::from_bytes(b"name=J\xf6rg; session=CANARY; b=2").unwrap());
        headers.append("cookie", HeaderValue::from_bytes(b"c=\xff; session=\xfe").unwrap());
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(take(&mut head, &places()), Ok(Credentials::Cookie("CANARY".into())));
        assert_eq!(head.headers["cookie"].as_bytes(), b"name=J\xf6rg; b=2; c=\xff");
    }

    #[test]
    fn a_cookie_that_is_no_text_is_a_bad_one_and_not_nobodys() {
        let mut request = http::Request::builder().uri("/a");
        let cookie = HeaderValue::from_bytes(b"session=\xfe").unwrap();
        request.headers_mut().unwrap().append("cookie", cookie);
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        assert!(matches!(take(&mut head, &places()), Ok(Credentials::Cookie(_))));
        assert!(!head.headers.contains_key("cookie"));
    }

    #[test]
    fn a_referer_loses_its_query() {
        let (_, head) = taken("/a", &[("referer", "https://app.example/page?token=CANARY")]);
        assert_eq!(head.headers["referer"], "https://app.example/page");
        let mut request = http::Request::builder().uri("/a");
        let page = HeaderValue::from_bytes(b"https://app.example/\xf6?token=CANARY").unwrap();
        request.headers_mut().unwrap().append("referer", page);
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(take(&mut head, &places()), Ok(Credentials::None));
        assert_eq!(head.headers["referer"].as_bytes(), b"https://app.example/\xf6");
    }

    #[test]
    fn two_tokens_are_refused_rather_than_chosen_from_and_all_are_taken() {
        let twice: [(&str, Headers<'_>); 4] = [
            ("/a?token=CANARY&_token=CANARY", &[]),
            ("/a?token=CANARY", &[("authorization", "Bearer CANARY")]),
            ("/a?ticket=CANARY", &[("sec-websocket-protocol", "bearer.CANARY")]),
            ("/a", &[("authorization", "Bearer CANARY"), ("authorization", "Bearer CANARY")]),
        ];
        for (uri, headers) in twice {
            let (found, head) = taken(uri, headers);
            assert!(found.is_err(), "{uri}");
            assert!(!format!("{head:?}").contains("CANARY"), "{head:?}");
        }
    }

    #[test]
    fn an_authorization_header_of_another_kind_is_no_good_and_not_nobody() {
        for value in ["Basic YTpi", "Bearer", "Bearer ", "", "token"] {
            assert!(taken("/a", &[("authorization", value)]).0.is_err(), "{value:?}");
        }
    }
}
