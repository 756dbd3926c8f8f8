//! One attempt, whatever kind of task it is: what goes wrong around the agent is told apart from what it does.

use std::{path::Path, time::Instant};

use anyhow::Result;

use crate::{
    hall::Hall,
    report::{Outcome, Verdict},
    run::Options,
    talk::{Ended, Took, talk},
};

/// What came out of an attempt that says something.
pub(crate) enum Found {
    Solved,
    Failed(String),
}

/// The verdict over an attempt: its errors are none of the agent's.
pub(crate) async fn judged<F>(task: &str, attempt: impl FnOnce(Notes) -> F) -> Verdict
where
    F: Future<Output = (Result<Found>, Notes)>,
{
    let begun = Instant::now();
    let (found, notes) = attempt(Notes::default()).await;
    let (outcome, reason) = match found {
        Ok(Found::Solved) => (Outcome::Solved, String::new()),
        Ok(Found::Failed(why)) => (Outcome::Failed, why),
        Err(error) => (Outcome::Infrastructure, format!("{error:#}")),
    };
    let Took { steps, tokens, cost } = notes.took;
    Verdict { task: task.to_owned(), outcome, reason, seconds: begun.elapsed().as_secs_f64(), steps, tokens, cost }
}

/// What is noted on the way.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) took: Took,
    pub(crate) is_late: bool,
}

impl Notes {
    /// Has the agent of a hall in `dir` do what the prompt says.
    pub(crate) async fn ask(&mut self, dir: &Path, prompt: &str, solution: &str, options: &Options) -> Result<()> {
        let hall = Hall::open(dir, options.model.models(solution), options.helper.as_deref()).await?;
        let (ended, took) = talk(hall.address, prompt, options.time).await?;
        (self.took, self.is_late) = (took, matches!(ended, Ended::Late));
        Ok(())
    }

    /// Why it failed, in the words of the tests.
    pub(crate) fn failed(&self, said: &str) -> Found {
        let late = if self.is_late { "it was not done when the time was up; " } else { "" };
        Found::Failed(format!("{late}the tests say: {said}"))
    }
}
