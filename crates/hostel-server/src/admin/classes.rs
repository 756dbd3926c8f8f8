//! What is there, what keeps failing, and data without code.

use hostel::{
    Edge,
    axum::{
        Json,
        extract::{Path, Query, State},
    },
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::{Failed, agent, joined, known};

/// Most agents listed at once.
const PAGE: usize = 1_000;

pub(super) async fn classes(State(edge): State<Edge>) -> Result<Json<Value>, Failed> {
    let classes = edge.node().overview().await?;
    let store = edge.node().store().clone();
    let history = joined(spawn_blocking(move || Ok(store.history_sizes()?)).await)?;
    let show = |class: hostel::ClassOverview| {
        let mut shown = json!(class);
        shown["history_bytes"] = json!(shown["namespace"].as_str().and_then(|class| history.get(class)).unwrap_or(&0));
        shown["quarantined"] = class.quarantined.iter().map(quarantined).collect();
        shown
    };
    Ok(Json(json!({"classes": classes.into_iter().map(show).collect::<Vec<_>>()})))
}

fn quarantined(agent: &hostel::Quarantined) -> Value {
    json!({
        "name": agent.id.name(),
        "failures": agent.failures,
        "retry_in_seconds": agent.retry_in.as_secs_f64(),
        "reason": agent.reason,
    })
}

#[derive(Debug, Deserialize)]
pub(super) struct Page {
    limit: Option<usize>,
    after: Option<String>,
}

pub(super) async fn agents(
    State(edge): State<Edge>,
    Path(namespace): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Failed> {
    let namespace = known(&edge, &namespace)?;
    let limit = page.limit.unwrap_or(100).clamp(1, PAGE);
    let agents = edge.node().agents(&namespace, limit, page.after.as_deref()).await?;
    let next = (agents.len() == limit).then(|| agents.last().map(|agent| agent.cursor.clone())).flatten();
    let show = |agent: hostel::AgentOverview| {
        let unreadable = || format!("(unreadable: {})", agent.problem.as_deref().unwrap_or("no name inside"));
        json!({
            "name": agent.name.clone().unwrap_or_else(unreadable),
            "awake": agent.awake,
            "sockets": agent.sockets,
            "bytes": agent.bytes,
            "parent": agent.parent,
        })
    };
    Ok(Json(json!({"agents": agents.into_iter().map(show).collect::<Vec<_>>(), "next": next})))
}

pub(super) async fn clear(
    State(edge): State<Edge>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Json<Value>, Failed> {
    let id = agent(&edge, &namespace, &name)?;
    Ok(Json(json!({"cleared": edge.node().clear_quarantine(&id)})))
}

pub(super) async fn state(
    State(edge): State<Edge>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Json<Value>, Failed> {
    let id = agent(&edge, &namespace, &name)?;
    Ok(Json(json!(edge.node().safe_state(&id).await?)))
}
