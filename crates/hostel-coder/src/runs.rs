//! Autonomous runs: a goal that the agent works at by itself, turn after turn, within a budget that the runtime enforces.

pub(crate) mod drive;
pub(crate) mod meter;

mod budget;

use hostel::{Cx, JsonSchema, Result};
use serde::{Deserialize, Serialize};

pub use self::{
    budget::{Budget, Budgets},
    meter::{ContextUse, TokenUse, UsageView},
};
use crate::{
    CoderAgent,
    work::{json, rows},
};

/// How `startContinuousRun` is called.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct StartRun {
    /// What is to be reached.
    pub goal: String,
    /// What it may take. The operator's limits hold in any case.
    pub budget: Budget,
    /// How many seconds lie between two turns; none without.
    pub every: Option<u64>,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// There was none yet.
    #[default]
    Idle,
    /// It works, or waits for its next turn.
    Running,
    /// Somebody put it off, or has to answer something.
    Paused,
    /// It is over; the reason says why.
    Over,
}

/// A run, as clients see it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RunView {
    /// How it stands.
    pub state: RunState,
    /// What is to be reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal: Option<String>,
    /// What comes next, in the agent's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// When the next turn begins, if it waits for that: in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<i64>,
    /// Why it is paused or over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many turns it had.
    pub turns: u64,
    /// What it has taken.
    pub used: Budget,
    /// What it may take.
    pub budget: Budget,
}

/// Why a run is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Pause {
    /// Somebody said so.
    Person,
    /// An approval, or a tool of a page, waits.
    Waiting,
}

/// A run, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) goal: String,
    pub(crate) budget: Budget,
    pub(crate) every: u64,
    /// Why it ended; it goes on while there is nothing.
    pub(crate) over: Option<String>,
    pub(crate) pause: Option<(Pause, String)>,
    pub(crate) next: Option<String>,
    pub(crate) next_at: Option<i64>,
    pub(crate) turns: u64,
    /// Turns in a row that did nothing, and that failed.
    pub(crate) idle: u64,
    pub(crate) failed: u64,
    /// Milliseconds it was going, up to `since`; since when it is, while it is.
    pub(crate) took: i64,
    pub(crate) since: Option<i64>,
}

impl Run {
    pub(crate) fn is_going(&self) -> bool {
        self.over.is_none() && self.pause.is_none()
    }

    /// Seconds it has been going.
    fn seconds(&self, now: i64) -> u64 {
        let going = self.since.map_or(0, |since| (now - since).max(0));
        u64::try_from((self.took + going) / 1000).unwrap_or(0)
    }

    pub(crate) fn used(&self, cx: &Cx<CoderAgent>) -> Result<Budget> {
        let mut used = meter::of_run(cx, &self.id)?;
        used.seconds = Some(self.seconds(cx.now().as_millisecond()));
        Ok(used)
    }

    /// The clock stands while it does not go.
    pub(crate) fn stop_clock(&mut self, now: i64) {
        if let Some(since) = self.since.take() {
            self.took += (now - since).max(0);
        }
    }

    pub(crate) fn keep(&self, cx: &Cx<CoderAgent>) -> Result<()> {
        let body = serde_json::to_string(self)?;
        cx.sql(
            "create table if not exists coder_run (one integer primary key check (one = 1), body text not null)",
            (),
        )?;
        cx.sql("insert or replace into coder_run (one, body) values (1, ?)", (body,)).map(drop)
    }
}

/// The last run, if there was one.
pub(crate) fn get(cx: &Cx<CoderAgent>) -> Result<Option<Run>> {
    let found = rows(cx, "coder_run", "select body from coder_run", ())?;
    found.iter().next().map(|row| json(&row, "body")).transpose()
}

/// What clients see of it.
pub(crate) fn view(cx: &Cx<CoderAgent>) -> Result<Option<RunView>> {
    let Some(run) = get(cx)? else { return Ok(None) };
    let state = match (&run.over, &run.pause) {
        (Some(_), _) => RunState::Over,
        (None, Some(_)) => RunState::Paused,
        (None, None) => RunState::Running,
    };
    let reason = run.over.clone().or(run.pause.as_ref().map(|(_, why)| why.clone()));
    Ok(Some(RunView {
        state,
        used: run.used(cx)?,
        goal: Some(run.goal),
        next: run.next,
        next_at: run.next_at,
        reason,
        turns: run.turns,
        budget: run.budget,
    }))
}
