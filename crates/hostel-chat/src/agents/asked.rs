//! Questions of agents below: whoever watches an agent sees what those that work for it ask, and answers it there.
//!
//! Nothing is kept above. A question is a row of the agent that asks, and its id is found among the runs under way.

use hostel::{Cx, Order, Result, host::Host};
use serde::{Deserialize, Serialize};

use super::{
    below::{passes, request},
    door::Knock,
    rows::Kept,
    show::known,
};
use crate::{
    agent::ChatAgent,
    approval::{Answering, Approval, Decided},
    live,
    room::Room,
};

/// The task that hands an answer down.
pub(crate) const DECIDE: &str = "chat:decide";

/// A question of an agent below.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalBelow {
    /// What is asked.
    #[serde(flatten)]
    pub approval: Approval,
    /// The agent that asks, as in addresses: `class/name/sub/class/name`.
    pub agent: String,
}

/// What an agent below answers to an agent above.
#[derive(Debug, Clone)]
pub(super) enum Told {
    Waiting(Vec<ApprovalBelow>),
    Decided(Option<Box<Decided>>),
}

/// What the agents below ask and nobody has answered. One that cannot tell now is left out.
pub(crate) async fn waiting<A: ChatAgent>(cx: &Cx<A>) -> Result<Vec<ApprovalBelow>> {
    let mut all = Vec::new();
    for kept in at_work(cx)? {
        match ask(cx, &kept, Knock::Asks).await {
            Ok(Some(Told::Waiting(asked))) => all.extend(asked),
            Ok(_) => {}
            Err(error) => tracing::warn!(agent = %cx.id(), %error, "an agent below cannot tell what it asks"),
        }
    }
    Ok(all)
}

/// Answers a question of an agent below by its id; `None` if none of those at work asks it. That one of them could not be asked is an
/// error only if no other asks it.
pub(crate) async fn decide<A: ChatAgent>(cx: &Cx<A>, id: &str, answer: &Answering) -> Result<Option<Decided>> {
    let mut nobody = Ok(None);
    for kept in at_work(cx)? {
        let knock = Knock::Decide { id: id.to_owned(), answer: answer.clone() };
        match ask(cx, &kept, knock).await {
            Ok(Some(Told::Decided(Some(decided)))) => return Ok(Some(*decided)),
            Ok(_) => {}
            Err(error) => nobody = Err(error),
        }
    }
    nobody
}

/// An answer came in a frame whose question is none of this agent's own: it is handed down, also if the process dies meanwhile.
pub(crate) fn hand_down(host: &dyn Host, id: &str, answer: &Answering) -> Result<()> {
    let is_at_work = match known(host)? {
        Some(rows) => !rows.open()?.is_empty(),
        None => false,
    };
    if !is_at_work {
        return Ok(());
    }
    let order = Order { ordered: false, retry: live::RETRY, ..Order::new(DECIDE, &(id, answer))? };
    host.order(order).map(drop)
}

/// What is asked here and below, for an agent above.
pub(super) async fn all<A: ChatAgent>(cx: &Cx<A>) -> Result<Told> {
    let agent = cx.id().to_string();
    let own = Room::of(cx).approvals()?.into_iter().map(|approval| ApprovalBelow { approval, agent: agent.clone() });
    Ok(Told::Waiting(own.chain(waiting(cx).await?).collect()))
}

/// Answers what is asked here or below, for an agent above.
pub(super) async fn settle<A: ChatAgent>(cx: &Cx<A>, id: &str, answer: &Answering) -> Result<Told> {
    let room = Room::of(cx);
    let decided = match room.approval(id)? {
        Some(_) => Some(room.decide(id, answer)?),
        None => decide(cx, id, answer).await?,
    };
    Ok(Told::Decided(decided.map(Box::new)))
}

fn at_work<A: ChatAgent>(cx: &Cx<A>) -> Result<Vec<Kept>> {
    Room::of(cx).aside(|host| known(host)?.map_or_else(|| Ok(Vec::new()), |rows| rows.open()))
}

/// One that is not there any more asks nothing.
async fn ask<A: ChatAgent>(cx: &Cx<A>, kept: &Kept, knock: Knock) -> Result<Option<Told>> {
    let host = &**cx.host();
    // Boxed, for an agent below asks those below itself in the same way.
    let asked: hostel::BoxFuture<Result<hostel::Response>> = host.caller(None).fetch(kept.agent(host)?, request(knock));
    match asked.await {
        Ok(response) => Ok(response.extensions().get::<Told>().cloned()),
        Err(error) if passes(&error) => Err(error),
        Err(error) => {
            tracing::debug!(agent = %cx.id(), %error, "an agent below tells nothing");
            Ok(None)
        }
    }
}
