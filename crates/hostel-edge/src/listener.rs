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
mod sent;
mod serve_http;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use http::{Request, Response};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Limits;
use serve_http::Activity;

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
    /// What the connection does; nothing where it is not ours, or one that a proxy shares among its clients.
    activity: Option<Arc<Activity>>,
}

impl ConnInfo {
    /// A connection from there without encryption, which no shutdown ends; for a listener of one's own, or a test.
    pub fn plain(peer: SocketAddr) -> Self {
        Self { peer, tls: false, shutdown: CancellationToken::new(), activity: None }
    }

    /// Closes the connection once what is under way on it is answered, unless it becomes a socket.
    pub(crate) fn close_after_answer(&self) {
        if let Some(activity) = &self.activity {
            activity.leave();
        }
    }

    /// Others' requests come by the same connection, as by a proxy's: nothing that one of them does closes it.
    pub(crate) fn keep_open(&mut self) {
        self.activity = None;
    }
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

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use http_body_util::Empty;
    use hyper::client::conn::http2;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn an_http2_connection_that_is_to_be_closed_is_answered_and_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = tower::service_fn(|request: Request<Body>| async move {
            request.extensions().get::<ConnInfo>().unwrap().close_after_answer();
            Ok::<_, Infallible>(Response::new(Body::from("goodbye")))
        });
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(vec![listener], None, Limits::default(), service, stop.clone()));
        let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (mut client, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        let connection = tokio::spawn(connection);
        let request = Request::get("http://example.test/").body(Empty::<bytes::Bytes>::new()).unwrap();
        assert_eq!(client.send_request(request).await.unwrap().status(), 200);
        tokio::time::timeout(Duration::from_secs(20), connection).await.unwrap().unwrap().unwrap();
        stop.cancel();
        assert_eq!(serving.await.unwrap().cut, 0);
    }
}
