//! What the agent above keeps of its errands: which is for which of its answers and which agent is at it, so that what it takes counts
//! there once, and so that it hears of rules that change.

pub(crate) mod steps;

use hostel::{Cx, JsonSchema, Result};
use hostel_chat::{Room, TurnInfo};
use serde::{Deserialize, Serialize};

use crate::{
    Budget, CoderAgent, PolicyView,
    child::Above,
    conversations, policy,
    runs::meter,
    tools::{Call, refused},
    work::{has, json, rows},
};

const NAME: &str = "coder_errands";
const TABLE: &str =
    "create table if not exists coder_errands (agent text primary key, turn text not null, name text not null,
    budget text not null, counted text not null, at integer not null, is_over integer not null default 0) without rowid";
const FIND: &str = "select budget from coder_errands where agent = ?";
const AGAIN: &str = "update coder_errands set is_over = 0 where agent = ?";
const RESERVED: &str = "select turn, budget, counted from coder_errands where not is_over";
const BEGIN: &str = "insert into coder_errands (agent, turn, name, budget, counted, at) values (?, ?, ?, ?, '{}', ?)";
/// Of what is over, the newest are kept: something of it may still come.
const FORGET: &str = "delete from coder_errands where is_over and agent not in
    (select agent from coder_errands order by at desc limit 200)";
const COUNTED: &str = "select turn, counted from coder_errands where agent = ?";
const COUNT: &str = "update coder_errands set counted = ? where agent = ?";
const END: &str = "update coder_errands set is_over = 1 where agent = ?";
const END_ALL: &str = "update coder_errands set is_over = 1 where turn = ?";
const OPEN: &str = "select agent from coder_errands where not is_over";
const AT_WORK: &str = "select turn from coder_errands where name = ? and agent <> ? and not is_over";

/// What an agent tells the one above of its errand.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ErrandNews {
    /// What it took so far.
    pub(crate) used: Budget,
    /// Which of its steps that is the end of, if none is under way.
    #[serde(default)]
    pub(crate) ended: Option<i64>,
}

/// Writes an errand down before it is given, and with it the steps that it may take: they are its own until it is over, so that all who
/// are at work for an answer take no more together than that has left. Again after a crash, nothing changes. What it may take.
pub(crate) fn begin(cx: &Call, agent: &str, name: &str, asked: Budget) -> Result<Budget> {
    cx.try_update(|_| {
        cx.sql(TABLE, ())?;
        if let Some(row) = cx.sql(FIND, (agent,))?.iter().next() {
            cx.sql(AGAIN, (agent,))?;
            return json(&row, "budget");
        }
        let budget = free(cx, asked)?;
        if is_at_work(cx, name, agent)? {
            return Err(refused(format!("Somebody is at work on {name:?} already."), "use another name, or wait"));
        }
        cx.sql(FORGET, ())?;
        let values = (agent, cx.turn_id(), name, serde_json::to_string(&budget)?, cx.now().as_millisecond());
        cx.sql(BEGIN, values).map(|_| budget)
    })
}

/// What of a budget is free for one errand more: of what the answer has left, what no other errand has, shared with those that the
/// same step begins with.
fn free(cx: &Call, asked: Budget) -> Result<Budget> {
    let left = meter::left(cx.cx(), cx.turn_id())?;
    let Some(steps) = left.steps else { return Ok(asked.within(&left)) };
    let (mut reserved, mut begun) = (0, 0);
    for row in cx.sql(RESERVED, ())?.iter() {
        let (turn, budget, counted): (String, Budget, Budget) =
            (row.get("turn")?, json(&row, "budget")?, json(&row, "counted")?);
        begun += usize::from(turn == cx.turn_id());
        reserved += budget.less(&counted).steps.unwrap_or(0);
    }
    let waiting = u64::try_from(under_way(cx)?.saturating_sub(begun)).unwrap_or(1).max(1);
    let share = steps.saturating_sub(reserved).div_ceil(waiting);
    if share == 0 {
        return Err(refused(
            "There is no step left for it: those who are at work may take all that this answer has.",
            "wait until they have ended, or do it yourself",
        ));
    }
    Ok(asked.within(&Budget { steps: Some(share), ..left }))
}

