//! TLS from files, and each protocol on the wrong port.

use std::sync::Arc;

use hostel_edge::Limits;
use hostel_edge::listener::{Tls, TlsError};
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::support::{Server, frame};

struct Files {
    _dir: tempfile::TempDir,
    tls: Tls,
    certificate: String,
}

fn files() -> Files {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert, pair.cert.pem()).unwrap();
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    assert!(matches!(Tls::from_pem_files(&key, &cert), Err(TlsError::Read { .. })));
    Files { tls: Tls::from_pem_files(&cert, &key).unwrap(), certificate: pair.cert.pem(), _dir: dir }
}

async fn connect(server: &Server, certificate: &str, alpn: &[u8]) -> TlsStream<TcpStream> {
    let name = "localhost".try_into().unwrap();
    connector(certificate, alpn).connect(name, server.connect().await).await.unwrap()
}

fn connector(certificate: &str, alpn: &[u8]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn another_protocol_may_be_named_where_http_is_not_spoken() {
    let files = files();
    let (near, far) = tokio::io::duplex(1 << 16);
    let connector = connector(&files.certificate, b"smtp");
    let asked = connector.connect("localhost".try_into().unwrap(), near);
    let (asked, accepted) = tokio::join!(asked, files.tls.accept(far));
    assert!(asked.is_ok() && accepted.is_ok());
}

#[tokio::test]
async fn sockets_and_both_versions_of_http_work_over_tls() {
    let files = files();
    let server = Server::start_with(Limits::default(), Some(files.tls.clone())).await;

    let mut stream = connect(&server, &files.certificate, b"http/1.1").await;
    let mut bytes = b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    bytes.extend(frame(0x81, b"secret"));
    stream.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\x81\x06secret") {
        answer.push(stream.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"));
    stream.write_all(&frame(0x88, &[0x03, 0xe8])).await.unwrap();
    let mut goodbye = Vec::new();
    stream.read_to_end(&mut goodbye).await.unwrap();
    assert_eq!(goodbye, [0x88, 2, 0x03, 0xe8]);

    let io = TokioIo::new(connect(&server, &files.certificate, b"h2").await);
    let (mut client, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("https://localhost/").body(Empty::<bytes::Bytes>::new()).unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_told_to_use_https() {
    let server = Server::start_with(Limits::default(), Some(files().tls)).await;
    let answer = server.exchange(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("plain_on_tls_port") && answer.contains("use https:// or wss://"), "{answer}");
}

#[tokio::test]
async fn a_tls_hello_on_a_plain_port_gets_an_alert() {
    let server = Server::start(Limits::default()).await;
    let mut stream = server.connect().await;
    stream.write_all(&[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, [21, 3, 1, 0, 2, 2, 70]);
}
