//! What is wrong with a connection or a request before any routing, in words.

use bytes::Bytes;
use hostel_protocol::refusal::{Code, Refusal};
use http::StatusCode;

/// A request that is refused before it reaches the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
#[non_exhaustive]
pub enum Fault {
    /// The head or a chunk is not well-formed HTTP; the text says where.
    Malformed(&'static str),
    /// The head has too many bytes or fields.
    HeadersTooLarge,
    /// The head did not arrive in time.
    HeaderTimeout,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// The body arrives below the minimum rate.
    BodyTooSlow,
    /// No room for another connection.
    TooManyConnections,
    /// Plain HTTP on a port that speaks TLS.
    PlainOnTlsPort,
    /// A TLS hello on a port that speaks plain HTTP.
    TlsOnPlainPort,
}

impl Fault {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::Malformed(_) => Code::MalformedRequest,
            Self::HeadersTooLarge => Code::HeadersTooLarge,
            Self::HeaderTimeout => Code::HeaderTimeout,
            Self::BodyTooLarge => Code::BodyTooLarge,
            Self::BodyTooSlow => Code::BodyTooSlow,
            Self::TooManyConnections => Code::TooManyConnections,
            Self::PlainOnTlsPort => Code::PlainOnTlsPort,
            Self::TlsOnPlainPort => Code::TlsOnPlainPort,
        }
    }

    /// The HTTP status it is answered with.
    #[must_use]
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.code().http_status()).unwrap_or(StatusCode::BAD_REQUEST)
    }

    /// What happened, in a sentence.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Malformed(what) => what,
            Self::HeadersTooLarge => "The request head is larger than the server accepts.",
            Self::HeaderTimeout => "The request head did not arrive in time.",
            Self::BodyTooLarge => "The request body is larger than the server accepts.",
            Self::BodyTooSlow => "The request body arrives too slowly.",
            Self::TooManyConnections => "The server has no room for another connection.",
            Self::PlainOnTlsPort => "This port speaks TLS, and the request came in plain HTTP.",
            Self::TlsOnPlainPort => "This port speaks plain HTTP, and the client began with TLS.",
        }
    }

    /// What to change.
    #[must_use]
    pub fn fix(self) -> &'static str {
        match self {
            Self::Malformed(_) => "send one well-formed HTTP/1.1 request, as any HTTP library does",
            Self::HeadersTooLarge => "send fewer or shorter headers, or raise the header limits",
            Self::HeaderTimeout => "send the whole request head at once",
            Self::BodyTooLarge => "send less, or raise the body limit",
            Self::BodyTooSlow => "send the body without long pauses",
            Self::TooManyConnections => "close some connections or try again later",
            Self::PlainOnTlsPort => "use https:// or wss://",
            Self::TlsOnPlainPort => "use http:// or ws://, or start the server with --tls-cert",
        }
    }

    /// Seconds for `Retry-After`, where waiting helps.
    #[must_use]
    pub fn retry_after(self) -> Option<u32> {
        self.code().retry_after_secs()
    }

    /// The problem document of RFC 9457.
    #[must_use]
    pub fn problem(self) -> Bytes {
        Refusal::new(self.code(), self.sentence()).with_fix(self.fix()).to_problem_json(None).into()
    }
}
