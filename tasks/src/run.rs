//! The set of small tasks.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::{
    bench::{Bench, copy, write},
    hall::{Hall, commit},
    model::Choice,
    report::{Report, Verdict},
    task::Task,
    trial::{Found, Notes, judged},
};

/// How tasks are attempted.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who answers.
    pub model: Choice,
    /// The program that helps the sandbox; this very one without.
    pub helper: Option<PathBuf>,
    /// Where attempts are made. Not below /tmp, which is another in the sandbox.
    pub work: PathBuf,
    /// How long the agent may take for one task.
    pub time: Duration,
    /// How long tests may take.
    pub test_time: Duration,
}

impl Options {
    /// With this model, ten minutes for a task and two for its tests.
    pub fn new(model: Choice) -> Self {
        Self {
            model,
            helper: None,
            work: PathBuf::from("/var/tmp"),
            time: Duration::from_secs(600),
            test_time: Duration::from_secs(120),
        }
    }
}

/// Attempts tasks one after the other, and tells each verdict as it comes.
pub async fn run(tasks: &[Task], options: &Options, mut tell: impl FnMut(&Verdict)) -> Report {
    let mut verdicts = Vec::new();
    for task in tasks {
        let attempt = |mut notes: Notes| async move {
            let found = Attempt { task, options }.made(&mut notes).await;
            (found, notes)
        };
        let verdict = judged(&task.name, attempt).await;
        tell(&verdict);
        verdicts.push(verdict);
    }
    Report::new(options.model.name(), verdicts)
}

/// One attempt at one task.
struct Attempt<'a> {
    task: &'a Task,
    options: &'a Options,
}

impl Attempt<'_> {
    async fn made(&self, notes: &mut Notes) -> Result<Found> {
        let place = TempDir::with_prefix_in("hostel-task-", &self.options.work).context("there is no place to work")?;
        let bench = Bench::new(self.options.helper.as_deref(), self.options.test_time);
        bench.has(place.path(), &self.task.needs).await?;
        self.fails_before(&bench, place.path()).await?;
        let workspace = Hall::workspace(place.path());
        write(&workspace, &self.task.repo)?;
        commit(&workspace).await?;
        notes.ask(place.path(), &self.task.prompt, &self.task.solution, self.options).await?;
        let after = copy(&workspace, &place.path().join("after"))?;
        let ran = self.tested(&bench, &after).await?;
        Ok(if ran.is_fine { Found::Solved } else { notes.failed(&ran.said) })
    }

    /// Tests that pass before anything was done decide nothing.
    async fn fails_before(&self, bench: &Bench, place: &Path) -> Result<()> {
        let before = place.join("before");
        write(&before, &self.task.repo)?;
        let ran = self.tested(bench, &before).await?;
        ensure!(!ran.is_fine, "the task is at fault: its tests pass before anything is done");
        Ok(())
    }

    async fn tested(&self, bench: &Bench, dir: &Path) -> Result<crate::bench::Ran> {
        write(dir, &self.task.hidden)?;
        bench.run(dir, &self.task.test).await
    }
}
