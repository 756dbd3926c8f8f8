//! Requests that two parsers could read differently.

use hostel_edge::Limits;

use super::support::{Server, statuses};

const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n";

/// Sends the request, with another behind it, and expects one answer.
async fn refused(server: &Server, name: &str, request: &str, status: &str) {
    let answer = server.exchange(format!("{request}{HIDDEN}").as_bytes()).await;
    assert_eq!(statuses(&answer), [status], "{name}: {answer}");
    assert!(answer.contains("application/problem+json"), "{name}: {answer}");
    assert!(answer.contains("\"fix\":"), "{name}: {answer}");
}

#[tokio::test]
async fn threat_19_every_ambiguous_request_gets_one_refusal_and_the_connection_ends() {
    let server = Server::start(Limits::default()).await;
    let post = |fields: &str, body: &str| format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n{body}");
    let table = [
        ("CL and TE", post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
        ("TE and CL", post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n")),
        ("two different CL", post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab")),
        ("two equal CL", post("Content-Length: 1\r\nContent-Length: 1\r\n", "a")),
        ("CL list", post("Content-Length: 1, 1\r\n", "a")),
        ("CL with a sign", post("Content-Length: +5\r\n", "hello")),
        ("negative CL", post("Content-Length: -5\r\n", "hello")),
        ("CL with a unit", post("Content-Length: 5 \t5\r\n", "hello")),
        ("hexadecimal CL", post("Content-Length: 0x5\r\n", "hello")),
        ("CL beyond 64 bits", post("Content-Length: 18446744073709551621\r\n", "hello")),
        ("empty CL", post("Content-Length:\r\n", "")),
        ("TE not chunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")),
        ("TE list", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")),
        ("TE then identity", post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n")),
        ("two TE", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
        ("TE with a vertical tab", post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n")),
        ("TE on HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into()),
        ("bare LF", "GET / HTTP/1.1\nHost: h\n\n".into()),
        ("one bare LF", "GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n".into()),
        ("bare CR", "GET / HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n".into()),
        ("no Host", "GET / HTTP/1.1\r\n\r\n".into()),
        ("two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".into()),
        ("two equal Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n".into()),
        ("Host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n".into()),
        ("other host in the target", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n".into()),
        ("space before colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n".into()),
        ("TE with space before colon", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n")),
        ("folded header", "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n".into()),
        ("folded first header", "GET / HTTP/1.1\r\n Host: h\r\n\r\n".into()),
        ("NUL in a value", "GET / HTTP/1.1\r\nHost: h\r\nA: b\0c\r\n\r\n".into()),
        ("NUL in a name", "GET / HTTP/1.1\r\nHost: h\r\nA\0: b\r\n\r\n".into()),
        ("empty name", "GET / HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n".into()),
        ("no colon", "GET / HTTP/1.1\r\nHost: h\r\nnonsense\r\n\r\n".into()),
        ("two spaces in the request line", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n".into()),
        ("HTTP/0.9", "GET /\r\n\r\n".into()),
        ("HTTP/1.2", "GET / HTTP/1.2\r\nHost: h\r\n\r\n".into()),
        ("lower-case version", "GET / http/1.1\r\nHost: h\r\n\r\n".into()),
        ("CONNECT", "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n".into()),
        ("not HTTP at all", "\x01\x02\x03\r\n\r\n".into()),
    ];
    for (name, request) in &table {
        refused(&server, name, request, "400").await;
    }
}

#[tokio::test]
async fn threat_19_too_many_or_too_large_headers_are_answered_431() {
    let server = Server::start(Limits::default()).await;
    let many: String = (0..101).map(|n| format!("X-{n}: v\r\n")).collect();
    refused(&server, "many", &format!("GET / HTTP/1.1\r\nHost: h\r\n{many}\r\n"), "431").await;
    let large = "v".repeat(40 << 10);
    refused(&server, "large", &format!("GET / HTTP/1.1\r\nHost: h\r\nX: {large}\r\n\r\n"), "431").await;
}

#[tokio::test]
async fn threat_19_a_bad_request_behind_a_good_one_is_refused_in_its_turn() {
    let server = Server::start(Limits::default()).await;
    let good = "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n";
    let answer = server.exchange(format!("{good}GET / HTTP/1.1\r\n\r\n{HIDDEN}").as_bytes()).await;
    assert_eq!(statuses(&answer), ["200", "400"], "{answer}");
}

#[tokio::test]
async fn threat_19_a_malformed_chunk_never_lets_a_hidden_request_through() {
    let server = Server::start(Limits::default()).await;
    for chunk in
        ["5\nhello\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n", "5;a\nb\r\nhello\r\n0\r\n\r\n", "5\r\nhelloXX0\r\n\r\n"]
    {
        let request = format!("POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{HIDDEN}");
        let answer = server.exchange(request.as_bytes()).await;
        assert!(statuses(&answer).len() <= 1, "{chunk:?}: {answer}");
        assert!(!answer.contains("200 OK"), "{chunk:?}: {answer}");
    }
}

#[tokio::test]
async fn well_formed_requests_share_a_connection_pipelined_or_not() {
    let server = Server::start(Limits::default()).await;
    let requests = "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello\
        POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n\
        GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n\
        GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let answer = server.exchange(requests.as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 4, "{answer}");
    assert!(answer.contains("5 bytes") && answer.contains("3 bytes"), "{answer}");
}

#[tokio::test]
async fn a_refused_upgrade_leaves_the_connection_usable() {
    let server = Server::start(Limits::default()).await;
    let requests = "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n\
        GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let answer = server.exchange(requests.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 426"), "{answer}");
    assert!(answer.contains("HTTP/1.1 200 OK"), "{answer}");
}
