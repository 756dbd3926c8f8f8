//! A bare echo server on the edge's listener and sockets: for conformance
//! suites and for measuring what an idle connection costs.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::task::Poll;

use axum::body::Body;
use hostel_edge::limits::Limits;
use hostel_edge::listener::{self, Tls};
use hostel_edge::ws::{self, Incoming, Outgoing, Socket, WsPolicy};
use http::{Request, Response};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let address: SocketAddr = args.next().as_deref().unwrap_or("127.0.0.1:9001").parse()?;
    let tls = match (args.next(), args.next()) {
        (Some(cert), Some(key)) => Some(Tls::from_pem_files(&PathBuf::from(cert), &PathBuf::from(key))?),
        _ => None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(address, tls))
}

async fn serve(address: SocketAddr, tls: Option<Tls>) -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    let limits = Limits {
        connections: 100_000,
        connections_per_ip: 100_000,
        // The largest messages of the conformance suite have 16 MiB.
        message_bytes: 16 << 20,
        ..Limits::default()
    };
    let policy = WsPolicy::new(&limits, true);
    let service = tower::service_fn(move |request| answer(request, policy.clone()));
    let shutdown = CancellationToken::new();
    listener::serve(vec![listener], tls, limits, service, shutdown).await;
    Ok(())
}

async fn answer(mut request: Request<Body>, policy: WsPolicy) -> Result<Response<Body>, Infallible> {
    match ws::handshake(&mut request, &policy) {
        Ok((response, upgrade)) => {
            upgrade.spawn(echo);
            Ok(response.map(|()| Body::empty()))
        }
        Err(bad) => {
            let mut response = Response::new(Body::from(bad.refusal.to_problem_json(None)));
            *response.status_mut() = bad.status;
            response.headers_mut().extend(bad.headers());
            Ok(response)
        }
    }
}

/// Answers everything that is ready, then writes once.
async fn echo(mut socket: Socket) {
    poll_fn(|cx| {
        loop {
            match socket.poll_recv(cx) {
                Poll::Ready(Some(Ok(Incoming::Text(text)))) => {
                    socket.feed(Outgoing::Text(text));
                }
                Poll::Ready(Some(Ok(Incoming::Binary(bytes)))) => {
                    socket.feed(Outgoing::Binary(bytes));
                }
                Poll::Ready(Some(_)) => {}
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        match socket.poll_flush(cx) {
            Poll::Ready(Err(_)) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    })
    .await;
}
