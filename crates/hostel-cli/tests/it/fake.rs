//! Servers that are broken on purpose, one way each.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hostel_protocol::Refusal;
use hostel_protocol::client::{ClientFrame, parse};
use hostel_protocol::server::{MCP_SERVERS_EMPTY, identity, rpc_chunk, rpc_error, rpc_result, state, state_error};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};
use yawc::close::CloseCode;
use yawc::frame::{Frame, OpCode};
use yawc::{HttpWebSocket, WebSocket};

/// An HTTP answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn new(status: u16, kind: &str, body: impl Into<String>) -> Self {
        Self { status, headers: vec![("content-type", kind.to_owned())], body: body.into() }
    }

    pub(crate) fn problem(refusal: &Refusal) -> Self {
        Self::new(refusal.code.http_status(), "application/problem+json", refusal.to_problem_json(None))
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// What the server does with a WebSocket handshake.
#[derive(Debug, Clone)]
pub(crate) enum Handshake {
    /// Answers it like a plain request.
    Answer(Answer),
    /// Accepts it, sends a refusal, closes.
    Refuse(Refusal),
    /// Accepts it, sends these frames, closes.
    Say(Vec<String>, u16, &'static str),
    /// Accepts it and says nothing.
    Mute,
    /// Accepts it with a wrong `Sec-WebSocket-Accept`.
    FalseAccept,
    /// Works, like the agent `counter-agent/a`.
    Work,
    /// Works, but drops frames of another protocol in silence, like the Agents SDK.
    WorkSilently,
}

/// A server's behaviour.
#[derive(Debug, Clone)]
pub(crate) struct Fake {
    pub(crate) health: Answer,
    pub(crate) ready: Answer,
    pub(crate) classes: Answer,
    pub(crate) plain: Answer,
    pub(crate) handshake: Handshake,
}

impl Fake {
    /// A Hostel server that answers handshakes in this way.
    pub(crate) fn hostel(handshake: Handshake) -> Self {
        let ok = Answer::new(200, "application/json", r#"{"status":"ok","server":"hostel"}"#);
        let classes = r#"{"classes":[{"class":"CoderAgent","namespace":"coder-agent","instances":2,"awake":1,"sockets":3,
            "quarantined":[{"name":"bad","failures":4,"retry_in_seconds":30.0,"reason":"boom"}]}]}"#;
        Self {
            health: ok.clone().header("server", "hostel"),
            ready: ok,
            classes: Answer::new(200, "application/json", classes),
            plain: Answer::new(404, "text/plain", "Not found"),
            handshake,
        }
    }

    /// Something else that speaks HTTP.
    pub(crate) fn stranger(handshake: Handshake) -> Self {
        let nothing = Answer::new(404, "text/plain", "nothing here");
        let mut fake = Self::hostel(handshake);
        fake.health = nothing.clone();
        fake.ready = nothing.clone();
        fake.classes = nothing;
        fake
    }

    /// Starts it on a free port.
    pub(crate) async fn start(self) -> SocketAddr {
        let (listener, address) = listener().await;
        let fake = Arc::new(self);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, fake.clone()));
            }
        });
        address
    }

    /// Starts it behind TLS, with a certificate for `localhost`.
    pub(crate) async fn start_tls(self) -> SocketAddr {
        let (listener, address) = listener().await;
        let fake = Arc::new(self);
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls()));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, fake) = (acceptor.clone(), fake.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, fake).await;
                    }
                });
            }
        });
        address
    }
}

/// A certificate for `localhost`, made for this run, with its key, as PEM files.
pub(crate) struct Identity {
    _dir: tempfile::TempDir,
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// The certificate of all servers of these tests.
pub(crate) static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, pem: String| {
        let path = dir.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let certificate = write("localhost.pem", pair.cert.pem());
    let key = write("localhost.key", pair.signing_key.serialize_pem());
    Identity { _dir: dir, certificate, key }
});

