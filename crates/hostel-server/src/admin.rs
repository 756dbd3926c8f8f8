//! The operator's endpoints under `/_hostel/`.
//!
//! They answer programs on this machine alone, whatever address the server listens on. A proxy on this machine is no such
//! program: it speaks for somebody else.

mod classes;
mod guard;

use hostel::{
    AgentId, Code, Edge, Error,
    axum::{
        Router,
        body::Body,
        response::{IntoResponse, Response},
        routing::{get, post},
    },
    problem,
};

pub(crate) use guard::{from_this_machine, same_site};

pub(crate) fn routes(edge: Edge) -> Router {
    Router::new()
        .route("/_hostel/agents", get(classes::classes))
        .route("/_hostel/agents/{namespace}", get(classes::agents))
        .route("/_hostel/agents/{namespace}/{name}/clear", post(classes::clear))
        .route("/_hostel/agents/{namespace}/{name}/state", get(classes::state))
        .with_state(edge)
}

/// An error as a response.
struct Failed(Error);

impl IntoResponse for Failed {
    fn into_response(self) -> Response<Body> {
        problem(&self.0.to_refusal(Code::Internal), None)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

fn agent(edge: &Edge, namespace: &str, name: &str) -> Result<AgentId, Failed> {
    let namespace = known(edge, namespace)?;
    Ok(AgentId::new(&namespace, name))
}

/// The namespace a spelling means.
fn known(edge: &Edge, spelling: &str) -> Result<String, Failed> {
    let found = edge.node().directory().resolve(spelling, true);
    let binding = found.map_err(|refusal| Failed(Error::from_refusal(refusal)))?;
    Ok(binding.class.info().namespace.to_string())
}
