//! Whose a session is: nobody else may use it, and nobody can have any number of them.

use std::{collections::HashMap, sync::Arc};

use axum::body::Body;
use hostel_core::{AgentId, Identity};
use hostel_protocol::refusal::{Code, Refusal};
use http::{HeaderValue, Request};
use parking_lot::Mutex;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;

use super::{SESSION, SESSION_IDLE, presence::Presence};

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

/// What is known of a session.
struct Known {
    owner: Owner,
    client: Arc<Presence>,
}

/// What a request has to do with sessions.
#[derive(Debug)]
pub(super) struct Checked {
    /// Whether it may begin one.
    pub(super) begins: bool,
    /// The client of its session, or of the one that it begins.
    pub(super) client: Arc<Presence>,
}

/// The sessions there are.
pub(super) struct Sessions {
    manager: Arc<LocalSessionManager>,
    known: Mutex<HashMap<String, Known>>,
}

impl Sessions {
    pub(super) fn new(manager: Arc<LocalSessionManager>) -> Self {
        Self { manager, known: Mutex::default() }
    }

    /// Whether the request may begin a session; one that names a session that is not its owner's is made to name none that
    /// exists, so that it hears what it would hear of any other. So is one that comes back after it had left.
    pub(super) fn check(&self, owner: &Owner, request: &mut Request<Body>) -> Result<Checked, Refusal> {
        let fresh = |begins| Checked { begins, client: Arc::new(Presence::new(SESSION_IDLE)) };
        let Some(named) = request.headers().get(SESSION) else {
            return self.has_room().then(|| fresh(true)).ok_or_else(full);
        };
        if let Some(client) = named.to_str().ok().and_then(|id| self.client(id, owner)) {
            return Ok(Checked { begins: false, client });
        }
        request.headers_mut().insert(SESSION, HeaderValue::from_static("none-of-yours"));
        Ok(fresh(false))
    }

    /// The client of a session that is this owner's, if it has not left.
    fn client(&self, id: &str, owner: &Owner) -> Option<Arc<Presence>> {
        let known = self.known.lock();
        let session = known.get(id).filter(|session| session.owner == *owner && session.client.seen())?;
        Some(Arc::clone(&session.client))
    }

    pub(super) fn begun(&self, id: &HeaderValue, owner: Owner, client: Arc<Presence>) {
        if let Ok(id) = id.to_str() {
            self.known.lock().insert(id.to_owned(), Known { owner, client });
        }
    }

    /// Sessions end without our hearing of it; they are counted only when there seem to be too many.
    fn has_room(&self) -> bool {
        let mut known = self.known.lock();
        if known.len() < MOST {
            return true;
        }
        if let Ok(live) = self.manager.sessions.try_read() {
            known.retain(|id, _| live.contains_key(id.as_str()));
        }
        known.len() < MOST
    }
}

fn full() -> Refusal {
    Refusal::new(Code::TooManyConnections, format!("There are {MOST} MCP sessions of this class already."))
        .with_fix("end sessions with DELETE, or come back later; clients of the revision 2026-07-28 need none")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_client_that_comes_back_after_it_had_left_finds_no_session() {
        let sessions = Sessions::new(Arc::default());
        let owner = Owner { agent: "counter/a".parse().unwrap(), subject: None };
        let asked = |id: &'static str| {
            let mut request = Request::post("/").header(SESSION, id).body(Body::empty()).unwrap();
            sessions.check(&owner, &mut request).unwrap();
            request.headers()[SESSION].clone()
        };
        for (id, longest) in [("here", Duration::from_secs(3600)), ("left", Duration::ZERO)] {
            let client = Arc::new(Presence::new(longest));
            sessions.begun(&HeaderValue::from_static(id), owner.clone(), client);
        }
        assert_eq!(asked("here"), "here");
        assert_eq!(asked("left"), "none-of-yours");
    }
}
