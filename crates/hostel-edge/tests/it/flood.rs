//! More connections than there is room for, and clients that do not read.

use std::sync::atomic::Ordering;

use hostel_edge::Limits;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::support::{Server, frame, read_close, read_frame, read_head, read_to_end};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";

#[tokio::test]
async fn threat_17_one_connection_too_many_is_told_so_and_room_returns_at_once() {
    let server = Server::start(Limits { connections: 3, ..Limits::default() }).await;
    let mut open: Vec<TcpStream> = Vec::new();
    for _ in 0..3 {
        let mut stream = server.connect().await;
        stream.write_all(REQUEST).await.unwrap();
        assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200"));
        open.push(stream);
    }
    let answer = server.exchange(REQUEST).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("too_many_connections") && answer.contains("retry-after: 5"), "{answer}");
    open.clear();
    // The server notices the closed ones in its own time.
    while server.exchange(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await.starts_with("HTTP/1.1 503") {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn threat_17_sockets_count_as_connections_of_their_address() {
    let server = Server::start(Limits { connections_per_ip: 1, ..Limits::default() }).await;
    let socket = server.raw_socket("").await;
    let answer = server.exchange(REQUEST).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    drop(socket);
}

#[tokio::test]
async fn threat_17_silent_connections_do_not_keep_others_from_being_served() {
    let server = Server::start(Limits::default()).await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(server.connect().await);
    }
    let answer = server.exchange(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn threat_15_a_client_that_does_not_read_is_closed_1013_and_others_are_not_delayed() {
    let limits = Limits { outbox_bytes: 1 << 20, ..Limits::default() };
    let server = Server::start(limits).await;
    let mut stalled = server.raw_socket("").await;
    let mut other = server.raw_socket("").await;
    stalled.write_all(&frame(0x81, b"blast")).await.unwrap();
    other.write_all(&frame(0x81, b"still here?")).await.unwrap();
    assert_eq!(read_frame(&mut other).await.1, b"still here?");
    let (code, reason) = read_close(&mut stalled).await;
    assert_eq!((code, reason.as_str()), (1013, "slow_consumer: you do not read"));
    let most = server.most_queued.load(Ordering::Relaxed);
    assert!(most > limits.outbox_bytes && most < limits.outbox_bytes + (64 << 10), "{most}");
    assert_eq!(read_to_end(&mut stalled).await, "");
}
