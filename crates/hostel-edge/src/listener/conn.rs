//! One connection: find out what it speaks, then serve HTTP on it.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use hostel_protocol::refusal::Code;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::http_io::HttpIo;
use super::permit::Registry;
use super::serve_http::{Activity, PerConnection};
use super::{ConnInfo, Drained, Fault, HttpService, Permit, Tls, raw};
use crate::Limits;
use crate::stream::Stream;

/// Refusals spoken at the same time.
const REFUSALS: usize = 64;
/// Peers remembered for having been told about in the log.
const TOLD: usize = 1_024;
/// First byte of a TLS handshake.
const TLS_HELLO: u8 = 0x16;
/// How an HTTP/2 connection begins, as far as no HTTP/1 request does.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// What all connections of one `serve` share.
pub(super) struct Edge {
    pub(super) limits: Limits,
    pub(super) registry: Arc<Registry>,
    pub(super) refusals: Arc<Semaphore>,
    pub(super) shutdown: CancellationToken,
    tls: Option<Tls>,
    cut: CancellationToken,
    told: Mutex<HashSet<(IpAddr, Code)>>,
}

impl Edge {
    pub(super) fn new(limits: Limits, tls: Option<Tls>, shutdown: CancellationToken) -> Self {
        Self {
            limits,
            registry: Registry::new(&limits),
            refusals: Arc::new(Semaphore::new(REFUSALS)),
            shutdown,
            tls,
            cut: CancellationToken::new(),
            told: Mutex::default(),
        }
    }

    pub(super) async fn drain(&self) -> Drained {
        let drained = timeout(self.limits.drain_deadline, self.registry.empty()).await;
        let cut = match drained {
            Ok(()) => 0,
            Err(_) => self.registry.open(),
        };
        self.cut.cancel();
        Drained { cut }
    }

    /// Counts a connection that is turned away, and says each thing once per address.
    pub(super) fn note(&self, peer: SocketAddr, fault: Fault) {
        let code = fault.code();
        metrics::counter!("hostel_refusals_total", "code" => code.as_str()).increment(1);
        let mut told = self.told.lock();
        if told.len() >= TOLD {
            told.clear();
        }
        if told.insert((peer.ip(), code)) {
            tracing::warn!(%peer, code = code.as_str(), fix = fault.fix(), "{}", fault.sentence());
        }
    }
}

enum Spoken {
    Http1(Stream, BytesMut),
    Http2(Stream, BytesMut),
    Wrong(Stream, Fault),
}

/// Serves a connection until it ends, is handed over, or is cut.
pub(super) async fn run<S: HttpService>(
    edge: Arc<Edge>,
    stream: TcpStream,
    peer: SocketAddr,
    permit: Permit,
    service: S,
) {
    let _best_effort = stream.set_nodelay(true);
    let opening = Box::pin(timeout(edge.limits.handshake_deadline, open(stream, edge.tls.as_ref())));
    let spoken = match opening.await {
        Ok(Ok(spoken)) => spoken,
        Ok(Err(error)) => return tracing::debug!(%peer, %error, "connection failed to open"),
        Err(_late) => return tracing::debug!(%peer, "connection sent nothing in time"),
    };
    let served = {
        let edge = &edge;
        async move {
            match spoken {
                Spoken::Http1(stream, first) => {
                    let io = HttpIo::http1(stream, first, permit, edge.limits);
                    Box::pin(http1(edge, io, peer, service)).await;
                }
                Spoken::Http2(stream, first) => {
                    let io = HttpIo::http2(stream, first, permit, edge.limits);
                    Box::pin(http2(edge, io, peer, service)).await;
                }
                Spoken::Wrong(stream, fault) => wrong(edge, stream, peer, fault).await,
            }
        }
    };
    tokio::select! {
        () = served => {}
        () = edge.cut.cancelled() => {}
    }
}

/// Tells a connection that there is no room for it.
pub(super) async fn refuse(edge: &Edge, stream: TcpStream) {
    let opening = timeout(raw::LINGER, open(stream, edge.tls.as_ref()));
    if let Ok(Ok(Spoken::Http1(stream, _))) = opening.await {
        raw::refuse(stream, Fault::TooManyConnections).await;
    }
}

