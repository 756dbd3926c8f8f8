//! Every bound the edge puts on strangers, in one plain struct with defaults.
//! Where the values come from (files, flags) is not here.

use std::time::Duration;

/// Bounds on connections, requests and messages.
///
/// Fields are public so that a program can write
/// `Limits { message_bytes: 4 << 20, ..Limits::default() }`;
/// [`Limits::clamped`] is applied by the listener, so no value can disable a
/// bound that protects memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections in all, sockets included. Default 20 000.
    pub connections: usize,
    /// Open connections of one address. Default 1 024.
    pub connections_per_ip: usize,
    /// From accept to the first byte of a request, TLS handshake included. Default 5 s.
    pub handshake_deadline: Duration,
    /// From the first byte of a request head to its last. Default 5 s.
    pub header_deadline: Duration,
    /// How long a connection may idle between two requests. Default 60 s.
    pub keep_alive: Duration,
    /// Bytes of a request head, request line included. Default 32 KiB.
    pub header_bytes: usize,
    /// Header fields of a request. Default 100.
    pub headers: usize,
    /// Bytes of a request body. Default 16 MiB.
    pub body_bytes: u64,
    /// Bytes a second that a request body must bring, counted in windows of
    /// [`Limits::body_window`]. Default 256; 0 turns the check off.
    pub body_rate: u64,
    /// The window over which [`Limits::body_rate`] is counted. Default 5 s.
    pub body_window: Duration,
    /// How long a client may take nothing of an answer that waits for it. Default 30 s.
    pub write_deadline: Duration,
    /// Requests in flight on one HTTP/2 connection. Default 128.
    pub streams: u32,
    /// Bytes of one message from a client, after inflating. Default 1 MiB, at most 32 MiB.
    pub message_bytes: usize,
    /// Bytes that may wait for a socket whose client does not read. Default 8 MiB.
    pub outbox_bytes: usize,
    /// How often an idle socket is pinged. Default 30 s.
    pub ping_interval: Duration,
    /// How long a pinged socket may stay silent before it counts as gone. Default 20 s.
    pub ping_deadline: Duration,
    /// How long a graceful shutdown waits for requests and sockets. Default 10 s.
    pub drain_deadline: Duration,
}

impl Limits {
    /// The greatest accepted [`Limits::message_bytes`].
    pub const MAX_MESSAGE_BYTES: usize = 32 << 20;

    /// The same limits with every value inside the range that can be kept.
    #[must_use]
    pub fn clamped(mut self) -> Self {
        self.connections = self.connections.max(1);
        self.connections_per_ip = self.connections_per_ip.max(1);
        self.header_bytes = self.header_bytes.clamp(1 << 10, 1 << 20);
        self.headers = self.headers.clamp(8, 1 << 10);
        self.streams = self.streams.max(1);
        self.message_bytes = self.message_bytes.clamp(1, Self::MAX_MESSAGE_BYTES);
        self.outbox_bytes = self.outbox_bytes.max(64 << 10);
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            connections_per_ip: 1_024,
            handshake_deadline: Duration::from_secs(5),
            header_deadline: Duration::from_secs(5),
            keep_alive: Duration::from_secs(60),
            header_bytes: 32 << 10,
            headers: 100,
            body_bytes: 16 << 20,
            body_rate: 256,
            body_window: Duration::from_secs(5),
            write_deadline: Duration::from_secs(30),
            streams: 128,
            message_bytes: 1 << 20,
            outbox_bytes: 8 << 20,
            ping_interval: Duration::from_secs(30),
            ping_deadline: Duration::from_secs(20),
            drain_deadline: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clamping_keeps_the_defaults_and_cuts_what_cannot_be_kept() {
        assert_eq!(Limits::default().clamped(), Limits::default());
        let wild = Limits { message_bytes: usize::MAX, connections: 0, ..Limits::default() };
        assert_eq!(wild.clamped().message_bytes, Limits::MAX_MESSAGE_BYTES);
        assert_eq!(wild.clamped().connections, 1);
    }
}
