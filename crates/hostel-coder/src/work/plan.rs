//! The plan: steps, and how far each is.

use hostel::{Cx, JsonSchema, Result};
use serde::{Deserialize, Serialize};

use super::{cut, json, rows};
use crate::{CoderAgent, tools::refused};

/// How many steps a plan has at most, and how long each may be.
const STEPS: usize = 60;
const LONGEST: usize = 400;

/// A plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Why it is as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    /// Its steps, in their order.
    pub steps: Vec<PlanStep>,
}

/// A step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanStep {
    /// What is to be done, in a few words.
    #[serde(alias = "text")]
    pub step: String,
    /// How far it is.
    #[serde(default, alias = "state")]
    pub status: StepStatus,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Not begun.
    #[default]
    Pending,
    /// Under way.
    #[serde(alias = "in-progress")]
    InProgress,
    /// Done.
    #[serde(alias = "done")]
    Completed,
}

impl Plan {
    /// What is wrong with it.
    fn check(&self) -> Result<()> {
        let under_way = self.steps.iter().filter(|step| step.status == StepStatus::InProgress).count();
        if under_way > 1 {
            return Err(refused("Only one step can be in_progress at a time.", "leave the others pending"));
        }
        if self.steps.len() > STEPS {
            return Err(refused(format!("A plan has at most {STEPS} steps."), "make it coarser"));
        }
        if self.steps.iter().any(|step| step.step.trim().is_empty()) {
            return Err(refused("A step needs words.", "say what is to be done"));
        }
        Ok(())
    }

    fn shortened(mut self) -> Self {
        self.explanation = self.explanation.map(|text| cut(&text, LONGEST)).filter(|text| !text.trim().is_empty());
        for step in &mut self.steps {
            step.step = cut(&step.step, LONGEST);
        }
        self
    }

    /// As a list for a model.
    pub(crate) fn in_words(&self) -> String {
        let line = |step: &PlanStep| {
            let mark = match step.status {
                StepStatus::Pending => " ",
                StepStatus::InProgress => ">",
                StepStatus::Completed => "x",
            };
            format!("[{mark}] {}\n", step.step)
        };
        self.steps.iter().map(line).collect()
    }
}

/// The plan, if there is one.
pub(crate) fn get(cx: &Cx<CoderAgent>) -> Result<Option<Plan>> {
    let found = rows(cx, "coder_plan", "select body from coder_plan", ())?;
    found.iter().next().map(|row| json(&row, "body")).transpose()
}

/// Another plan in place of the one there is; without steps there is none any more.
pub(crate) fn set(cx: &Cx<CoderAgent>, plan: Plan) -> Result<()> {
    plan.check()?;
    cx.sql("create table if not exists coder_plan (one integer primary key check (one = 1), body text not null)", ())?;
    if plan.steps.is_empty() {
        return cx.sql("delete from coder_plan", ()).map(drop);
    }
    let body = serde_json::to_string(&plan.shortened())?;
    cx.sql("insert or replace into coder_plan (one, body) values (1, ?)", (body,)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_in_the_words_that_models_use_and_checked() {
        let read = |text: &str| serde_json::from_str::<Plan>(text).unwrap();
        let plan = read(
            r#"{"steps":[{"step":"look","status":"completed"},{"text":"do","state":"in-progress"},{"step":"test"}]}"#,
        );
        assert!(plan.check().is_ok());
        assert_eq!(plan.in_words(), "[x] look\n[>] do\n[ ] test\n");
        let two = read(r#"{"steps":[{"step":"a","status":"in_progress"},{"step":"b","status":"in_progress"}]}"#);
        assert!(two.check().unwrap_err().message().contains("one step"));
        assert!(read(r#"{"steps":[{"step":" "}]}"#).check().is_err());
    }
}
