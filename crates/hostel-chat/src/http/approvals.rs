//! `GET …/approvals` and `POST …/approvals/{id}`: what waits for a yes, and the answers.

use hostel::{Code, Cx, Error, Identity, Request, Response, Result};
use serde_json::json;

use super::json as json_response;
use crate::{agent::ChatAgent, approval::Answering, room::Room};

/// Greatest body.
const BYTES: usize = 64 << 10;

/// Those that wait, newest first; then those of agents that work below.
pub(super) async fn list<A: ChatAgent>(cx: &Cx<A>) -> Result<Response> {
    let room = Room::of(cx);
    let (own, below) = (room.approvals()?, room.approvals_below().await?);
    let own = own.iter().map(serde_json::to_value);
    let all = own.chain(below.iter().map(serde_json::to_value)).collect::<serde_json::Result<Vec<_>>>()?;
    Ok(json_response(json!({"approvals": all}).to_string()))
}

/// The first answer counts; a later one is told what the first was.
pub(super) async fn decide<A: ChatAgent>(cx: Cx<A>, id: &str, request: Request) -> Result<Response> {
    let who: Option<Identity> = request.extensions().get().cloned();
    let bytes = request.into_body().bytes(BYTES).await?;
    let mut answer: Answering = serde_json::from_slice(&bytes).map_err(|error| malformed(&error))?;
    if let Some(who) = &who {
        // Who was asked for a token answers as nobody else.
        answer.by = Some(who.subject().to_owned());
    }
    let room = Room::of(&cx);
    let below = if room.approval(id)?.is_some() { None } else { room.decide_below(id, &answer).await? };
    let decided = below.map_or_else(|| room.decide(id, &answer), Ok)?;
    Ok(json_response(json!({"accepted": decided.accepted, "approval": decided.approval}).to_string()))
}

fn malformed(error: &serde_json::Error) -> Error {
    Error::coded(Code::MalformedRequest, format!("This is no answer: {error}."))
        .with_fix("send {\"approve\": true}, with \"always\": true or \"reason\": \"..\" if you like")
}
