//! Ordinary requests: HTTP/1.1, HTTP/2, bodies, the WebSocket upgrade.

use futures_util::{SinkExt, StreamExt};
use hostel_edge::Limits;
use http::{Request, Version};
use http_body_util::{BodyExt, Empty, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::support::{Server, frame, read_frame, statuses};

#[tokio::test]
async fn an_independent_client_talks_over_an_upgraded_connection() {
    let server = Server::start(Limits::default()).await;
    let url = format!("ws://{}/ws", server.address);
    let (mut client, response) = connect_async(url).await.unwrap();
    assert_eq!(response.status(), 101);
    for message in [Message::text("grüße"), Message::binary(vec![0; 200_000]), Message::text("")] {
        client.send(message.clone()).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), message);
    }
    client.send(Message::Ping("p".into())).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong("p".into()));
    let goodbye = CloseFrame { code: 4321.into(), reason: "done".into() };
    client.close(Some(goodbye.clone())).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Close(Some(goodbye)));
    assert!(client.next().await.is_none());
}

#[tokio::test]
async fn frames_sent_together_with_the_handshake_are_not_lost() {
    let server = Server::start(Limits::default()).await;
    let mut request = b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    request.extend(frame(0x81, b"early"));
    let mut stream = server.connect().await;
    tokio::io::AsyncWriteExt::write_all(&mut stream, &request).await.unwrap();
    assert!(super::support::read_head(&mut stream).await.starts_with("HTTP/1.1 101"));
    assert_eq!(read_frame(&mut stream).await, (0x81, b"early".to_vec()));
}

#[tokio::test]
async fn a_plain_request_over_http2_without_tls_is_answered_with_its_host() {
    let server = Server::start(Limits::default()).await;
    let io = TokioIo::new(server.connect().await);
    let (mut client, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://example.test/").body(Empty::<bytes::Bytes>::new()).unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
    let request = Request::get("http://example.test/").header("host", "other.test");
    let request = request.body(Empty::<bytes::Bytes>::new()).unwrap();
    assert_eq!(client.send_request(request).await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_declared_body_beyond_the_limit_is_refused_before_it_is_sent() {
    let server = Server::start(Limits { body_bytes: 1_000, ..Limits::default() }).await;
    let request = "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n";
    let answer = server.exchange(request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("body_too_large"), "{answer}");
}

#[tokio::test]
async fn a_chunked_body_beyond_the_limit_is_cut_on_both_versions() {
    let server = Server::start(Limits { body_bytes: 1_000, ..Limits::default() }).await;
    let chunk = format!("3e9\r\n{}\r\n0\r\n\r\n", "x".repeat(1_001));
    let request =
        format!("POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{chunk}");
    let answer = server.exchange(request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");

    let io = TokioIo::new(server.connect().await);
    let (mut client, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post("http://h/body").body(Full::new(bytes::Bytes::from(vec![0; 1_001]))).unwrap();
    assert_eq!(client.send_request(request).await.unwrap().status(), 413);
}

#[tokio::test]
async fn a_handler_may_take_a_body_of_any_size() {
    let server = Server::start(Limits { body_bytes: 1_000, ..Limits::default() }).await;
    let chunk = format!("3e9\r\n{}\r\n", "x".repeat(1_001)).repeat(3);
    let request = format!(
        "POST /any-body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{chunk}0\r\n\r\n"
    );
    let answer = server.exchange(request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("3003 bytes"), "{answer}");
}

#[tokio::test]
async fn a_handler_that_panics_is_answered_500_and_the_connection_goes_on() {
    let server = Server::start(Limits::default()).await;
    let both = "GET /panic HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let answers = server.exchange(both.as_bytes()).await;
    assert_eq!(statuses(&answers), ["500", "200"], "{answers}");
    assert!(answers.contains("\"code\":\"internal\""), "{answers}");
}
