//! How connections end: closing handshakes and graceful shutdown.

use std::time::Duration;

use hostel_edge::Limits;
use tokio::io::AsyncWriteExt;

use super::support::{Server, frame, read_close, read_frame, read_to_end};

#[tokio::test]
async fn a_close_frame_is_answered_in_kind_and_the_stream_ends() {
    let server = Server::start(Limits::default()).await;
    for payload in [&b""[..], &[0x03, 0xe8], b"\x0f\xa0grund"] {
        let mut socket = server.raw_socket("").await;
        socket.write_all(&frame(0x88, payload)).await.unwrap();
        assert_eq!(read_frame(&mut socket).await, (0x88, payload.to_vec()));
        assert_eq!(read_to_end(&mut socket).await, "");
    }
}

#[tokio::test]
async fn answers_given_before_a_broken_frame_still_arrive() {
    let server = Server::start(Limits::default()).await;
    let mut socket = server.raw_socket("").await;
    socket.write_all(&[frame(0x81, b"first"), frame(0x83, b"")].concat()).await.unwrap();
    assert_eq!(read_frame(&mut socket).await, (0x81, b"first".to_vec()));
    assert_eq!(read_close(&mut socket).await.0, 1002);
}

#[tokio::test]
async fn a_shutdown_tells_sockets_1012_and_waits_for_requests_in_flight() {
    let server = Server::start(Limits::default()).await;
    let mut socket = server.raw_socket("").await;
    let mut request = server.connect().await;
    request.write_all(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    assert!(super::support::read_head(&mut idle).await.starts_with("HTTP/1.1 200"));
    // A round trip through the server, so that the slow request has begun.
    socket.write_all(&frame(0x81, b"x")).await.unwrap();
    read_frame(&mut socket).await;

    let address = server.address;
    let stopped = tokio::spawn(server.stop());
    assert_eq!(read_close(&mut socket).await, (1012, "restarting".into()));
    socket.write_all(&frame(0x88, &[0x03, 0xf4])).await.unwrap();
    assert_eq!(read_to_end(&mut socket).await, "");
    let answer = read_to_end(&mut request).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("slow"), "{answer}");
    assert_eq!(read_to_end(&mut idle).await, "hello");
    assert_eq!(stopped.await.unwrap().cut, 0);
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_shutdown_cuts_what_does_not_leave_by_the_deadline() {
    let limits = Limits { drain_deadline: Duration::from_millis(100), ..Limits::default() };
    let server = Server::start(limits).await;
    let _socket = server.raw_socket("").await;
    assert_eq!(server.stop().await.cut, 1);
}