async fn wrong(edge: &Edge, stream: Stream, peer: SocketAddr, fault: Fault) {
    edge.note(peer, fault);
    match fault {
        Fault::TlsOnPlainPort => raw::alert(stream).await,
        _ => raw::refuse(stream, fault).await,
    }
}

async fn open(stream: TcpStream, tls: Option<&Tls>) -> io::Result<Spoken> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let hello = first[0] == TLS_HELLO;
    match tls {
        Some(tls) if hello => {
            let stream = tls.http.accept(stream).await?;
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let stream = Stream::Tls(Box::new(stream));
            Ok(if http2 { Spoken::Http2(stream, BytesMut::new()) } else { Spoken::Http1(stream, BytesMut::new()) })
        }
        Some(_) => Ok(Spoken::Wrong(Stream::Tcp(stream), Fault::PlainOnTlsPort)),
        None if hello => Ok(Spoken::Wrong(Stream::Tcp(stream), Fault::TlsOnPlainPort)),
        None => plain(stream).await,
    }
}

/// Reads until it is clear which HTTP this is.
async fn plain(mut stream: TcpStream) -> io::Result<Spoken> {
    let mut first = BytesMut::new();
    while HTTP2_PREFACE.starts_with(&first) && first.len() < HTTP2_PREFACE.len() {
        if stream.read_buf(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let stream = Stream::Tcp(stream);
    Ok(if first.starts_with(HTTP2_PREFACE) { Spoken::Http2(stream, first) } else { Spoken::Http1(stream, first) })
}

fn per_connection<S>(
    edge: &Edge,
    io: &HttpIo,
    peer: SocketAddr,
    service: S,
    activity: &Arc<Activity>,
) -> PerConnection<S> {
    PerConnection {
        service,
        info: ConnInfo {
            peer,
            tls: edge.tls.is_some(),
            shutdown: edge.shutdown.clone(),
            activity: Some(Arc::clone(activity)),
        },
        fault: io.fault_slot(),
        limits: edge.limits,
        activity: Arc::clone(activity),
    }
}

async fn http1<S: HttpService>(edge: &Edge, io: HttpIo, peer: SocketAddr, service: S) {
    let limits = &edge.limits;
    let service = per_connection(edge, &io, peer, service, &Arc::default());
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // A head is released whole, so this is the time between two requests.
        .header_read_timeout(limits.keep_alive.max(limits.header_deadline) + raw::LINGER)
        .max_headers(limits.headers)
        .max_buf_size((limits.header_bytes + 1).max(SMALLEST_BUFFER))
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = edge.shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection ended");
    }
}

/// Below this the HTTP library panics.
const SMALLEST_BUFFER: usize = 8 << 10;
/// How often an HTTP/2 connection is asked whether it is still there.
const HTTP2_PING: Duration = Duration::from_secs(20);

async fn http2<S: HttpService>(edge: &Edge, io: HttpIo, peer: SocketAddr, service: S) {
    let limits = &edge.limits;
    let activity = Arc::<Activity>::default();
    let service = per_connection(edge, &io, peer, service, &activity);
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(HTTP2_PING)
        .keep_alive_timeout(HTTP2_PING)
        .serve_connection(TokioIo::new(io), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = edge.shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = activity.left() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection.as_mut() => ended,
                // An answer that is not read counts as no activity: it has as long as on any connection.
                () = idle(limits.keep_alive, &activity) => Ok(()),
            }
        }
        () = idle(limits.keep_alive, &activity) => {
            connection.as_mut().graceful_shutdown();
            // A silent peer never confirms the goodbye.
            timeout(limits.handshake_deadline, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection ended");
    }
}

/// Completes when a connection has had no request for so long, and nothing was taken of an answer.
pub(super) async fn idle(patience: Duration, activity: &Activity) {
    let mut before = None;
    loop {
        let (begun, all_ended) = activity.seen();
        if all_ended && before == Some(begun) {
            return;
        }
        before = Some(begun);
        sleep(patience).await;
    }
}
