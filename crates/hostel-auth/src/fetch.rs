//! Fetches a small document from an address that the operator chose.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

const DEADLINE: Duration = Duration::from_secs(5);
const MOST_BYTES: usize = 1 << 20;

/// Why a document could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("{0} is not an address to fetch from: it must begin with https://, or with http:// on this machine")]
    Address(String),
    #[error("no connection: {0}")]
    Connect(#[from] std::io::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("the request cannot be made: {0}")]
    Request(#[from] http::Error),
    #[error("it is longer than {MOST_BYTES} bytes, or broke off")]
    Body,
    #[error("the answer is {0}")]
    Status(StatusCode),
    #[error("it took longer than {DEADLINE:?}")]
    TooSlow,
}

/// Whether an address may be fetched from: encrypted, or on this machine.
pub(crate) fn may_be_fetched(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let here = host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => here,
        _ => false,
    }
}

/// The document. Redirections are not followed.
pub(crate) async fn get(url: &Uri) -> Result<Bytes, FetchError> {
    timeout(DEADLINE, fetch(url)).await.unwrap_or(Err(FetchError::TooSlow))
}

async fn fetch(url: &Uri) -> Result<Bytes, FetchError> {
    if !may_be_fetched(url) {
        return Err(FetchError::Address(url.to_string()));
    }
    let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let tls = url.scheme_str() == Some("https");
    let port = url.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let stream = TcpStream::connect((host, port)).await?;
    if !tls {
        return ask(stream, url).await;
    }
    let name = rustls_pki_types::ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
    ask(connector()?.connect(name, stream).await?, url).await
}

fn connector() -> Result<tokio_rustls::TlsConnector, std::io::Error> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(std::io::Error::other)?.with_root_certificates(roots).with_no_client_auth();
    Ok(tokio_rustls::TlsConnector::from(Arc::new(config)))
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, url: &Uri) -> Result<Bytes, FetchError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let running = tokio::spawn(connection);
    let authority = url.authority().map(ToString::to_string).unwrap_or_default();
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path).header(header::HOST, authority).header(header::ACCEPT, "application/json");
    let answer = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
    if answer.status() != StatusCode::OK {
        return Err(FetchError::Status(answer.status()));
    }
    let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await.map_err(|_| FetchError::Body)?;
    running.abort();
    Ok(body.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_encrypted_or_from_this_machine() {
        let may = |url: &str| may_be_fetched(&url.parse().unwrap());
        assert!(may("https://id.example/jwks") && may("http://127.0.0.1:9/jwks") && may("http://[::1]/jwks"));
        assert!(!may("http://id.example/jwks") && !may("/jwks") && !may("ftp://id.example/jwks"));
    }
}
