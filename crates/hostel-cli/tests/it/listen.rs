//! `hostel doctor --listen` tells each client what it does wrong.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout};

use super::run::{doctor, fed, hostel};

/// A listening doctor.
struct Listening {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Listening {
    async fn start() -> Self {
        let mut command = hostel(&["doctor", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().unwrap();
        let address = first.split_whitespace().find(|word| word.starts_with("127.0.0.1:")).unwrap();
        let address = address.trim_end_matches('.').to_owned();
        Self { _child: child, lines, address }
    }

    /// Reads on until a line contains `text`.
    async fn says(&mut self, text: &str) {
        let mut seen = Vec::new();
        while let Some(line) = self.lines.next_line().await.unwrap() {
            if line.contains(text) {
                return;
            }
            seen.push(line);
        }
        panic!("{text} was not said: {seen:#?}");
    }

    async fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let request = request.replace("HOST", &self.address).replace('\n', "\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let length = stream.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }
}

#[tokio::test]
async fn a_tls_hello_on_the_plain_port_is_recognised() {
    let mut listening = Listening::start().await;
    let wss = format!("wss://{}/agents/coder-agent/x", listening.address);
    let (_, report) = doctor(&[&wss]).await;
    assert_eq!(report["problem"]["code"], "plain_port");
    listening.says("plain_port: It began a TLS handshake").await;
    listening.says("Change: Pass protocol: \"ws\"").await;
}

#[tokio::test]
async fn mistakes_of_a_request_are_told_to_both_sides() {
    let mut listening = Listening::start().await;
    let answer = listening.send("GET /agents/coder-agnet/x HTTP/1.1\nHost: HOST\n\n").await;
    assert!(answer.contains("Write agent: \"coder-agent\"."), "{answer}");
    listening.says("unknown_agent").await;
    let answer = listening.send("GET /agents/coder-agent HTTP/1.1\nHost: HOST\n\n").await;
    assert!(answer.contains("/agents/coder-agent/default"), "{answer}");
    listening.says("missing_name").await;
    let stripped = "GET /agents/coder-agent/x HTTP/1.1\nHost: HOST\nSec-WebSocket-Key: x\n\n";
    let answer = listening.send(stripped).await;
    assert!(answer.starts_with("HTTP/1.1 426"), "{answer}");
    listening.says("upgrade_stripped").await;
    listening.send("GET /agents/coder-agent/x HTTP/1.1\nHost: HOST\nOrigin: https://a.example\n\n").await;
    listening.says("origin_refused").await;
    listening.send("NONSENSE\n\n").await;
    listening.says("no_http").await;
}

#[tokio::test]
async fn an_accepted_client_has_its_frames_judged() {
    let mut listening = Listening::start().await;
    let url = format!("ws://{}/agents/coder-agent/x/agents", listening.address);
    let typed = "{\"type\":\"call\",\"method\":\"add\"}\n/call add 1\n/state {\"a\":1}\n";
    let ran = fed(&["connect", &url], typed).await;
    assert!(ran.stdout.contains("← identity coder-agent/x"), "{ran:?}");
    assert!(ran.stdout.ends_with("× closed 1000\n"), "{ran:?}");
    listening.says("stray_sub_path").await;
    listening.says("the WebSocket is open").await;
    listening.says("foreign_dialect").await;
    listening.says("a call of add, correctly").await;
    listening.says("which replaces the whole state").await;
    listening.says("it closed the connection with 1000").await;
}

#[tokio::test]
async fn a_client_that_reconnects_in_a_loop_is_recognised() {
    let mut listening = Listening::start().await;
    let handshake = "GET /agents/coder-agent/x?_pk=same HTTP/1.1\nHost: HOST\nUpgrade: websocket\nConnection: Upgrade\n\
                     Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\n";
    for _ in 0..6 {
        let answer = listening.send(handshake).await;
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    }
    listening.says("reconnect_loop: It connected 6 times within a minute.").await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_so() {
    let listening = Listening::start().await;
    let ran = super::run::run(&["doctor", "--listen", &listening.address]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("stop it first or name another port"), "{ran:?}");
}
