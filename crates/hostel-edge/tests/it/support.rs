//! A server with one service for every test, and clients that can misbehave.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hostel_edge::Limits;
use hostel_edge::listener::{self, BodyFault, BodyLimit, ConnInfo, Drained, Tls, body_fault};
use hostel_edge::ws::{self, Incoming, Outgoing, Socket, WsError, WsPolicy};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longer than any test should take; a test that meets it has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) shutdown: CancellationToken,
    /// The most bytes that ever waited for a client.
    pub(super) most_queued: Arc<AtomicUsize>,
    serving: JoinHandle<Drained>,
}

impl Server {
    pub(super) async fn start(limits: Limits) -> Self {
        Self::start_with(limits, None).await
    }

    pub(super) async fn start_with(limits: Limits, tls: Option<Tls>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let service =
            Service { policy: WsPolicy::new(&limits, true), outbox: limits.outbox_bytes, most_queued: Arc::default() };
        let most_queued = Arc::clone(&service.most_queued);
        let answer = tower::service_fn(move |request| service.clone().answer(request));
        let serving = tokio::spawn(listener::serve(vec![listener], tls, limits, answer, shutdown.clone()));
        Self { address, shutdown, most_queued, serving }
    }

    pub(super) async fn stop(self) -> Drained {
        self.shutdown.cancel();
        timeout(PATIENCE, self.serving).await.unwrap().unwrap()
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends `bytes` and reads until the server closes.
    pub(super) async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        read_to_end(&mut stream).await
    }

    /// A socket whose frames the test writes itself.
    pub(super) async fn raw_socket(&self, extensions: &str) -> TcpStream {
        let mut stream = self.connect().await;
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{extensions}\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let head = read_head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        stream
    }
}

#[derive(Clone)]
struct Service {
    policy: WsPolicy,
    outbox: usize,
    most_queued: Arc<AtomicUsize>,
}

impl Service {
    async fn answer(self, mut request: Request<Body>) -> Result<Response<Body>, Infallible> {
        let response = match request.uri().path() {
            "/ws" => self.open(&mut request),
            // Without the backtrace of `panic!`, whose memory the other tests would measure.
            "/panic" => std::panic::resume_unwind(Box::new("a handler that panics")),
            "/body" => body(request).await,
            "/any-body" => {
                request.extensions().get::<BodyLimit>().expect("every request has one").lift();
                body(request).await
            }
            "/echo" => Response::new(request.into_body()),
            "/large" => Response::new(Body::from(vec![0; 64 << 20])),
            "/slow" => {
                tokio::time::sleep(Duration::from_millis(300)).await;
                Response::new(Body::from("slow"))
            }
            _ => Response::new(Body::from("hello")),
        };
        Ok(response)
    }

    fn open(self, request: &mut Request<Body>) -> Response<Body> {
        let info = request.extensions().get::<ConnInfo>().cloned();
        match ws::handshake(request, &self.policy) {
            Ok((response, upgrade)) => {
                let shutdown = info.unwrap().shutdown;
                upgrade.spawn(move |socket| self.own(socket, shutdown));
                response.map(|()| Body::empty())
            }
            Err(bad) => status(bad.status, "bad upgrade"),
        }
    }

    /// Echoes; "blast" is answered with messages until the client counts as too slow.
    async fn own(self, mut socket: Socket, shutdown: CancellationToken) {
        let echo = poll_fn(|cx| self.poll_echo(&mut socket, cx));
        let stopped = tokio::select! {
            () = echo => false,
            () = shutdown.cancelled() => true,
        };
        if stopped {
            socket.close(1012, "restarting");
            socket.finish().await;
        }
    }

    fn poll_echo(&self, socket: &mut Socket, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match socket.poll_recv(cx) {
                Poll::Ready(Some(Ok(Incoming::Text(text)))) if text == "blast" => {
                    self.blast(socket, cx);
                }
                Poll::Ready(Some(Ok(Incoming::Text(text)))) => drop(socket.feed(Outgoing::Text(text))),
                Poll::Ready(Some(Ok(Incoming::Binary(data)))) => drop(socket.feed(Outgoing::Binary(data))),
                Poll::Ready(Some(Ok(Incoming::Close { .. }) | Err(_))) => {}
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        match socket.poll_flush(cx) {
            Poll::Ready(Err(_)) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }

    fn blast(&self, socket: &mut Socket, cx: &mut Context<'_>) {
        let message = Bytes::from(vec![7; 16 << 10]);
        loop {
            let waiting = socket.feed(Outgoing::Binary(message.clone()));
            self.most_queued.fetch_max(waiting, Ordering::Relaxed);
            if waiting > self.outbox {
                return socket.close_now(1013, "slow_consumer: you do not read");
            }
            let _: Poll<Result<(), WsError>> = socket.poll_flush(cx);
        }
    }
}

async fn body(request: Request<Body>) -> Response<Body> {
    match request.into_body().collect().await {
        Ok(body) => Response::new(Body::from(format!("{} bytes", body.to_bytes().len()))),
        Err(error) => match body_fault(&error) {
            Some(BodyFault::Refused(fault)) => status(fault.status(), fault.code().as_str()),
            _ => status(StatusCode::BAD_REQUEST, "broken"),
        },
    }
}

fn status(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = status;
    response
}

pub(super) async fn read_to_end(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut all = Vec::new();
    // A reset after the answer still is an answer.
    let _end = timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("the server closes");
    String::from_utf8_lossy(&all).into_owned()
}

pub(super) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// The statuses of the answers in what a connection brought.
pub(super) fn statuses(answers: &str) -> Vec<&str> {
    let lines = answers.match_indices("HTTP/1.1 ");
    let statuses = lines.map(|(at, line)| &answers[at + line.len()..][..3]);
    statuses.filter(|status| status.bytes().all(|byte| byte.is_ascii_digit())).collect()
}

/// A masked client frame; the mask is zero, so the payload stays readable.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | u8::try_from(short).unwrap()),
        middle @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(middle).unwrap().to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// One unmasked server frame: first byte and payload.
pub(super) async fn read_frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let read = async {
        let first = stream.read_u8().await.unwrap();
        let length = match stream.read_u8().await.unwrap() {
            126 => u64::from(stream.read_u16().await.unwrap()),
            127 => stream.read_u64().await.unwrap(),
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut payload).await.unwrap();
        (first, payload)
    };
    timeout(PATIENCE, read).await.unwrap()
}

/// Reads up to the server's close frame: its code and reason.
pub(super) async fn read_close(stream: &mut TcpStream) -> (u16, String) {
    loop {
        let (first, payload) = read_frame(stream).await;
        if first == 0x88 {
            let code = u16::from_be_bytes([payload[0], payload[1]]);
            return (code, String::from_utf8(payload[2..].to_vec()).unwrap());
        }
    }
}

/// Resident bytes of this process, now and at most since [`reset_peak`].
pub(super) fn resident() -> (usize, usize) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib << 10
    };
    (field("VmRSS:"), field("VmHWM:"))
}

pub(super) fn reset_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// Has the test `name` of the calling module run in a process of its own, where the memory it looks at is its own.
/// Returns whether this is that process.
pub(super) fn alone(module: &str, name: &str) -> bool {
    const MARK: &str = "HOSTEL_TEST_ALONE";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let (_crate, path) = module.split_once("::").unwrap();
    let run = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{path}::{name}"), "--nocapture"])
        .env(MARK, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&run.stderr));
    false
}
