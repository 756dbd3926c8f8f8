//! The operator's door of a running server: everything under `/_hostel/`.
//!
//! Answers may take long and be large, so nothing here has a deadline once the server is connected, and bodies are streams.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use hostel_client::http::{Answer, head};
use hostel_client::{Error, Options, Target, dial};
use hostel_protocol::Code;
use http::{Method, Response};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::task::AbortHandle;

use crate::cli::ServerArgs;
use crate::failure::Refused;

/// How much of a refusal is read.
const REFUSAL_BYTES: usize = 1 << 20;

/// What is sent along with a request.
pub(crate) enum Sent {
    Nothing,
    Json(Value),
    File(Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>),
}

/// The door of one server.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    base: Target,
    options: Options,
}

/// An answer that said yes. Its connection ends with it.
#[derive(Debug)]
pub(crate) struct Granted {
    body: Incoming,
    connection: AbortHandle,
}

impl Drop for Granted {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Door {
    /// The door of the server that is named by `--url`.
    pub(crate) fn of(server: &ServerArgs) -> anyhow::Result<Self> {
        Ok(Self { base: server.path("/")?, options: server.options() })
    }

    /// The door of the server that an agent is at, which its URL may say.
    pub(crate) fn to(agent: &str, server: &ServerArgs) -> anyhow::Result<Self> {
        Ok(Self { base: server.target(agent)?, options: server.options() })
    }

    /// The JSON at a path.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(Method::GET, path, Sent::Nothing).await?.json().await
    }

    /// The JSON that a posted JSON is answered with.
    pub(crate) async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.ask(Method::POST, path, Sent::Json(body)).await?.json().await
    }

    /// Any request; a refusal is an error.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Sent) -> anyhow::Result<Granted> {
        let target = self.base.with_path(path);
        let stream = dial::open(&target, &self.options).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Error::Http)?;
        let connection = tokio::spawn(connection).abort_handle();
        let request = request(head(&target, &self.options), method, &target, body)?;
        let answer = sender.send_request(request).await.map_err(broken)?;
        if answer.status().is_success() {
            return Ok(Granted { body: answer.into_body(), connection });
        }
        let refused = refused(answer).await;
        connection.abort();
        Err(refused.into())
    }
}

/// A connection that ended in the middle, or something that never spoke HTTP.
fn broken(error: hyper::Error) -> anyhow::Error {
    if error.is_parse() {
        return Error::Http(error).into();
    }
    let mut refused = Refused::plain("The server broke off before its answer was complete.");
    refused.fix = Some("look whether it still runs, and into its log for the reason".to_owned());
    refused.into()
}

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

fn request(
    head: http::request::Builder,
    method: Method,
    target: &Target,
    body: Sent,
) -> Result<http::Request<Body>, http::Error> {
    let head = head.method(method).uri(target.path_and_query());
    let whole = |bytes: Bytes| Full::new(bytes).map_err(|never| match never {}).boxed_unsync();
    match body {
        Sent::Nothing => head.body(whole(Bytes::new())),
        Sent::Json(value) => head.header("content-type", "application/json").body(whole(value.to_string().into())),
        Sent::File(bytes) => {
            let frames = futures_util::StreamExt::map(bytes, |bytes| bytes.map(Frame::data));
            head.header("content-type", "application/octet-stream").body(StreamBody::new(frames).boxed_unsync())
        }
    }
}

async fn refused(answer: Response<Incoming>) -> Refused {
    let (parts, body) = answer.into_parts();
    let body = http_body_util::Limited::new(body, REFUSAL_BYTES).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let mut refused = Refused::answer(&Answer { status: parts.status.as_u16(), headers: parts.headers, body });
    if refused.code.as_deref() == Some(Code::NoRoute.as_str()) {
        refused.message = "The program that answers there has no endpoints for operators.".to_owned();
        refused.fix =
            Some("serve hostel_server::operator in it, or stop it and give its directory with --data".to_owned());
    }
    refused
}

impl Granted {
    /// The next piece of the body, `None` at its end.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Bytes>> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(bytes) = frame.map_err(broken)?.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// The whole body as JSON.
    pub(crate) async fn json(mut self) -> anyhow::Result<Value> {
        let mut text = Vec::new();
        while let Some(bytes) = self.next().await? {
            text.extend_from_slice(&bytes);
        }
        let foreign = |_| Refused::plain("The server answers in a way that this version does not know.");
        Ok(serde_json::from_slice(&text).map_err(foreign)?)
    }
}

/// A value of a path or a query: everything but unreserved characters is encoded.
pub(crate) fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
