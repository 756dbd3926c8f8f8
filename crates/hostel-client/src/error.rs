//! What can go wrong, with the server's own words where it had some.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::http::Answer;
use crate::target::BadTarget;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be read.
    #[error(transparent)]
    Target(#[from] BadTarget),
    /// The host name has no address.
    #[error("the name {host:?} cannot be resolved: {source}")]
    Resolve {
        /// Which name.
        host: String,
        /// What the system said.
        source: io::Error,
    },
    /// No address of the host takes a connection.
    #[error("{address} does not take a connection: {source}")]
    Connect {
        /// The last one tried.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The TLS handshake failed.
    #[error("the TLS handshake with {host} failed: {source}")]
    Tls {
        /// With whom.
        host: String,
        /// Usually a [`rustls::Error`] inside.
        source: io::Error,
    },
    /// The file of further certificate authorities cannot be used.
    #[error("the certificate file {path}: {why}")]
    CaFile {
        /// Which file.
        path: String,
        /// Why.
        why: String,
    },
    /// What came back is no HTTP.
    #[error("the server does not speak HTTP: {0}")]
    Http(#[source] hyper::Error),
    /// A request that cannot be written.
    #[error("the request cannot be made: {0}")]
    Request(#[from] ::http::Error),
    /// The server did not switch to the WebSocket protocol.
    #[error("the server refused the WebSocket: {}", .0.summary())]
    Refused(Box<Answer>),
    /// The server switched protocols without having understood the handshake.
    #[error("the server answered the WebSocket handshake with a wrong {header} header")]
    FalseUpgrade {
        /// Which header.
        header: &'static str,
    },
    /// The connection is closed.
    #[error("{0}")]
    Closed(Closed),
    /// The method was called and failed, or could not be called.
    #[error("{0}")]
    Call(Reason),
    /// The state was refused.
    #[error("{0}")]
    State(Reason),
    /// The state was refused because it is no longer the one that was to be replaced.
    #[error("{}", .0.reason)]
    Conflict(Box<Conflict>),
    /// Something took too long.
    #[error("{what} took longer than {}", seconds(*.after))]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        after: Duration,
    },
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

/// What a server says when it says no.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reason {
    /// The sentence.
    pub message: String,
    /// The stable code, from a Hostel server.
    pub code: Option<String>,
    /// What to change, from a Hostel server.
    pub fix: Option<String>,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// What stood in the way of [`crate::Client::set_state_if`].
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// What the server says.
    pub reason: Reason,
    /// The state as it is.
    pub state: serde_json::Value,
    /// Its version.
    pub version: String,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The close code; 1006 stands for a connection that broke off.
    pub code: u16,
    /// The close reason, possibly empty.
    pub reason: String,
    /// The last error frame before the end.
    pub said: Option<Reason>,
}

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the connection was closed with code {}", self.code)?;
        match (&self.said, self.reason.as_str()) {
            (Some(said), _) => write!(f, ": {}", said.message),
            (None, "") => Ok(()),
            (None, reason) => write!(f, ": {reason}"),
        }
    }
}

impl Error {
    /// The server's stable code, if it gave one.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        match self {
            Self::Refused(answer) => answer.problem()?.code,
            Self::Closed(closed) => closed.said.as_ref()?.code.clone(),
            Self::Call(reason) | Self::State(reason) => reason.code.clone(),
            Self::Conflict(conflict) => conflict.reason.code.clone(),
            _ => None,
        }
    }

    /// What to change, if the server said so.
    #[must_use]
    pub fn fix(&self) -> Option<String> {
        match self {
            Self::Refused(answer) => answer.problem()?.fix,
            Self::Closed(closed) => closed.said.as_ref()?.fix.clone(),
            Self::Call(reason) | Self::State(reason) => reason.fix.clone(),
            Self::Conflict(conflict) => conflict.reason.fix.clone(),
            _ => None,
        }
    }
}
