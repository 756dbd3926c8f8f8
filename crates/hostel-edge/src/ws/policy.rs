//! How sockets are set up: limits and compression, shared by all of them.

use std::fmt;

use yawc::{CompressionLevel, DeflateOptions, DeflatePool, Options};

use super::offer::Deflate;
use crate::Limits;

/// Set-up of the sockets of one listener. Clones share the compression pool.
#[derive(Clone)]
pub struct WsPolicy {
    /// Bytes of one message, before and after inflating.
    pub message_bytes: usize,
    /// Whether `permessage-deflate` is agreed when a client offers it.
    pub compression: bool,
    pool: DeflatePool,
}

/// Messages below this many bytes go out as they are: they hardly shrink.
const COMPRESSION_THRESHOLD: usize = 512;
/// States kept for the next message, about 300 KB each.
const POOLED_STATES: usize = 16;
/// Buffers of an idle socket; larger ones exist only while they are needed.
const BUFFER: usize = 256;

impl WsPolicy {
    /// The policy that keeps `limits`.
    #[must_use]
    pub fn new(limits: &Limits, compression: bool) -> Self {
        Self { message_bytes: limits.clamped().message_bytes, compression, pool: DeflatePool::new(POOLED_STATES) }
    }

    pub(super) fn options(&self, deflate: Option<Deflate>) -> Options {
        let options = Options::default()
            .with_utf8()
            // The library refuses what reaches its limit; ours may be reached.
            .with_limits(self.message_bytes + 1, self.message_bytes + 1)
            .with_read_buffer_capacity(BUFFER)
            .with_write_buffer_capacity(BUFFER)
            .with_backpressure_boundary(BUFFER);
        Options { compression: deflate.map(|_| self.deflate_options()), ..options }
    }

    fn deflate_options(&self) -> DeflateOptions {
        DeflateOptions {
            level: CompressionLevel::fast(),
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            compression_threshold: COMPRESSION_THRESHOLD,
            pool: Some(self.pool.clone()),
            ..DeflateOptions::default()
        }
    }
}

impl Default for WsPolicy {
    fn default() -> Self {
        Self::new(&Limits::default(), true)
    }
}

impl fmt::Debug for WsPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WsPolicy")
            .field("message_bytes", &self.message_bytes)
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}
