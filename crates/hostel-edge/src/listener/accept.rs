//! The accept loop: takes connections as they come and never waits for one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

use super::conn::{self, Edge};
use super::{Fault, HttpService};

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
const LOG_EVERY: Duration = Duration::from_secs(5);

/// Accepts until the shutdown begins.
pub(super) async fn run<S: HttpService>(listener: TcpListener, edge: Arc<Edge>, service: S) {
    let mut pause = FIRST_PAUSE;
    let mut logged: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            biased;
            () = edge.shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                pause = FIRST_PAUSE;
                admit(&edge, stream, peer, &service);
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                // Out of descriptors, most often: those who are here must be
                // able to leave, so wait a little instead of spinning.
                if logged.is_none_or(|at| at.elapsed() > LOG_EVERY) {
                    tracing::error!(%error, "cannot accept connections; raise the limit of open files");
                    logged = Some(Instant::now());
                }
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

fn admit<S: HttpService>(edge: &Arc<Edge>, stream: TcpStream, peer: SocketAddr, service: &S) {
    let edge = Arc::clone(edge);
    match edge.registry.admit(peer.ip()) {
        Some(permit) => {
            let service = service.clone();
            tokio::spawn(conn::run(edge, stream, peer, permit, service));
        }
        None => {
            edge.note(peer, Fault::TooManyConnections);
            // When even the refusals pile up, a plain close has to do.
            if let Ok(place) = Arc::clone(&edge.refusals).try_acquire_owned() {
                tokio::spawn(async move {
                    conn::refuse(&edge, stream).await;
                    drop(place);
                });
            }
        }
    }
}

fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted | Kind::ConnectionReset | Kind::ConnectionRefused | Kind::Interrupted
    )
}
