//! Whose a session is: nobody else may use it, and nobody can have any number of them.

use std::{collections::HashMap, sync::Arc};

use axum::body::Body;
use hostel_core::{AgentId, Identity};
use hostel_protocol::refusal::{Code, Refusal};
use http::{HeaderValue, Request};
use parking_lot::Mutex;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;

use super::SESSION;

/// The most sessions of one class.
const MOST: usize = 4096;

/// Whose a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    agent: AgentId,
    subject: Option<Box<str>>,
}

impl Owner {
    pub(super) fn of(agent: &AgentId, request: &Request<Body>) -> Self {
        let subject = request.extensions().get::<Identity>().map(|identity| identity.subject().into());
        Self { agent: agent.clone(), subject }
    }
}

/// The owners of the sessions there are.
pub(super) struct Sessions {
    manager: Arc<LocalSessionManager>,
    owners: Mutex<HashMap<String, Owner>>,
}

impl Sessions {
    pub(super) fn new(manager: Arc<LocalSessionManager>) -> Self {
        Self { manager, owners: Mutex::default() }
    }

    /// Whether the request may begin a session; one that names a session that is not its owner's is made to name none that
    /// exists, so that it hears what it would hear of any other.
    pub(super) fn check(&self, owner: &Owner, request: &mut Request<Body>) -> Result<bool, Refusal> {
        let Some(named) = request.headers().get(SESSION) else {
            return self.has_room().then_some(true).ok_or_else(full);
        };
        let is_theirs = named.to_str().is_ok_and(|id| self.owners.lock().get(id) == Some(owner));
        if !is_theirs {
            request.headers_mut().insert(SESSION, HeaderValue::from_static("none-of-yours"));
        }
        Ok(false)
    }

    pub(super) fn begun(&self, id: &HeaderValue, owner: Owner) {
        if let Ok(id) = id.to_str() {
            self.owners.lock().insert(id.to_owned(), owner);
        }
    }

    /// Sessions end without our hearing of it; they are counted only when there seem to be too many.
    fn has_room(&self) -> bool {
        let mut owners = self.owners.lock();
        if owners.len() < MOST {
            return true;
        }
        if let Ok(live) = self.manager.sessions.try_read() {
            owners.retain(|id, _| live.contains_key(id.as_str()));
        }
        owners.len() < MOST
    }
}

fn full() -> Refusal {
    Refusal::new(Code::TooManyConnections, format!("There are {MOST} MCP sessions of this class already."))
        .with_fix("end sessions with DELETE, or come back later; clients of the revision 2026-07-28 need none")
}
