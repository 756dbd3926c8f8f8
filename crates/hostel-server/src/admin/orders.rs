//! What an agent has on order, and the runs that were given up.

use hostel::{
    Edge, Schedule, ScheduleId, ScheduleQuery,
    axum::{
        Json,
        body::Bytes,
        extract::{Path, State},
    },
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{Asked, Failed, Whose, agent, body, past::OrNear as _, query};

pub(super) async fn schedules(
    State(edge): State<Edge>,
    Path((namespace, name)): Whose,
    meant: Asked<ScheduleQuery>,
) -> Result<Json<Value>, Failed> {
    let (id, meant) = (agent(&edge, &namespace, &name)?, query(meant)?);
    let mut schedules = edge.node().schedules(&id).await.or_near(&edge, &id).await?;
    schedules.retain(|schedule| meant.means(schedule));
    Ok(Json(json!({"schedules": schedules.iter().map(shown).collect::<Vec<_>>()})))
}

/// As clients see it, with what operators want to know beside it.
pub(crate) fn shown(schedule: &Schedule) -> Value {
    let mut shown = json!(schedule);
    shown["due"] = json!(schedule.due);
    shown["declared"] = json!(schedule.declared);
    shown["attempts"] = json!(schedule.attempts);
    shown["running"] = json!(schedule.running);
    shown
}

/// Which run is meant.
#[derive(Debug, Deserialize)]
struct Meant {
    id: ScheduleId,
    /// For a retry: what its arguments are to be.
    args: Option<Box<RawValue>>,
}

pub(super) async fn cancel(
    State(edge): State<Edge>,
    Path((namespace, name)): Whose,
    sent: Bytes,
) -> Result<Json<Value>, Failed> {
    let (id, meant) = (agent(&edge, &namespace, &name)?, body::<Meant>(&sent)?);
    edge.node().cancel_schedule(&id, &meant.id).await.or_near(&edge, &id).await?;
    Ok(Json(json!({"cancelled": meant.id})))
}

pub(super) async fn letters(State(edge): State<Edge>, Path((namespace, name)): Whose) -> Result<Json<Value>, Failed> {
    let id = agent(&edge, &namespace, &name)?;
    let letters = edge.node().dead_letters(&id).await.or_near(&edge, &id).await?;
    Ok(Json(json!({"deadLetters": letters})))
}

pub(super) async fn retry(
    State(edge): State<Edge>,
    Path((namespace, name)): Whose,
    sent: Bytes,
) -> Result<Json<Value>, Failed> {
    let (id, meant) = (agent(&edge, &namespace, &name)?, body::<Meant>(&sent)?);
    let args = meant.args.map(|args| args.get().to_owned());
    edge.node().retry_dead_letter(&id, &meant.id, args).await.or_near(&edge, &id).await?;
    Ok(Json(json!({"retried": meant.id})))
}

pub(super) async fn discard(
    State(edge): State<Edge>,
    Path((namespace, name)): Whose,
    sent: Bytes,
) -> Result<Json<Value>, Failed> {
    let (id, meant) = (agent(&edge, &namespace, &name)?, body::<Meant>(&sent)?);
    edge.node().discard_dead_letter(&id, &meant.id).await.or_near(&edge, &id).await?;
    Ok(Json(json!({"discarded": meant.id})))
}
