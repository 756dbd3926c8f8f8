//! Accepts connections, keeps them within the limits, checks what HTTP
//! libraries let pass, and hands requests to a tower service.
//!
//! HTTP/1.1 and HTTP/2, with or without TLS. A connection that cannot be
//! served is told why before it is closed. Routing is not here.

mod accept;
mod body;
mod chunks;
mod conn;
mod fault;
mod head;
mod http_io;
mod permit;
mod raw;
mod serve_http;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use http::{Request, Response};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Limits;

pub use body::{BodyFault, BodyLimit, body_fault};
pub use fault::Fault;
pub(crate) use http_io::HttpIo;
pub(crate) use permit::Permit;
pub use tls::{Tls, TlsError};

/// What the listener knows about a request's connection; found in the
/// request's extensions.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnInfo {
    /// The address at the other end, perhaps a proxy's.
    pub peer: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Cancelled when the server begins to shut down: a socket says goodbye
    /// with 1012 then. The listener waits for it until the drain deadline.
    pub shutdown: CancellationToken,
}

/// What [`serve`] did when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections still open at the drain deadline, and cut.
    pub cut: usize,
}

/// Any service that answers requests: an axum router, for one.
pub trait HttpService:
    tower::Service<Request<Body>, Response = Response<Body>, Error = std::convert::Infallible, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> HttpService for S where
    S: tower::Service<
            Request<Body>,
            Response = Response<Body>,
            Error = std::convert::Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

/// Serves `service` on `listeners` until `shutdown` is cancelled, then drains:
/// accepts no more, lets requests finish, waits for sockets to say goodbye,
/// and cuts what is left at [`Limits::drain_deadline`].
///
/// With `tls` every listener speaks TLS. Dropping the future stops accepting;
/// connections already open live on until `shutdown` is cancelled.
pub async fn serve<S: HttpService>(
    listeners: Vec<TcpListener>,
    tls: Option<Tls>,
    limits: Limits,
    service: S,
    shutdown: CancellationToken,
) -> Drained {
    let limits = limits.clamped();
    let edge = Arc::new(conn::Edge::new(limits, tls, shutdown.clone()));
    let accepting = listeners.into_iter().map(|listener| accept::run(listener, Arc::clone(&edge), service.clone()));
    futures_util::future::join_all(accepting).await;
    edge.drain().await
}
