//! What can end a socket, and the close code each cause has.

use std::io;

use yawc::WebSocketError;

/// Why a socket ended. After one of these the socket closes itself with
/// [`WsError::close_code`]; keep polling until it says `None`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WsError {
    /// The peer broke RFC 6455.
    #[error("protocol error: {0}")]
    Protocol(&'static str),
    /// A text message is not UTF-8.
    #[error("a text message must be valid UTF-8")]
    NotUtf8,
    /// A compressed message does not inflate.
    #[error("a compressed message could not be inflated")]
    Deflate,
    /// A message, before or after inflating, is larger than the limit.
    #[error("message_too_big: a message may have at most {limit} bytes")]
    TooBig {
        /// The limit in bytes.
        limit: usize,
    },
    /// The connection went away without a closing handshake.
    #[error("the connection was lost")]
    Lost(#[source] Option<io::Error>),
}

impl WsError {
    /// The close code of RFC 6455 for this cause; 1006 when nothing can be sent.
    #[must_use]
    pub fn close_code(&self) -> u16 {
        match self {
            Self::Protocol(_) => 1002,
            Self::NotUtf8 | Self::Deflate => 1007,
            Self::TooBig { .. } => 1009,
            Self::Lost(_) => 1006,
        }
    }

    pub(super) fn from_library(error: WebSocketError, limit: usize) -> Self {
        use WebSocketError as E;
        match error {
            E::FrameTooLarge => Self::TooBig { limit },
            E::InvalidUTF8 => Self::NotUtf8,
            E::ReservedBitsNotZero => Self::Protocol("reserved bits are set"),
            E::CompressionNotSupported => Self::Protocol("a frame is compressed, and no compression was agreed"),
            E::InvalidOpCode(_) => Self::Protocol("unknown opcode"),
            E::ControlFrameFragmented => Self::Protocol("a control frame is fragmented"),
            E::PingFrameTooLarge => Self::Protocol("a control frame has more than 125 bytes"),
            E::InvalidCloseFrame => Self::Protocol("a close frame has one byte"),
            E::InvalidCloseCode => Self::Protocol("a close code that may not be sent"),
            // The library reports a corrupt deflate stream as invalid input.
            E::IoError(error) if error.kind() == io::ErrorKind::InvalidInput => Self::Deflate,
            // Our own wire, about text that is still arriving; TLS has this kind too,
            // with a source.
            E::IoError(error) if error.kind() == io::ErrorKind::InvalidData && error.get_ref().is_none() => {
                Self::NotUtf8
            }
            E::IoError(error) => Self::Lost(Some(error)),
            E::ConnectionClosed => Self::Lost(None),
            _ => Self::Protocol("a frame is not masked, or out of order"),
        }
    }
}
