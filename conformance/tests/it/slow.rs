//! Clients that do not read: bounded, closed with a reason, and nobody else waits for them.

use std::time::Duration;

use futures_util::StreamExt;
use hostel::{App, Limits};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::tungstenite::Message;

use super::{
    agents::Loud,
    support::{Client, PATIENCE, Server},
};

const MIB: usize = 1 << 20;

async fn start(outbox_bytes: usize) -> Server {
    let limits = Limits { outbox_bytes, ..Limits::default() };
    Server::start(App::new().agent::<Loud>().in_memory().limits(limits)).await
}

/// A socket that was opened and is never read.
async fn stalled(server: &Server, path: &str) -> TcpStream {
    let mut stream = server.connect().await;
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    stream.write_all(server.head(path, &[], upgrade).as_bytes()).await.unwrap();
    stream
}

/// A client that reads, and what it has heard.
struct Reader {
    client: Client,
    messages: usize,
    texts: Vec<String>,
}

impl Reader {
    async fn hear(&mut self) {
        match timeout(PATIENCE, self.client.socket.next()).await.expect("a message in time") {
            Some(Ok(Message::Binary(_))) => self.messages += 1,
            Some(Ok(Message::Text(text))) => self.texts.push(text.to_string()),
            other => panic!("after {} messages: {other:?}", self.messages),
        }
    }

    /// Has the agent send `count` messages of 1 MiB to everybody, and reads its own copies.
    async fn shout(&mut self, count: usize) {
        let due = self.messages + count;
        self.client.send(&json!({"type": "rpc", "id": "s", "method": "shout", "args": [count, MIB]}).to_string()).await;
        while self.messages < due {
            self.hear().await;
        }
    }
}

/// A reader on an agent that `others` have reached before.
async fn reader(server: &Server, path: &str, others: usize) -> Reader {
    let mut client = server.socket(path).await;
    while client.call("crowd", json!([])).await["result"] != others + 1 {}
    Reader { client, messages: 0, texts: Vec::new() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threat_15_a_client_that_does_not_read_is_closed_and_others_miss_nothing() {
    let server = start(4 * MIB).await;
    let _silent = stalled(&server, "/agents/loud/a?_pk=silent").await;
    let mut reader = reader(&server, "/agents/loud/a", 1).await;
    // In portions that a reading client has room for: only who does not read at all falls behind.
    for _ in 0..16 {
        reader.shout(2).await;
    }
    while !reader.texts.iter().any(|text| text == "left silent") {
        reader.hear().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threat_16_a_broadcast_is_kept_once_for_all_who_do_not_read_and_the_node_stays_answering() {
    let server = start(64 * MIB).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(stalled(&server, "/agents/loud/a").await);
    }
    let mut bystander = server.socket("/agents/loud/b").await;
    assert_eq!(bystander.call("ping", json!([])).await["result"], "pong");
    let mut reader = reader(&server, "/agents/loud/a", silent.len()).await;
    let before = resident_mib();
    for _ in 0..16 {
        reader.shout(2).await;
        assert_eq!(bystander.call("ping", json!([])).await["result"], "pong");
    }
    let grown = resident_mib().saturating_sub(before);
    assert!(grown < 600, "50 copies of 32 MiB would be 1600 MiB; it grew by {grown} MiB");
    drop(silent);
}

#[tokio::test]
async fn a_client_that_never_answers_a_goodbye_is_dropped_within_seconds() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(hostel_conformance::app(data.path().to_owned())).await;
    let mut silent = stalled(&server, "/agents/counter-agent/a").await;
    while server.get("/agents/counter-agent/a/conns").await.body == "[]" {}
    assert_eq!(server.get("/agents/counter-agent/a/closeall?code=4005").await.body, "closed");
    let mut heard = Vec::new();
    let gone = timeout(Duration::from_secs(6), silent.read_to_end(&mut heard)).await;
    assert!(gone.is_ok(), "its connection is still open");
    assert!(heard.ends_with(b"\x0f\xa5bye"), "the close frame with code 4005 came last");
}

fn resident_mib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() >> 10
}