/// How many calls of the same tool the answer has under way, this one included.
fn under_way(cx: &Call) -> Result<usize> {
    let room = Room::of(cx.cx());
    let (message, said) = (room.turn(cx.turn_id())?.map(|turn| turn.message), room.transcript()?);
    let parts = said.iter().filter(|found| Some(&found.id) == message.as_ref()).flat_map(|found| &found.parts);
    let is_open = |part: &serde_json::Value| {
        let state = part["state"].as_str().unwrap_or_default();
        part["preliminary"] == true || !state.starts_with("output") && state != "approval-requested"
    };
    Ok(parts.filter(|part| part["type"] == "tool-delegate" && is_open(part)).count())
}

/// An errand was begun, and could not be given.
pub(crate) fn give_up(cx: &Cx<CoderAgent>, agent: &str) -> Result<()> {
    // It may have been refused before anything of it was written down.
    if has(cx, NAME)? {
        steps::freed(cx);
        cx.sql(END, (agent,))?;
    }
    Ok(())
}

/// Whether an agent is at work on what has this name, besides this one.
pub(crate) fn is_at_work(cx: &Cx<CoderAgent>, name: &str, agent: &str) -> Result<bool> {
    let room = Room::of(cx);
    for row in rows(cx, NAME, AT_WORK, (name, agent))?.iter() {
        let turn = room.turn(&row.get::<String>("turn")?)?;
        if turn.is_some_and(|turn| turn.is_open) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// An errand is over.
pub(crate) fn end(cx: &Cx<CoderAgent>, agent: &str, used: &Budget) -> Result<()> {
    cx.try_update(|_| {
        count(cx, agent, used)?;
        give_up(cx, agent)
    })
}

/// An answer is over, and with it what it delegated.
pub(crate) fn turn_over(cx: &Cx<CoderAgent>, turn: &TurnInfo) -> Result<()> {
    if has(cx, NAME)? {
        steps::freed(cx);
        cx.sql(END_ALL, (turn.id.as_str(),))?;
    }
    Ok(())
}

/// An agent below tells how far it is: what it took counts for the answer that it works for.
pub(crate) fn news(cx: &Cx<CoderAgent>, news: &ErrandNews) -> Result<()> {
    let agent = below(cx)?;
    if count(cx, &agent, &news.used)?.is_some() {
        conversations::order(cx)?;
    }
    news.ended.map_or(Ok(()), |mark| steps::ended(cx, &agent, mark))
}

/// The name of the agent below that calls.
fn below(cx: &Cx<CoderAgent>) -> Result<String> {
    let caller = cx.caller_agent().filter(|caller| caller.parent().as_ref() == Some(cx.id()));
    let agent = caller.ok_or_else(|| refused("Only an agent below tells that.", "leave it to them"))?;
    Ok(agent.name().to_owned())
}

/// Counts what was not counted yet; the answer it is for.
fn count(cx: &Cx<CoderAgent>, agent: &str, used: &Budget) -> Result<Option<String>> {
    let found = rows(cx, NAME, COUNTED, (agent,))?;
    let Some(row) = found.iter().next() else { return Ok(None) };
    let (turn, counted): (String, Budget) = (row.get("turn")?, json(&row, "counted")?);
    let more = used.beyond(&counted);
    if more != Budget::default() {
        cx.sql(COUNT, (serde_json::to_string(&counted.plus(&more))?, agent))?;
        meter::add(cx, &turn, &more)?;
    }
    Ok(Some(turn))
}

/// The policy has changed: those at work hear of it, also if the process dies before that.
pub(crate) fn order_rules(cx: &Cx<CoderAgent>) -> Result<()> {
    if rows(cx, NAME, OPEN, ())?.is_empty() {
        return Ok(());
    }
    let mark = u64::from_le_bytes(cx.random());
    cx.tasks().tell_delegates(mark).in_any_order().now().map(drop)
}

/// Tells those at work what holds from now on. One that cannot be told keeps it from none of the others.
pub(crate) async fn tell_rules(cx: &Cx<CoderAgent>) -> Result<()> {
    let agents = rows(cx, NAME, OPEN, ())?.iter().map(|row| row.get("agent")).collect::<Result<Vec<String>>>()?;
    let mut failed = Ok(());
    for agent in agents {
        let told = cx.sub_agent::<CoderAgent>(&agent)?.obey(above(cx)?).await;
        failed = failed.and(told);
    }
    failed
}

/// What holds in an agent below because it holds here.
pub(crate) fn above(cx: &Cx<CoderAgent>) -> Result<Above> {
    let PolicyView { mode, rules, .. } = policy::view(cx)?;
    let rules = rules.into_iter().map(|kept| kept.rule).collect();
    Ok(Above { mode, rules, at: cx.now().as_microsecond() })
}
