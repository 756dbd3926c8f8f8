//! The operator's endpoints under `/_hostel/`.
//!
//! They answer programs on this machine, whatever address the server listens on, and operators that authenticate as such
//! from anywhere. A proxy on this machine is no such program: it speaks for somebody else.

mod backup;
mod classes;
mod guard;
mod orders;
mod past;
mod pipe;
mod runs;
mod travel;

use std::{path::Path as FilePath, sync::Arc};

use hostel::{
    AgentId, Code, Edge, Error,
    axum::{
        Router,
        body::Body,
        extract::{FromRef, Path, Query, rejection::QueryRejection},
        middleware,
        response::{IntoResponse, Response},
        routing::{get, post},
    },
    problem,
};

use serde::de::DeserializeOwned;

use crate::Refused;

pub(crate) use orders::shown as shown_schedule;

/// Where the agents' data is.
#[derive(Debug, Clone)]
struct Data(Arc<FilePath>);

/// What the endpoints work on.
#[derive(Clone)]
struct Operated {
    edge: Edge,
    data: Data,
}

impl FromRef<Operated> for Edge {
    fn from_ref(operated: &Operated) -> Self {
        operated.edge.clone()
    }
}

impl FromRef<Operated> for Data {
    fn from_ref(operated: &Operated) -> Self {
        operated.data.clone()
    }
}

/// Whose agent a path means.
type Whose = Path<(String, String)>;

/// What a query asks for, if it can be understood.
type Asked<T> = Result<Query<T>, QueryRejection>;

/// The operator's endpoints, which `hostel history` and the like talk to. `hostel serve` has them; a program of one's own
/// adds them to its [`hostel::App`], and says where its data is:
///
/// ```no_run
/// use hostel::prelude::*;
/// # #[derive(Default, Serialize, Deserialize)]
/// # struct Counter {}
/// # #[agent]
/// # impl Counter {}
/// # async fn run() -> Result<()> {
/// let app = App::new().agent::<Counter>().data(".hostel");
/// app.routes(|edge| hostel_server::operator(edge, ".hostel".as_ref())).serve("127.0.0.1:8787").await?;
/// # Ok(())
/// # }
/// ```
///
/// They answer programs on the same machine, and identities that are operators.
pub fn operator(edge: &Edge, data: &FilePath) -> Router {
    guarded(edge, routes(edge.clone(), data))
}

/// Routes for programs on this machine and for operators, and for no page of another site.
pub(crate) fn guarded(edge: &Edge, routes: Router) -> Router {
    same_sited(edge, routes.layer(middleware::from_fn_with_state(edge.clone(), guard::operators)))
}

/// Routes for everybody but pages of other sites.
pub(crate) fn same_sited(edge: &Edge, routes: Router) -> Router {
    routes.layer(middleware::from_fn_with_state(edge.clone(), guard::same_site))
}

fn routes(edge: Edge, data: &FilePath) -> Router {
    Router::new()
        .route("/_hostel/agents", get(classes::classes))
        .route("/_hostel/agents/{namespace}", get(classes::agents))
        .route("/_hostel/agents/{namespace}/{name}/clear", post(classes::clear))
        .route("/_hostel/agents/{namespace}/{name}/state", get(classes::state))
        .route("/_hostel/agents/{namespace}/{name}/history", get(past::history))
        .route("/_hostel/agents/{namespace}/{name}/diff", get(past::diff))
        .route("/_hostel/agents/{namespace}/{name}/restore", post(past::restore))
        .route("/_hostel/agents/{namespace}/{name}/fork", post(past::fork))
        .route("/_hostel/agents/{namespace}/{name}/runs", get(runs::runs).post(runs::start))
        .route("/_hostel/agents/{namespace}/{name}/runs/{run}", get(runs::run))
        .route("/_hostel/agents/{namespace}/{name}/runs/{run}/{what}", post(runs::act))
        .route("/_hostel/agents/{namespace}/{name}/export", get(travel::export))
        .route("/_hostel/agents/{namespace}/{name}/schedules", get(orders::schedules))
        .route("/_hostel/agents/{namespace}/{name}/schedules/cancel", post(orders::cancel))
        .route("/_hostel/agents/{namespace}/{name}/dead-letters", get(orders::letters))
        .route("/_hostel/agents/{namespace}/{name}/dead-letters/retry", post(orders::retry))
        .route("/_hostel/agents/{namespace}/{name}/dead-letters/discard", post(orders::discard))
        .route("/_hostel/import", post(travel::import))
        .route("/_hostel/backup", post(backup::backup))
        .with_state(Operated { edge, data: Data(data.into()) })
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
    // The rest of an address may go on to an agent under that one.
    let namespace = known(edge, namespace)?;
    Ok(format!("{namespace}/{name}").parse()?)
}

/// The namespace a spelling means.
fn known(edge: &Edge, spelling: &str) -> Result<String, Failed> {
    let directory = edge.node().directory();
    let found = directory.resolve(spelling, true);
    // Some classes are under others only.
    let found = found.or_else(|unknown| directory.by_namespace(spelling).ok_or(unknown));
    let binding = found.map_err(|refusal| Failed(Error::from_refusal(refusal)))?;
    Ok(binding.class.info().namespace.to_string())
}

/// The store's refusal as ours.
fn refused(error: &hostel_store::Error) -> Failed {
    let code = error.code().parse().unwrap_or(Code::StorageFailed);
    Failed(Error::coded(code, error.to_string()))
}

/// What a thread answered; one that panicked is an error like others.
fn joined<T>(answer: Result<Result<T, Refused>, tokio::task::JoinError>) -> Result<T, Failed> {
    let answer = answer.map_err(|error| Error::msg(error.to_string()))?;
    Ok(answer.map_err(Refused::into_error)?)
}

/// The parameters of a query.
fn query<T>(asked: Asked<T>) -> Result<T, Failed> {
    let Query(asked) = asked.map_err(|rejection| malformed(&rejection.body_text()))?;
    Ok(asked)
}

/// A body of JSON.
fn body<T: DeserializeOwned>(sent: &[u8]) -> Result<T, Failed> {
    serde_json::from_slice(sent).map_err(|error| malformed(&format!("The body is not what is expected: {error}")))
}

fn malformed(message: &str) -> Failed {
    let error = Error::coded(Code::MalformedRequest, message);
    Failed(error.with_fix("docs/operating.md lists the endpoints with their parameters"))
}
