//! Whose turn it is: those at work side by side begin a step only if what is left is enough for all steps under way, or if there is no
//! other, in the order in which they asked. So what they take together goes beyond a budget by no more than one step, of which nobody knows beforehand what it takes.

use hostel::{Cx, Result};

use super::{below, count};
use crate::{
    Budget, CoderAgent,
    child::steps::{ErrandStep, StepAnswer},
    conversations,
    runs::meter,
    work::{json, rows},
    workspaces::Workspaces,
};

/// After how long somebody who waited is taken to be gone: it asks again every half minute.
const GONE_MS: i64 = 90_000;

const NAME: &str = "coder_errand_steps";
/// A row is a step under way; it stays over a crash, until its agent says what it took.
const TABLE: &str = "create table if not exists coder_errand_steps
    (agent text primary key, mark integer not null, most text not null) without rowid";
const PUT: &str = "insert or replace into coder_errand_steps (agent, mark, most) values (?, ?, ?)";
const OTHERS: &str =
    "select most from coder_errand_steps join coder_errands using (agent) where agent <> ? and not is_over";
const IS_OVER: &str = "select 1 from coder_errands where agent = ? and is_over";
/// Who was told to wait, the first of them first, and when it asked last.
const QUEUE: &str = "create table if not exists coder_errand_queue
    (place integer primary key, agent text not null unique, asked integer not null)";
const WAITS: &str = "insert into coder_errand_queue (agent, asked) values (?, ?)
    on conflict (agent) do update set asked = excluded.asked";
const FORGET: &str = "delete from coder_errand_queue where asked < ?";
const GOES: &str = "delete from coder_errand_queue where agent = ?";
/// Whoever has not asked for long does not wait any more.
const BEFORE: &str = "select 1 from coder_errand_queue join coder_errands using (agent)
    where agent <> ?1 and asked >= ?2 and not is_over
    and place < coalesce((select place from coder_errand_queue where agent = ?1), 9223372036854775807) limit 1";
const EARLIER: &str = "delete from coder_errand_steps where agent = ? and mark <> ? returning agent";
const ENDED: &str = "delete from coder_errand_steps where agent = ? and mark = ? returning agent";

/// An agent below would begin a step: it may, it has to wait, or it may not any more.
pub(crate) fn asked(cx: &Cx<CoderAgent>, step: &ErrandStep) -> Result<StepAnswer> {
    let agent = below(cx)?;
    let Some(turn) = count(cx, &agent, &step.used)? else { return Ok(StepAnswer::Begin) };
    conversations::order(cx)?;
    cx.sql(TABLE, ())?;
    cx.sql(QUEUE, ())?;
    // Whoever asks for another has ended the one before.
    removed(cx, EARLIER, &agent, step.mark)?;
    if let Some(why) = meter::refusal(cx, &turn)? {
        cx.sql(GOES, (agent,))?;
        freed(cx);
        return Ok(StepAnswer::Refused(why));
    }
    if !cx.sql(IS_OVER, (agent.as_str(),))?.is_empty() {
        // It is asked something of its own, and works for nobody else.
        return Ok(StepAnswer::Begin);
    }
    if !may_begin(cx, &turn, &agent, &step.most)? {
        return wait(cx, agent);
    }
    cx.sql(GOES, (agent.as_str(),))?;
    cx.sql(PUT, (agent, step.mark, serde_json::to_string(&step.most)?))?;
    Ok(StepAnswer::Begin)
}

fn wait(cx: &Cx<CoderAgent>, agent: String) -> Result<StepAnswer> {
    let now = cx.now().as_millisecond();
    cx.sql(FORGET, (now - GONE_MS,))?;
    cx.sql(WAITS, (agent, now))?;
    Ok(StepAnswer::Wait)
}

/// Whether what is left is enough for it and for all that are at a step; or, where nobody is, whether it is first in the queue.
fn may_begin(cx: &Cx<CoderAgent>, turn: &str, agent: &str, most: &Budget) -> Result<bool> {
    let under_way = cx.sql(OTHERS, (agent,))?.iter().map(|row| json(&row, "most")).collect::<Result<Vec<_>>>()?;
    let left = meter::left(cx, turn)?;
    if fits(&left, &under_way, most) {
        return Ok(true);
    }
    let since = cx.now().as_millisecond() - GONE_MS;
    Ok(under_way.is_empty() && cx.sql(BEFORE, (agent, since))?.is_empty())
}

/// Whether what is left is enough for a step beside those under way.
fn fits(left: &Budget, under_way: &[Budget], own: &Budget) -> bool {
    let all = || under_way.iter().chain([own]);
    // What nobody knows is more than there is.
    let tokens = all().map(|most| most.tokens).try_fold(0_u64, |sum, most| Some(sum.saturating_add(most?)));
    let cost = all().map(|most| most.cost).sum::<Option<f64>>();
    left.tokens.is_none_or(|left| tokens.is_some_and(|all| all <= left))
        && left.cost.is_none_or(|left| cost.is_some_and(|all| all <= left))
}

/// A step of an agent is over, and counted.
pub(super) fn ended(cx: &Cx<CoderAgent>, agent: &str, mark: i64) -> Result<()> {
    if rows(cx, NAME, "select 1 from coder_errand_steps", ())?.is_empty() {
        Ok(())
    } else {
        removed(cx, ENDED, agent, mark)
    }
}

fn removed(cx: &Cx<CoderAgent>, which: &str, agent: &str, mark: i64) -> Result<()> {
    if !cx.sql(which, (agent, mark))?.is_empty() {
        freed(cx);
    }
    Ok(())
}

/// Others may have their turn.
pub(super) fn freed(cx: &Cx<CoderAgent>) {
    if let Ok(workspaces) = cx.env::<Workspaces>() {
        workspaces.free_steps();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(tokens: u64) -> Budget {
        Budget { tokens: Some(tokens), ..Budget::default() }
    }

    fn cost(cost: f64) -> Budget {
        Budget { cost: Some(cost), ..Budget::default() }
    }

    #[test]
    fn a_step_begins_beside_others_only_if_there_is_enough_for_all() {
        let unknown = Budget::default();
        assert!(fits(&tokens(300), &[tokens(100), tokens(100)], &tokens(100)));
        assert!(!fits(&tokens(299), &[tokens(100), tokens(100)], &tokens(100)));
        assert!(!fits(&tokens(300), &[tokens(100)], &unknown) && !fits(&tokens(300), &[unknown], &tokens(100)));
        assert!(fits(&cost(1.0), &[cost(0.5)], &cost(0.5)) && !fits(&cost(0.9), &[cost(0.5)], &cost(0.5)));
        assert!(!fits(&cost(1.0), &[unknown], &cost(0.5)));
        assert!(fits(&unknown, &[unknown], &unknown), "without a budget nobody waits");
    }
}
