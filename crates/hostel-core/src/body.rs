//! HTTP in and out of an agent: requests, responses and their bodies.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use hostel_protocol::refusal::Code;
use http_body::Frame;
use http_body_util::{BodyExt, Full, Limited, StreamBody, combinators::UnsyncBoxBody};

use crate::error::{Error, Result};

/// An HTTP request as an agent sees it: original URL, method, headers, body.
pub type Request = http::Request<Body>;
/// An HTTP response of an agent.
pub type Response = http::Response<Body>;
/// What a body may fail with while it is read.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A body: bytes at once, or a stream of them.
///
/// ```
/// use hostel_core::Body;
///
/// let response = http::Response::new(Body::from("hello"));
/// # let _ = response;
/// ```
pub struct Body(UnsyncBoxBody<Bytes, BodyError>);

impl Body {
    /// No bytes.
    pub fn empty() -> Self {
        Self::from(Bytes::new())
    }

    /// Any HTTP body.
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        Self(body.map_err(Into::into).boxed_unsync())
    }

    /// A body that is sent chunk by chunk as `stream` yields, e.g. server-sent events.
    pub fn from_stream<S, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BodyError> + 'static,
    {
        Self::new(StreamBody::new(stream.map(|item| item.map(Frame::data).map_err(Into::into))))
    }

    /// Reads the whole body, at most `limit` bytes.
    ///
    /// # Errors
    /// `body_too_large` beyond `limit`, otherwise whatever the connection failed with.
    pub async fn bytes(self, limit: usize) -> Result<Bytes> {
        // Boxed: in an agent's own async method the compiler fails to see that a future holding `Limited` is `Send`.
        let whole: crate::BoxFuture<_> = Box::pin(Limited::new(self.0, limit).collect());
        match whole.await {
            Ok(whole) => Ok(whole.to_bytes()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                Err(Error::coded(Code::BodyTooLarge, format!("The body is larger than {limit} bytes.")))
            }
            Err(error) => Err(Error::msg(error)),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.size_hint()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::new(Full::new(bytes))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::from(Bytes::from(text))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self::from(Bytes::from_static(text.as_bytes()))
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body")
    }
}
