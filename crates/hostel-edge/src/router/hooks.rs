//! What an application may do with a request before its agent sees it.

use std::{fmt, sync::Arc};

use axum::body::Body;
use futures_util::future::BoxFuture;
use http::{Request, Response};

/// Whom a request is about to reach.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lobby {
    /// The name its class is bound under, e.g. `CoderAgent`.
    pub class_name: String,
    /// The instance's name.
    pub name: String,
}

/// A hook's verdict.
pub enum Before {
    /// Go on with this request, perhaps changed.
    Continue(Request<Body>),
    /// Answer this instead; a client that wanted a socket gets it as the answer to its handshake.
    Respond(Response<Body>),
}

impl fmt::Debug for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Continue(_) => "Continue",
            Self::Respond(_) => "Respond",
        })
    }
}

pub(super) type Hook = Arc<dyn Fn(Request<Body>, Lobby) -> BoxFuture<'static, Before> + Send + Sync>;

pub(super) fn boxed<F, Fut>(hook: F) -> Hook
where
    F: Fn(Request<Body>, Lobby) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Before> + Send + 'static,
{
    Arc::new(move |request, lobby| Box::pin(hook(request, lobby)))
}
