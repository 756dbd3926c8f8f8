//! The WebSocket handshake, done by hand so that a refusal keeps its whole answer.

use ::http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use ::http::{Response, StatusCode};
use bytes::Bytes;
use data_encoding::BASE64;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use sha1::{Digest as _, Sha1};
use yawc::{Role, WebSocket};

use crate::dial::{self, Stream};
use crate::http::{head, read};
use crate::{Error, Options, Target};

/// An open WebSocket.
pub type Socket = WebSocket<TokioIo<Upgraded>>;

/// Asks for a WebSocket on an open connection.
///
/// # Errors
///
/// [`Error::Refused`] with the answer if the server does not switch protocols,
/// [`Error::FalseUpgrade`] if it does so without having understood, and the errors of
/// [`crate::http::send`].
pub async fn upgrade(stream: Stream, target: &Target, options: &Options) -> Result<Socket, Error> {
    let key = key();
    let request = head(target, options)
        .uri(target.path_with_id(options.connection_id.as_deref(), options.state_versions))
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "Upgrade")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key)
        .body(Full::<Bytes>::default())?;
    dial::within("the WebSocket handshake", options.connect_timeout, async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Error::Http)?;
        tokio::spawn(connection.with_upgrades());
        let mut answer = sender.send_request(request).await.map_err(Error::Http)?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::Refused(Box::new(read(answer).await)));
        }
        check(&answer, &key)?;
        let upgraded = hyper::upgrade::on(&mut answer).await.map_err(Error::Http)?;
        Ok(socket(upgraded, options))
    })
    .await
}

fn socket(upgraded: Upgraded, options: &Options) -> Socket {
    let limit = options.max_message_bytes;
    let options = yawc::Options::default().with_limits(limit, limit.saturating_mul(2)).with_utf8();
    let socket = WebSocket::from_stream(TokioIo::new(upgraded), Role::Client, options);
    socket.expect("without extensions there is nothing to disagree about")
}

fn check(answer: &Response<Incoming>, key: &str) -> Result<(), Error> {
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !header(UPGRADE).eq_ignore_ascii_case("websocket") {
        return Err(Error::FalseUpgrade { header: "Upgrade" });
    }
    if header(SEC_WEBSOCKET_ACCEPT) != accept(key) {
        return Err(Error::FalseUpgrade { header: "Sec-WebSocket-Accept" });
    }
    Ok(())
}

fn key() -> String {
    let mut bytes = [0; 16];
    // The key only guards against caches: without randomness a fixed one does.
    let _ = getrandom::fill(&mut bytes);
    BASE64.encode(&bytes)
}

fn accept(key: &str) -> String {
    let hash = Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64.encode(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_value_is_that_of_the_rfc() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn keys_are_sixteen_random_bytes() {
        assert_eq!(BASE64.decode(key().as_bytes()).unwrap().len(), 16);
        assert_ne!(key(), key());
    }
}
