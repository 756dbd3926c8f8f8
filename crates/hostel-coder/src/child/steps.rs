//! The steps of an errand: each begins when the agent above says so, which shares its budget among all who are at work for it.

use std::time::Duration;

use futures_util::future::select;
use hostel::{Cx, JsonSchema, Result};
use hostel_chat::Metered;
use serde::{Deserialize, Serialize};

use crate::{Budget, CoderAgent, errands::ErrandNews, runs::meter, work::rows, workspaces::Workspaces};

const NAME: &str = "coder_child_step";
const TABLE: &str = "create table if not exists coder_child_step
    (one integer primary key check (one = 1), mark integer not null, is_open integer not null)";
const PUT: &str = "insert or replace into coder_child_step (one, mark, is_open) values (1, ?, 1)";
const OVER: &str = "update coder_child_step set is_open = 0";

/// Whoever waits for its turn asks again after this long, should nobody tell.
const PATIENCE: Duration = Duration::from_secs(30);

/// An agent below would begin a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrandStep {
    /// Which step it is.
    pub(crate) mark: i64,
    /// What it takes at most, as far as that is known beforehand.
    pub(crate) most: Budget,
    /// What was taken before it.
    pub(crate) used: Budget,
}

/// What the agent above says to that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepAnswer {
    /// It begins.
    Begin,
    /// Others are at a step that may take all there is.
    Wait,
    /// It may not begin any more, for this reason.
    Refused(String),
}

/// Waits until the next step may begin, if this is an errand; why it may not, if so.
pub(crate) async fn permitted(cx: Cx<CoderAgent>, step: Metered) -> Result<Option<String>> {
    // Under an agent of another kind nobody shares a budget with it.
    let (Ok(above), Ok(workspaces)) = (cx.parent::<CoderAgent>(), cx.env::<Workspaces>()) else { return Ok(None) };
    let asked = begin(&cx, &step)?;
    let mut freed = workspaces.freed_steps();
    loop {
        freed.mark_unchanged();
        match above.errand_step(&asked).await? {
            StepAnswer::Begin => return Ok(None),
            StepAnswer::Refused(why) => return Ok(Some(why)),
            StepAnswer::Wait => drop(select(Box::pin(freed.changed()), Box::pin(cx.sleep(PATIENCE))).await),
        }
    }
}

fn begin(cx: &Cx<CoderAgent>, step: &Metered) -> Result<ErrandStep> {
    cx.try_update(|_| {
        let mark = i64::from_le_bytes(cx.random());
        cx.sql(TABLE, ())?;
        cx.sql(PUT, (mark,))?;
        Ok(ErrandStep { mark, most: most(step), used: meter::in_all(cx)? })
    })
}

/// The step under way, if there is one, is over, whatever came of it.
pub(crate) fn over(cx: &Cx<CoderAgent>) -> Result<()> {
    if rows(cx, NAME, "select 1 from coder_child_step", ())?.is_empty() { Ok(()) } else { cx.sql(OVER, ()).map(drop) }
}

/// What the agent above is to know: what was taken, and which step that is the end of, if none is under way.
pub(crate) fn news(cx: &Cx<CoderAgent>) -> Result<ErrandNews> {
    cx.try_update(|_| {
        let found = rows(cx, NAME, "select mark from coder_child_step where not is_open", ())?;
        let ended = found.iter().next().map(|row| row.get("mark")).transpose()?;
        Ok(ErrandNews { used: meter::in_all(cx)?, ended })
    })
}

/// What a step takes at most. An estimate may be wrong by half; what a model cannot take or say, it does not.
fn most(step: &Metered) -> Budget {
    let input = Some(step.estimated.saturating_mul(2)).filter(|_| step.estimated > 0);
    let input = input.into_iter().chain(step.window).min();
    let output = step.most_output.into_iter().chain(step.window).min();
    let both = input.zip(output);
    let tokens = both.map(|(input, output)| step.window.map_or(input + output, |window| window.min(input + output)));
    let cost = both.zip(step.price).map(|((input, output), price)| {
        let dearest = [price.cached_input, price.cache_write].into_iter().flatten().fold(price.input, f64::max);
        #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 tokens")]
        let millions = |tokens: u64| tokens as f64 / 1e6;
        millions(input) * dearest + millions(output) * price.output
    });
    Budget { tokens, cost, ..Budget::default() }
}
