//! What of the agent is in its state: the project context, and what it is at.

use hostel::{Cx, Result};

use super::CoderAgent;
use crate::{
    context::{ContextChange, ProjectContext},
    runs,
    work::Work,
};

impl CoderAgent {
    pub(crate) fn context(&self) -> ProjectContext {
        let Self { repo_owner, repo_name, branch, path, .. } = self.clone();
        ProjectContext { repo_owner, repo_name, branch, path }
    }

    pub(crate) fn set_context(&mut self, context: ProjectContext) {
        let ProjectContext { repo_owner, repo_name, branch, path } = context;
        (self.repo_owner, self.repo_name, self.branch, self.path) = (repo_owner, repo_name, branch, path);
    }

    pub(crate) fn change_context(&mut self, change: ContextChange) -> ProjectContext {
        let mut context = self.context();
        context.apply(change);
        let ProjectContext { repo_owner, repo_name, branch, path } = context.clone();
        (self.repo_owner, self.repo_name, self.branch, self.path) = (repo_owner, repo_name, branch, path);
        context
    }

    /// Whether an autonomous run is on.
    pub(crate) fn is_on_a_run(&self) -> bool {
        let run = self.work.as_ref().and_then(|work| work.run.as_ref());
        run.is_some_and(|run| matches!(run.state, runs::RunState::Running | runs::RunState::Paused))
    }

    /// Does something to the tables of the work, and shows clients what came of it.
    pub(crate) fn with_work<R>(&mut self, cx: &Cx<Self>, work: impl FnOnce(&Cx<Self>) -> Result<R>) -> Result<R> {
        let result = work(cx)?;
        self.work = Work::of(cx)?;
        Ok(result)
    }
}
