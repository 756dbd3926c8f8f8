//! The durable runs of an agent, from outside it.

use hostel_core::{
    AgentId, Error, Result,
    run::{RunAnswer, RunAsk, RunQuery},
};
use hostel_protocol::refusal::Code;

use super::Node;
use crate::cell::{Answer, Ask, Job};

impl Node {
    /// Asks about an agent's durable runs, or has something done with them. Looking at those of an agent that sleeps runs
    /// none of its code. What is answered is durable.
    ///
    /// ```no_run
    /// # async fn demo(node: hostel_runtime::Node, run: hostel_core::RunId) -> hostel_core::Result<()> {
    /// use hostel_core::{AgentId, Answer, run::RunAsk};
    ///
    /// let shop = AgentId::new("Shop", "main");
    /// node.runs(&shop, RunAsk::Answer(run, "refund".into(), Answer::approve().by("ann"))).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `agent_not_found`, `run_unknown`, what [`hostel_core::Runs`] says, or why the agent cannot be reached.
    ///
    /// # Cancel safety
    /// It may have been done if the future is dropped.
    pub async fn runs(&self, id: &AgentId, ask: RunAsk) -> Result<RunAnswer> {
        if !ask.only_looks() && !matches!(ask, RunAsk::Start(_)) {
            // Whoever names an agent that is not there creates none.
            let one = RunQuery { limit: Some(1), ..RunQuery::default() };
            self.ask_runs(id, RunAsk::List(one)).await?;
        }
        self.ask_runs(id, ask).await
    }

    async fn ask_runs(&self, id: &AgentId, ask: RunAsk) -> Result<RunAnswer> {
        match self.0.ask(id, |done| Job::Ask(Ask::Runs(Box::new(ask.clone())), done)).await? {
            Answer::Runs(answer) => Ok(*answer),
            _ => Err(Error::coded(Code::Internal, "something else was answered than was asked")),
        }
    }
}
