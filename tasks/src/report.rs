//! What came out, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The hidden tests pass.
    Solved,
    /// They do not.
    Failed,
    /// The attempt says nothing about the agent.
    Infrastructure,
}

/// What became of one task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The task.
    pub task: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, if it is not solved.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How often the model was asked.
    pub steps: u64,
    /// Tokens of requests and answers.
    pub tokens: u64,
    /// Money, where prices are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
}

/// What became of all.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// The model, as its provider calls it.
    pub model: String,
    /// How many are solved.
    pub solved: usize,
    /// How many are not.
    pub failed: usize,
    /// How many attempts say nothing.
    pub infrastructure: usize,
    /// One by one.
    pub tasks: Vec<Verdict>,
}

impl Report {
    /// Counts them.
    pub fn new(model: impl Into<String>, tasks: Vec<Verdict>) -> Self {
        let count = |outcome| tasks.iter().filter(|verdict| verdict.outcome == outcome).count();
        let (solved, failed) = (count(Outcome::Solved), count(Outcome::Failed));
        Self { model: model.into(), solved, failed, infrastructure: count(Outcome::Infrastructure), tasks }
    }

    /// A table, and a line with the sums. What is solved is counted of those that say something.
    pub fn table(&self) -> String {
        let width = self.tasks.iter().map(|verdict| verdict.task.len()).max().unwrap_or(4).max(4);
        let mut text =
            format!("{:width$}  {:14}  {:>7}  {:>5}  {:>8}  why\n", "task", "outcome", "seconds", "steps", "tokens");
        for verdict in &self.tasks {
            let outcome = match verdict.outcome {
                Outcome::Solved => "solved",
                Outcome::Failed => "failed",
                Outcome::Infrastructure => "infrastructure",
            };
            let why = verdict.reason.lines().next_back().unwrap_or_default();
            let Verdict { task, seconds, steps, tokens, .. } = verdict;
            let _ = writeln!(text, "{task:width$}  {outcome:14}  {seconds:7.1}  {steps:5}  {tokens:8}  {why}");
        }
        let said = self.solved + self.failed;
        let _ = writeln!(
            text,
            "\n{} of {said} solved, {} failed; {} infrastructure errors (not counted); model {}",
            self.solved, self.failed, self.infrastructure, self.model
        );
        text
    }
}
