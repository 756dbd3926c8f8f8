//! A served application, and clients that say exactly what a test wants them to say.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use hostel::{App, Home, Options, StartError};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest, handshake::client::Request, http::HeaderName},
};
use tokio_util::sync::CancellationToken;

/// Longer than any test should take; a test that meets it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), StartError>>,
}

impl Server {
    pub(crate) async fn start(app: App) -> Self {
        Self::of(app.start().await.unwrap()).await
    }

    pub(crate) async fn of(home: Home) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(home.serve(listener, stop.clone()));
        Self { address, stop, serving }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.serving).await.unwrap().unwrap().unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        exchange(self.connect().await, &self.head(path, headers, "Connection: close\r\n")).await
    }

    /// A socket that is open, whatever comes on it.
    pub(crate) async fn socket(&self, path: &str) -> Client {
        self.socket_with(path, &[]).await
    }

    pub(crate) async fn socket_with(&self, path: &str, headers: &[(&str, &str)]) -> Client {
        Client::open(self.connect().await, self.upgrade(path, headers)).await
    }

    pub(crate) fn upgrade(&self, path: &str, headers: &[(&str, &str)]) -> Request {
        let mut request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        request
    }

    pub(crate) fn head(&self, path: &str, headers: &[(&str, &str)], last: &str) -> String {
        let mut head = format!("GET {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head + last + "\r\n"
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A connection from an address of one's own: refusals of one address slow down the next ones.
    pub(crate) async fn connect_from(&self, stranger: u16) -> TcpStream {
        let [high, low] = stranger.to_be_bytes();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 1, high, low)), 0)).unwrap();
        socket.connect(self.address).await.unwrap()
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The refusal's code; the body must be a problem document with a sentence and a fix.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self:?}");
        assert_eq!(problem["code"], self.header("x-hostel-code"), "{self:?}");
        assert_ne!(problem["detail"].as_str().unwrap(), "", "{self:?}");
        assert_ne!(problem["fix"].as_str().unwrap_or_default(), "", "a fix is missing: {self:?}");
        problem["code"].as_str().unwrap().to_owned()
    }
}

/// Sends a request and reads until the server closes.
pub(crate) async fn exchange(mut stream: TcpStream, request: &str) -> Answer {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("an answer in time").unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Answer { status, headers: lines.filter_map(header).collect(), body: body.to_owned() }
}

/// A client's socket.
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<TcpStream>,
    calls: u32,
}

/// How a socket ended: its close code and reason, and what came before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) frames: Vec<String>,
    pub(crate) code: u16,
    pub(crate) reason: String,
}

impl Client {
    pub(crate) async fn open(stream: TcpStream, request: Request) -> Self {
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.expect("an accepted upgrade");
        Self { socket, calls: 0 }
    }

    /// The next message; the library answers pings by itself.
    async fn receive(&mut self) -> Option<Message> {
        loop {
            let next = timeout(PATIENCE, self.socket.next()).await.expect("a message in time");
            let message = next.transpose().ok().flatten();
            if !matches!(message, Some(Message::Ping(_))) {
                return message;
            }
        }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The next message, which must be text.
    pub(crate) async fn text(&mut self) -> String {
        match self.receive().await {
            Some(Message::Text(text)) => text.to_string(),
            other => panic!("no text: {other:?}"),
        }
    }

    pub(crate) async fn json(&mut self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"))
    }

    /// Takes identity, state and MCP servers off; returns the identity.
    pub(crate) async fn greeted(&mut self) -> Value {
        let identity = self.json().await;
        assert_eq!(identity["type"], "cf_agent_identity", "{identity}");
        for expected in ["cf_agent_state", "cf_agent_mcp_servers"] {
            assert_eq!(self.json().await["type"], expected);
        }
        identity
    }

    /// Calls a method and returns the frame that answers it, skipping others.
    pub(crate) async fn call(&mut self, method: &str, args: Value) -> Value {
        self.calls += 1;
        let id = format!("call-{}", self.calls);
        self.send(&json!({"type": "rpc", "id": id, "method": method, "args": args}).to_string()).await;
        loop {
            let frame = self.json().await;
            if frame["id"] == *id {
                return frame;
            }
        }
    }

    /// Everything until the server closes.
    pub(crate) async fn ending(&mut self) -> Ending {
        let mut frames = Vec::new();
        loop {
            match self.receive().await {
                Some(Message::Text(text)) => frames.push(text.to_string()),
                Some(Message::Close(Some(close))) => {
                    return Ending { frames, code: close.code.into(), reason: close.reason.to_string() };
                }
                Some(_) => {}
                None => return Ending { frames, code: 1006, reason: String::new() },
            }
        }
    }

    /// The refusal this socket was opened for: one frame with code, sentence and fix, then a close that repeats the code.
    pub(crate) async fn refusal(&mut self) -> (String, u16) {
        let Ending { frames, code, reason } = self.ending().await;
        let [frame] = frames.as_slice() else { panic!("one frame was expected: {frames:?}") };
        let frame: Value = serde_json::from_str(frame).unwrap();
        assert_eq!(frame["type"], "hostel_error", "{frame}");
        for field in ["error", "fix"] {
            assert_ne!(frame[field].as_str().unwrap_or_default(), "", "{field} is missing: {frame}");
        }
        let name = frame["code"].as_str().unwrap().to_owned();
        assert!(reason.starts_with(&format!("{name}: ")), "{reason}");
        (name, code)
    }
}

/// An application that keeps nothing and tells strangers more.
pub(crate) fn in_development(app: App) -> App {
    app.options(Options { development: true, ..Options::default() })
}
