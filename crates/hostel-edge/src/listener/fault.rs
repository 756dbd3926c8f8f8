//! What is wrong with a connection or a request before any routing, in words.

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

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
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed_request",
            Self::HeadersTooLarge => "headers_too_large",
            Self::HeaderTimeout => "header_timeout",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTooSlow => "body_too_slow",
            Self::TooManyConnections => "too_many_connections",
            Self::PlainOnTlsPort => "plain_on_tls_port",
            Self::TlsOnPlainPort => "tls_on_plain_port",
        }
    }

    /// The HTTP status it is answered with.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Malformed(_) | Self::PlainOnTlsPort | Self::TlsOnPlainPort => StatusCode::BAD_REQUEST,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::HeaderTimeout | Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooManyConnections => StatusCode::SERVICE_UNAVAILABLE,
        }
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
        (self == Self::TooManyConnections).then_some(5)
    }

    /// The problem document of RFC 9457.
    #[must_use]
    pub fn problem(self) -> Bytes {
        let code = self.code();
        let problem = json!({
            "type": format!("urn:hostel:error:{code}"),
            "title": self.sentence(),
            "status": self.status().as_u16(),
            "detail": self.sentence(),
            "code": code,
            "fix": self.fix(),
            "docs": format!("docs/errors/{code}.md"),
        });
        problem.to_string().into()
    }
}
