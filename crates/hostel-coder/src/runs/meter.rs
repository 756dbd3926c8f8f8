//! What the conversation has taken: one row for each turn, and what the budgets say to that.

use std::time::Duration;

use futures_util::future::Either;
use hostel::{Cx, JsonSchema, Result};
use hostel_chat::{Metered, model::Models};
use serde::{Deserialize, Serialize};

use super::{Budget, Budgets};
use crate::{CoderAgent, child, tools::refused, work::rows, workspaces::Workspaces};

const TABLE: &str = "create table if not exists coder_usage (turn text primary key, run text, last integer not null,
    steps integer not null, input integer not null, output integer not null, cost real, context integer not null,
    \"window\" integer, model text not null, began integer not null) without rowid";
const ADD: &str = "insert into coder_usage (turn, run, last, steps, input, output, cost, context, \"window\", model, began)
    values (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
    on conflict (turn) do update set steps = steps + 1, input = input + excluded.input, output = output + excluded.output,
    cost = case when excluded.cost is null then cost else coalesce(cost, 0) + excluded.cost end,
    last = excluded.last, context = excluded.context, \"window\" = excluded.\"window\", model = excluded.model
    where excluded.last > last";
/// An answer that goes on after a yes has no row of its own before its first step.
const DELEGATED: &str =
    "insert into coder_usage (turn, run, last, steps, input, output, cost, context, \"window\", model, began)
    select ?1, ?5, 0, ?2, ?3, 0, ?4, context, \"window\", model, ?6 from coder_usage where true
    order by began desc, turn desc limit 1
    on conflict (turn) do update set steps = steps + ?2, input = input + ?3,
    cost = case when ?4 is null then cost else coalesce(cost, 0) + ?4 end";
const SUM: &str =
    "select count(*) n, sum(steps) steps, sum(input) input, sum(output) output, sum(cost) cost from coder_usage";

/// What `usage` answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageView {
    /// How full the model's window was at last.
    pub context: ContextUse,
    /// What the conversation has cost, as far as prices are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// The tokens of all requests and answers.
    pub tokens: TokenUse,
    /// How often a model was asked.
    pub steps: u64,
    /// The model that was asked last, as its provider calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// How full the model's window was at last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContextUse {
    /// Tokens of the last request and its answer.
    pub tokens: u64,
    /// What the model takes, where known.
    pub window: Option<u64>,
}

/// Tokens.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TokenUse {
    /// Of requests.
    pub input: u64,
    /// Of answers.
    pub output: u64,
}

/// What the engine tells of each step; the reason why there may be no more.
pub(crate) fn metered(cx: &Cx<CoderAgent>, step: &Metered) -> Result<Option<String>> {
    match &step.usage {
        Some(_) => {
            count(cx, step)?;
            child::steps::over(cx)?;
            child::order_news(cx).map(|()| None)
        }
        None => refusal(cx, &step.turn),
    }
}

fn count(cx: &Cx<CoderAgent>, step: &Metered) -> Result<()> {
    let usage = step.usage.unwrap_or_default();
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let input = usage.input_tokens.unwrap_or(step.estimated);
    let output = usage.output_tokens.unwrap_or(0);
    let run = super::get(cx)?.filter(super::Run::is_going).map(|run| run.id);
    cx.sql(TABLE, ())?;
    let values: Vec<hostel::SqlValue> = vec![
        step.turn.as_str().into(),
        run.into(),
        whole(step.step as u64).into(),
        whole(input).into(),
        whole(output).into(),
        usage.cost.into(),
        whole(input.saturating_add(output)).into(),
        step.window.map(whole).into(),
        step.model.as_str().into(),
        cx.now().as_millisecond().into(),
    ];
    cx.sql(ADD, values).map(drop)
}

/// Breaks an answer off once its turn, or the run, may take no more time.
pub(crate) async fn in_time(cx: &Cx<CoderAgent>, answer: impl Future<Output = Result<()>>) -> Result<()> {
    let Some((left, whose)) = time_left(cx)? else { return answer.await };
    let (answer, clock) = (std::pin::pin!(answer), std::pin::pin!(cx.sleep(left)));
    match futures_util::future::select(answer, clock).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(_) => {
            Err(refused(format!("It was stopped: the time of the {whose} is used up."), "ask for less at once"))
        }
    }
}

fn time_left(cx: &Cx<CoderAgent>) -> Result<Option<(Duration, &'static str)>> {
    let errand = Budget { seconds: child::errand(cx).and_then(|errand| errand.budget.seconds), ..Budget::default() };
    let turn = caps(cx).turn.within(&errand).seconds.map(|seconds| (Duration::from_secs(seconds), "turn"));
    let Some(run) = super::get(cx)?.filter(super::Run::is_going) else { return Ok(turn) };
    let used = run.used(cx)?.seconds.unwrap_or(0);
    let run = run.budget.seconds.map(|most| (Duration::from_secs(most.saturating_sub(used)), "run"));
    Ok(turn.into_iter().chain(run).min_by_key(|(left, _)| *left))
}