fn tls() -> rustls::ServerConfig {
    let certificate = CertificateDer::from_pem_file(&IDENTITY.certificate).unwrap();
    let key = PrivateKeyDer::from_pem_file(&IDENTITY.key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    config.unwrap().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap()
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A port on which nothing listens, and on which nothing can while this is kept.
pub(crate) struct ClosedPort {
    _bound: TcpSocket,
    pub(crate) address: SocketAddr,
}

pub(crate) fn closed_port() -> ClosedPort {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    ClosedPort { _bound: socket, address }
}

/// Something that answers everything with these bytes.
pub(crate) async fn raw(bytes: &'static [u8]) -> SocketAddr {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                if stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {
                    let _ = stream.write_all(bytes).await;
                }
            });
        }
    });
    address
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, fake: Arc<Fake>) {
    let service = service_fn(move |request| {
        let fake = fake.clone();
        async move { Ok::<_, Infallible>(answer(request, &fake)) }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

fn answer(mut request: Request<Incoming>, fake: &Fake) -> Response<Full<Bytes>> {
    if request.headers().contains_key("upgrade") {
        return handshake(&mut request, fake.handshake.clone());
    }
    plain(match request.uri().path() {
        "/healthz" => &fake.health,
        "/readyz" => &fake.ready,
        "/_hostel/agents" => &fake.classes,
        _ => &fake.plain,
    })
}

fn plain(answer: &Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(answer.body.clone()));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap();
    let headers: &mut HeaderMap = response.headers_mut();
    for (name, value) in &answer.headers {
        headers.insert(*name, value.parse().unwrap());
    }
    response
}

fn handshake(request: &mut Request<Incoming>, handshake: Handshake) -> Response<Full<Bytes>> {
    if let Handshake::Answer(answer) = &handshake {
        return plain(answer);
    }
    let (response, socket) = WebSocket::upgrade(&mut *request).unwrap();
    let mut response = response.map(|_| Full::default());
    if matches!(handshake, Handshake::FalseAccept) {
        response.headers_mut().insert("sec-websocket-accept", "bm90IHRoaXMgb25l".parse().unwrap());
    }
    tokio::spawn(async move {
        if let Ok(socket) = socket.await {
            play(socket, handshake).await;
        }
    });
    response
}

async fn play(mut socket: HttpWebSocket, handshake: Handshake) {
    match handshake {
        Handshake::Refuse(refusal) => {
            let frames = vec![refusal.to_error_frame()];
            say(&mut socket, frames, refusal.code.close_code(), &refusal.close_reason()).await;
        }
        Handshake::Say(frames, code, reason) => say(&mut socket, frames, code, reason).await,
        Handshake::Work => work(&mut socket, true).await,
        Handshake::WorkSilently => work(&mut socket, false).await,
        Handshake::Mute | Handshake::FalseAccept | Handshake::Answer(_) => while socket.next().await.is_some() {},
    }
}

async fn say(socket: &mut HttpWebSocket, frames: Vec<String>, code: u16, reason: &str) {
    for frame in frames {
        let _ = socket.send(Frame::text(frame)).await;
    }
    let _ = socket.send(Frame::close(CloseCode::from(code), reason)).await;
    while socket.next().await.is_some() {}
}

async fn work(socket: &mut HttpWebSocket, explains: bool) {
    let greeting = [identity("counter-agent", "a", true), state(r#"{"count":1}"#), MCP_SERVERS_EMPTY.to_owned()];
    for text in greeting {
        if socket.send(Frame::text(text)).await.is_err() {
            return;
        }
    }
    while let Some(frame) = socket.next().await {
        if frame.opcode() != OpCode::Text {
            continue;
        }
        for reply in replies(frame.as_str(), explains) {
            if socket.send(Frame::text(reply)).await.is_err() {
                return;
            }
        }
    }
}

fn replies(text: &str, explains: bool) -> Vec<String> {
    match parse(text) {
        ClientFrame::Rpc(call) => match call.method.as_ref() {
            "echo" => vec![rpc_result(&call.id, Some(call.args.get()))],
            "key" => vec![rpc_result(&call.id, Some(&format!("{:?}", call.idempotency_key.unwrap_or_default())))],
            "nothing" => vec![rpc_result(&call.id, None)],
            "never" => vec![],
            "count" => vec![rpc_chunk(&call.id, "1"), rpc_chunk(&call.id, "2"), rpc_result(&call.id, None)],
            "fail" => vec![rpc_error(&call.id, "It failed.", Some(("call_failed", Some("Repair it."))))],
            other => {
                let error = format!("Method {other} does not exist");
                vec![rpc_error(&call.id, &error, Some(("method_not_found", None)))]
            }
        },
        ClientFrame::State(update) if update.state.get().contains("refuse") => {
            vec![state_error("State update rejected", None)]
        }
        ClientFrame::Unknown(fault) if explains => vec![fault.refusal().to_error_frame()],
        _ => vec![],
    }
}
