//! The past of an agent: its turns, what changed between two moments, going back, and making another out of it.

use hostel::{
    AgentId, Edge, Error,
    axum::{
        Json,
        body::Bytes,
        extract::{Path, State},
    },
};
use hostel_protocol::{Code, name::nearest};
use hostel_store::{HistoryQuery, Moment};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Asked, Failed, Whose, agent, body, query, refused};

/// Most turns listed at once.
const TURNS: usize = 1_000;

/// Most rows of a table in one answer.
const ROWS: usize = 10_000;

/// How many names are looked at to find the one that was meant.
const NAMES: usize = 1_000;

#[derive(Debug, Deserialize)]
pub(super) struct Page {
    before: Option<i64>,
    limit: Option<usize>,
    #[serde(default)]
    changes: bool,
}

pub(super) async fn history(
    State(edge): State<Edge>,
    Path((namespace, name)): Whose,
    page: Asked<Page>,
) -> Result<Json<Value>, Failed> {
    let (id, page) = (agent(&edge, &namespace, &name)?, query(page)?);
    let limit = page.limit.unwrap_or(20).clamp(1, TURNS);
    let found = edge.node().history(&id, HistoryQuery { before: page.before, limit, changes: page.changes }).await;
    Ok(Json(json!(found.or_near(&edge, &id).await?)))
}

#[derive(Debug, Deserialize)]
pub(super) struct Range {
    from: String,
    to: Option<String>,
    rows: Option<usize>,
}

pub(super) async fn diff(
    State(edge): State<Edge>,
    Path((namespace, name)): Whose,
    range: Asked<Range>,
) -> Result<Json<Value>, Failed> {
    let (id, range) = (agent(&edge, &namespace, &name)?, query(range)?);
    let (from, to) = (moment(&range.from)?, moment(range.to.as_deref().unwrap_or("now"))?);
    let rows = range.rows.unwrap_or(100).min(ROWS);
    let found = edge.node().difference(&id, from, to, rows).await;
    Ok(Json(json!(found.or_near(&edge, &id).await?)))
}

#[derive(Debug, Deserialize)]
struct Restore {
    at: String,
}

pub(super) async fn restore(
    State(edge): State<Edge>,
    Path((namespace, name)): Whose,
    sent: Bytes,
) -> Result<Json<Value>, Failed> {
    let (id, Restore { at }) = (agent(&edge, &namespace, &name)?, body(&sent)?);
    let restored = edge.node().restore(&id, moment(&at)?).await;
    Ok(Json(json!(restored.or_near(&edge, &id).await?)))
}

#[derive(Debug, Deserialize)]
struct Fork {
    name: String,
    #[serde(default = "now")]
    at: String,
}

fn now() -> String {
    "now".to_owned()
}

pub(super) async fn fork(
    State(edge): State<Edge>,
    Path((namespace, name)): Whose,
    sent: Bytes,
) -> Result<Json<Value>, Failed> {
    let (id, fork) = (agent(&edge, &namespace, &name)?, body::<Fork>(&sent)?);
    let made = edge.node().fork(&id, &fork.name, moment(&fork.at)?).await;
    Ok(Json(json!(made.or_near(&edge, &id).await?)))
}

fn moment(text: &str) -> Result<Moment, Failed> {
    Moment::parse(text).map_err(|error| refused(&error))
}

/// An answer that, where the agent is unknown, names the one that was meant.
pub(super) trait OrNear<T> {
    async fn or_near(self, edge: &Edge, id: &AgentId) -> Result<T, Failed>;
}

impl<T> OrNear<T> for Result<T, Error> {
    async fn or_near(self, edge: &Edge, id: &AgentId) -> Result<T, Failed> {
        let error = match self {
            Err(error) if error.code() == Some(Code::AgentNotFound) => error,
            other => return Ok(other?),
        };
        let known = edge.node().agents(id.namespace(), NAMES, None).await.unwrap_or_default();
        let names: Vec<String> = known.into_iter().filter_map(|agent| agent.name).collect();
        Err(match nearest(id.name(), names.iter().map(String::as_str)) {
            Some(near) => error.with_fix(format!("did you mean {}/{near}?", id.namespace())),
            None => error,
        }
        .into())
    }
}