/// What the operator allows.
pub(crate) fn caps(cx: &Cx<CoderAgent>) -> Budgets {
    cx.env::<Workspaces>().map(|workspaces| workspaces.most()).unwrap_or_default()
}

/// Why the turn may not go on, if so.
pub(crate) fn refusal(cx: &Cx<CoderAgent>, turn: &str) -> Result<Option<String>> {
    // An errand may go over several turns, since somebody may have to say yes in between.
    if let Some(errand) = child::errand(cx)
        && let Some(what) = errand.budget.used_up(&in_all(cx)?)
    {
        return Ok(Some(format!("I stopped here: the errand may take no more than this ({what}).")));
    }
    let most = caps(cx).turn;
    if !most.is_unlimited() {
        let used = sum(cx, "where turn = ?", turn)?;
        if let Some(what) = most.used_up(&used) {
            return Ok(Some(format!("I stopped here: a turn may take no more than this ({what}).")));
        }
    }
    let Some(run) = super::get(cx)?.filter(super::Run::is_going) else { return Ok(None) };
    let used_up = run.budget.used_up(&run.used(cx)?);
    Ok(used_up.map(|what| format!("I stopped here: the budget of the run is used up ({what}).")))
}

/// What is left for the turn: of what a turn may take, and of the run's budget.
pub(crate) fn left(cx: &Cx<CoderAgent>, turn: &str) -> Result<Budget> {
    let left = caps(cx).turn.less(&of_turn(cx, turn)?);
    let run = super::get(cx)?.filter(super::Run::is_going);
    Ok(match run {
        Some(run) => left.within(&run.budget.less(&run.used(cx)?)),
        None => left,
    })
}

/// What was delegated counts for the turn that it was for. Which of its tokens were asked and which answered nobody told.
pub(crate) fn add(cx: &Cx<CoderAgent>, turn: &str, used: &Budget) -> Result<()> {
    let run = super::get(cx)?.filter(super::Run::is_going).map(|run| run.id);
    let whole = |number: Option<u64>| i64::try_from(number.unwrap_or(0)).unwrap_or(i64::MAX);
    let values: Vec<hostel::SqlValue> = vec![
        turn.into(),
        whole(used.steps).into(),
        whole(used.tokens).into(),
        used.cost.into(),
        run.into(),
        cx.now().as_millisecond().into(),
    ];
    cx.sql(TABLE, ())?;
    cx.sql(DELEGATED, values).map(drop)
}

/// What the conversation has taken.
pub(crate) fn in_all(cx: &Cx<CoderAgent>) -> Result<Budget> {
    sum(cx, "where ? = ''", "")
}

/// What the turn with this id has taken.
pub(crate) fn of_turn(cx: &Cx<CoderAgent>, turn: &str) -> Result<Budget> {
    sum(cx, "where turn = ?", turn)
}

/// What the run with this id has taken.
pub(crate) fn of_run(cx: &Cx<CoderAgent>, run: &str) -> Result<Budget> {
    sum(cx, "where run = ?", run)
}

fn sum(cx: &Cx<CoderAgent>, which: &str, value: &str) -> Result<Budget> {
    let found = rows(cx, "coder_usage", &format!("{SUM} {which}"), (value,))?;
    let Some(row) = found.iter().next() else {
        return Ok(Budget { steps: Some(0), tokens: Some(0), ..Budget::default() });
    };
    let number = |name| Ok::<_, hostel::Error>(unsigned(row.get::<Option<i64>>(name)?));
    Ok(Budget {
        steps: Some(number("steps")?),
        tokens: Some(number("input")? + number("output")?),
        cost: row.get("cost")?,
        seconds: None,
    })
}

fn unsigned(number: Option<i64>) -> u64 {
    number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
}

/// What the conversation has taken so far.
pub(crate) fn usage(cx: &Cx<CoderAgent>) -> Result<UsageView> {
    let mut view = UsageView::default();
    let sums = rows(cx, "coder_usage", SUM, ())?;
    if let Some(row) = sums.iter().next() {
        let number = |name| Ok::<_, hostel::Error>(unsigned(row.get::<Option<i64>>(name)?));
        view.tokens = TokenUse { input: number("input")?, output: number("output")? };
        (view.steps, view.cost) = (number("steps")?, row.get("cost")?);
    }
    let last = "select context, \"window\", model from coder_usage order by began desc, turn desc limit 1";
    let last = rows(cx, "coder_usage", last, ())?;
    if let Some(row) = last.iter().next() {
        let window = row.get::<Option<i64>>("window")?.map(|window| unsigned(Some(window)));
        view.context = ContextUse { tokens: unsigned(row.get("context")?), window };
        view.model = row.get("model")?;
    } else if let Ok(models) = cx.env::<Models>() {
        view.context.window = models.get(hostel_chat::model::MAIN).describe().context_tokens;
    }
    Ok(view)
}
