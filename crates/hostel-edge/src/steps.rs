//! The steps of a connection in the log: accept, parse, route, authorise, wake, upgrade, identify.
//!
//! All of them carry the span of their request, with its id. A socket's steps are logged at `info`: it lives long, and where
//! it got stuck is the first question. Those of a plain request are at `debug`.

use std::fmt::Display;

use hostel_protocol::{OneLine, refusal::Refusal};

/// Which kind of request takes the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Socket,
    Http,
}

impl Kind {
    pub(crate) fn of<B>(request: &http::Request<B>) -> Self {
        if crate::ws::is_upgrade(request.headers()) { Self::Socket } else { Self::Http }
    }

    /// Logs that a step is done.
    pub(crate) fn step(self, step: &'static str, detail: impl Display) {
        match self {
            Self::Socket => tracing::info!(step, "{detail}"),
            Self::Http => tracing::debug!(step, "{detail}"),
        }
    }
}

/// Logs that an agent has turned a socket away from one under it.
pub(crate) fn rejected(code: u16, reason: &str) {
    tracing::info!(step = "refuse", code, "{reason}");
}

/// Logs and counts that a request or socket is turned away before it reaches an agent.
pub(crate) fn refused(refusal: &Refusal) {
    let code = refusal.code.as_str();
    metrics::counter!("hostel_refusals_total", "code" => code).increment(1);
    tracing::warn!(step = "refuse", code, "{}", OneLine(&refusal.message));
}
