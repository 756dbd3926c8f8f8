//! What the agent is at: its plan, its tasks, its run. Kept in tables of its own; clients see a copy in the state.

pub(crate) mod notes;
pub(crate) mod plan;
pub(crate) mod tasks;
pub(crate) mod when;

use hostel::{Cx, IntoParams, JsonSchema, Result, Row, Rows};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use self::{
    notes::Note,
    plan::{Plan, PlanStep, StepStatus},
    tasks::{TaskState, WorkTask},
    when::ScheduleTask,
};
use crate::{CoderAgent, runs::RunView};

/// What clients see of the agent's work, in the field `work` of the state. What is empty is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Work {
    /// The plan, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// The last autonomous run, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunView>,
    /// The tasks that are not over, and those that were over last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<WorkTask>,
}

/// How many tasks are shown.
const SHOWN: usize = 50;

impl Work {
    /// Read from the tables. Part of the turn that changed them.
    pub(crate) fn of(cx: &Cx<CoderAgent>) -> Result<Option<Self>> {
        let mut tasks = tasks::list(cx, false)?;
        tasks.truncate(SHOWN);
        let work = Self { plan: plan::get(cx)?, run: crate::runs::view(cx)?, tasks };
        Ok(Some(work).filter(|work| *work != Self::default()))
    }
}

/// Whether a table is there: each is made when it is first needed.
pub(crate) fn has(cx: &Cx<CoderAgent>, table: &str) -> Result<bool> {
    let found = cx.sql("select 1 from sqlite_master where type = 'table' and name = ?", (table,))?;
    Ok(!found.is_empty())
}

/// The rows of a query, none if its table is not there.
pub(crate) fn rows(cx: &Cx<CoderAgent>, table: &str, query: &str, params: impl IntoParams) -> Result<Rows> {
    if has(cx, table)? { cx.sql(query, params) } else { Ok(Rows::default()) }
}

/// A JSON text of a row.
pub(crate) fn json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<T> {
    Ok(serde_json::from_str(&row.get::<String>(column)?)?)
}

/// At most so many characters, with a sign that there was more.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
