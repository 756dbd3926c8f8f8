//! Ordering runs of tasks from outside an agent, and what operators may do with what is on order.

use hostel_core::{
    AgentId, Error, Result,
    task::{DeadLetter, Order, Schedule, ScheduleId},
};
use hostel_protocol::refusal::Code;

use super::Node;
use crate::cell::{Answer, Ask, Job};

/// Everything here answers when it is durable.
impl Node {
    /// Keeps a run of a task of an agent, which is woken for it. Under a `key` that was used before nothing is kept again,
    /// even if that run is done meanwhile: the id of the first is returned, for as long as results of calls with
    /// idempotency keys are kept.
    ///
    /// ```no_run
    /// # async fn demo(node: hostel_runtime::Node, delivery: &str) -> hostel_core::Result<()> {
    /// use hostel_core::{AgentId, task::Order};
    ///
    /// let order = Order::new("notePush", &("main", 3))?;
    /// node.order(&AgentId::new("Repository", "hostel"), order, Some(delivery)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `task_unknown`, `queue_full`, `task_too_large`, `invalid_arguments`, `idempotency_conflict` if the key was used for
    /// another task, or why the agent cannot be reached.
    ///
    /// # Cancel safety
    /// The run may have been kept if the future is dropped; asking again under the same key is safe.
    pub async fn order(&self, id: &AgentId, order: Order, key: Option<&str>) -> Result<ScheduleId> {
        self.0.let_in(id).await?;
        match self.ask_tasks(id, || Ask::Order(Box::new(order.clone()), key.map(str::to_owned))).await? {
            Answer::Id(id) => Ok(id),
            _ => Err(mistaken()),
        }
    }

    /// What waits for its time, soonest first; then the queue, in its order. An agent that sleeps goes on sleeping.
    ///
    /// # Errors
    /// `agent_not_found`, or a storage code.
    pub async fn schedules(&self, id: &AgentId) -> Result<Vec<Schedule>> {
        match self.ask_tasks(id, || Ask::Schedules).await? {
            Answer::Schedules(schedules) => Ok(schedules),
            _ => Err(mistaken()),
        }
    }

    /// Takes a run back. One that is running goes on.
    ///
    /// # Errors
    /// `run_unknown`, or why the agent cannot be reached.
    pub async fn cancel_schedule(&self, id: &AgentId, run: &ScheduleId) -> Result<()> {
        self.done(id, run, || Ask::Cancel(run.clone())).await
    }

    /// The runs that were given up, newest first. An agent that sleeps goes on sleeping.
    ///
    /// # Errors
    /// `agent_not_found`, or a storage code.
    pub async fn dead_letters(&self, id: &AgentId) -> Result<Vec<DeadLetter>> {
        match self.ask_tasks(id, || Ask::Letters).await? {
            Answer::Letters(letters) => Ok(letters),
            _ => Err(mistaken()),
        }
    }

    /// Has a run that was given up run again, with other arguments (a JSON array) if there are any.
    ///
    /// # Errors
    /// `run_unknown`, `task_unknown`, `queue_full`, `task_too_large`, `invalid_arguments` if the arguments are no array, or
    /// why the agent cannot be reached.
    pub async fn retry_dead_letter(&self, id: &AgentId, run: &ScheduleId, args: Option<String>) -> Result<()> {
        self.done(id, run, || Ask::Retry(run.clone(), args.clone())).await
    }

    /// Forgets a run that was given up.
    ///
    /// # Errors
    /// `run_unknown`, or why the agent cannot be reached.
    pub async fn discard_dead_letter(&self, id: &AgentId, run: &ScheduleId) -> Result<()> {
        self.done(id, run, || Ask::Discard(run.clone())).await
    }

    async fn done(&self, id: &AgentId, run: &ScheduleId, ask: impl Fn() -> Ask) -> Result<()> {
        // Whoever names an agent that is not there creates none.
        self.schedules(id).await?;
        match self.ask_tasks(id, ask).await? {
            Answer::Done(true) => Ok(()),
            Answer::Done(false) => {
                let message = format!("{id} has no run {:?}.", run.as_str());
                Err(Error::coded(Code::RunUnknown, message).with_fix(
                    "list them: `hostel schedules` shows what waits, `hostel dead-letters` what was given up",
                ))
            }
            _ => Err(mistaken()),
        }
    }

    async fn ask_tasks(&self, id: &AgentId, ask: impl Fn() -> Ask) -> Result<Answer> {
        self.0.ask(id, |done| Job::Ask(ask(), done)).await
    }
}

fn mistaken() -> Error {
    Error::coded(Code::Internal, "something else was answered than was asked")
}
