//! Clients that take their time.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use hostel_edge::Limits;
use http::Request;
use http_body_util::{BodyExt, Empty, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::support::{PATIENCE, Server, read_head, read_to_end};

/// One limit that is short; all others are far away.
const SHORT: Duration = Duration::from_millis(300);

fn patient() -> Limits {
    let far = PATIENCE * 10;
    Limits { handshake_deadline: far, header_deadline: far, keep_alive: far, body_window: far, ..Limits::default() }
}

#[tokio::test]
async fn threat_18_a_head_that_trickles_in_is_answered_408_at_the_deadline() {
    let server = Server::start(Limits { header_deadline: SHORT, ..patient() }).await;
    let mut stream = server.connect().await;
    let (mut reader, mut writer) = stream.split();
    let trickle = async {
        writer.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nX: ").await.unwrap();
        while writer.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let answer = tokio::select! {
        answer = read_to_end(&mut reader) => answer,
        () = trickle => unreachable!("the server ends its side first"),
    };
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn threat_18_a_body_below_the_minimum_rate_is_cut() {
    let server = Server::start(Limits { body_window: Duration::from_secs(1), body_rate: 1_000, ..patient() }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 10000\r\n\r\nabc").await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("body_too_slow"), "{answer}");
}

#[tokio::test]
async fn threat_18_an_idle_connection_is_closed_after_the_keep_alive_time() {
    let server = Server::start(Limits { keep_alive: SHORT, header_deadline: SHORT, ..patient() }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200"));
    assert_eq!(read_to_end(&mut stream).await, "hello");
}

#[tokio::test]
async fn threat_18_an_idle_http2_connection_is_closed_after_the_keep_alive_time() {
    let server = Server::start(Limits { keep_alive: SHORT, handshake_deadline: SHORT, ..patient() }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    read_to_end(&mut stream).await;
}

type Asks = http2::SendRequest<BoxBody<Bytes, Infallible>>;

async fn http2_client(server: &Server) -> (Asks, JoinHandle<()>) {
    let io = TokioIo::new(server.connect().await);
    let (client, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    (client, tokio::spawn(async move { drop(connection.await) }))
}

/// Asks for an answer that comes as it is told. Before that the connection may have been closed, on a machine that is busy.
async fn told(server: &Server) -> (Asks, UnboundedSender<Bytes>, Incoming) {
    loop {
        let (mut client, _connection) = http2_client(server).await;
        let (say, mut said) = unbounded_channel();
        let frames =
            futures_util::stream::poll_fn(move |cx| said.poll_recv(cx).map(|next| Some(Ok(Frame::data(next?)))));
        let request = Request::post("http://h/echo").body(StreamBody::new(frames).boxed()).unwrap();
        if let Ok(answer) = client.send_request(request).await {
            return (client, say, answer.into_body());
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_waited_for_keeps_an_http2_connection_open() {
    let server = Server::start(Limits { keep_alive: SHORT, ..patient() }).await;
    let (mut client, say, mut answer) = told(&server).await;
    // As long as it takes until others that only idle are closed.
    for _ in 0..3 {
        let (_idles, closed) = http2_client(&server).await;
        timeout(PATIENCE, closed).await.expect("it is closed").unwrap();
    }
    say.send("late".into()).unwrap();
    assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap(), "late");
    let more = Request::get("http://h/").body(Empty::new().boxed()).unwrap();
    assert_eq!(client.send_request(more).await.expect("it was not said goodbye to").status(), 200);
}

#[tokio::test]
async fn threat_17_a_half_open_connection_is_dropped_at_the_deadline() {
    let server = Server::start(Limits { handshake_deadline: SHORT, ..patient() }).await;
    let mut stream = server.connect().await;
    assert_eq!(read_to_end(&mut stream).await, "");
}

#[tokio::test]
async fn threat_18_a_client_that_takes_nothing_of_its_answer_is_dropped() {
    let server = Server::start(Limits { connections: 1, write_deadline: SHORT, ..patient() }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200"));
    let request = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let room = async {
        while server.exchange(request).await.starts_with("HTTP/1.1 503") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, room).await.expect("it is dropped");
}
