//! From a host name to an open stream, step by step: name, port, TLS.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::{Error, Options, Target, TlsOptions, tls};

/// Bytes in both directions, encrypted or not.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// An open connection.
pub type Stream = Box<dyn Io>;

/// The addresses of the target's host.
///
/// # Errors
///
/// [`Error::Resolve`], also when there is no address at all, or [`Error::Timeout`].
pub async fn resolve(target: &Target, wait: Duration) -> Result<Vec<SocketAddr>, Error> {
    let host = target.host();
    let unresolved = |source| Error::Resolve { host: host.clone(), source };
    let found = within("resolving the name", wait, async {
        let found = tokio::net::lookup_host((host.as_str(), target.port())).await;
        found.map(Iterator::collect::<Vec<_>>).map_err(unresolved)
    })
    .await?;
    if found.is_empty() {
        return Err(unresolved(io::Error::new(io::ErrorKind::NotFound, "it has no address")));
    }
    Ok(found)
}

/// A connection to the first of `addresses` that takes one.
///
/// # Errors
///
/// [`Error::Connect`] with what the last of them said.
pub async fn tcp(addresses: &[SocketAddr], wait: Duration) -> Result<(TcpStream, SocketAddr), Error> {
    let mut last = None;
    for address in addresses {
        let tried = timeout(wait, TcpStream::connect(address)).await;
        match tried.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(stream) => {
                // Without it small messages wait for each other; a stream that cannot is still a stream.
                let _ = stream.set_nodelay(true);
                return Ok((stream, *address));
            }
            Err(source) => last = Some(Error::Connect { address: *address, source }),
        }
    }
    Err(last.unwrap_or_else(|| Error::Resolve {
        host: String::new(),
        source: io::Error::new(io::ErrorKind::NotFound, "no address was given"),
    }))
}

/// TLS on top of a connection.
///
/// # Errors
///
/// [`Error::Tls`], [`Error::CaFile`] or [`Error::Timeout`].
pub async fn encrypt(
    stream: TcpStream,
    target: &Target,
    options: &TlsOptions,
    wait: Duration,
) -> Result<Stream, Error> {
    let config = tls::config(options)?;
    let host = target.host();
    let failed = |source| Error::Tls { host: host.clone(), source };
    let name = ServerName::try_from(host.clone())
        .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    within("the TLS handshake", wait, async {
        let connected = TlsConnector::from(config).connect(name, stream).await;
        connected.map(|stream| Box::new(stream) as Stream).map_err(failed)
    })
    .await
}

/// All steps at once.
///
/// # Errors
///
/// The error of the first step that fails.
pub async fn open(target: &Target, options: &Options) -> Result<Stream, Error> {
    let wait = options.connect_timeout;
    let addresses = resolve(target, wait).await?;
    let (stream, _) = tcp(&addresses, wait).await?;
    match target.is_tls() {
        true => encrypt(stream, target, &options.tls, wait).await,
        false => Ok(Box::new(stream)),
    }
}

/// `step`, if it is done in time.
pub(crate) async fn within<T>(
    what: &str,
    after: Duration,
    step: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let late = |_| Err(Error::Timeout { what: what.to_owned(), after });
    timeout(after, step).await.unwrap_or_else(late)
}
