//! How to connect.

use std::path::PathBuf;
use std::time::Duration;

use ::http::{HeaderName, HeaderValue};

/// How to connect and how long to wait.
#[derive(Debug, Clone)]
pub struct Options {
    /// The `Origin` header, as a browser page would send it.
    pub origin: Option<String>,
    /// Further headers of the handshake and of plain requests.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The connection id (`_pk`); the server makes one up without it.
    pub connection_id: Option<String>,
    /// Ask for versions of the state (`?state_version=1`), for [`crate::Client::versioned_state`] and
    /// [`crate::Client::set_state_if`]. Only Hostel servers have them. Off by default.
    pub state_versions: bool,
    /// Whom to trust.
    pub tls: TlsOptions,
    /// For each step up to the open socket. Default 10 s.
    pub connect_timeout: Duration,
    /// From the open socket to identity and state. Default 10 s.
    pub ready_timeout: Duration,
    /// For a call that sets none itself. Default 30 s.
    pub call_timeout: Duration,
    /// The greatest message taken from a server. Default 64 MiB.
    pub max_message_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            origin: None,
            headers: Vec::new(),
            connection_id: None,
            state_versions: false,
            tls: TlsOptions::default(),
            connect_timeout: Duration::from_secs(10),
            ready_timeout: Duration::from_secs(10),
            call_timeout: Duration::from_secs(30),
            max_message_bytes: 64 << 20,
        }
    }
}

/// Whom to trust besides the well-known certificate authorities.
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    /// A PEM file of further authorities.
    pub ca_file: Option<PathBuf>,
    /// Take any certificate: for finding out what is wrong, never for work.
    pub insecure: bool,
}
