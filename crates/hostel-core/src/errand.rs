//! Errands: work of the host's own that an agent orders like one of its tasks, such as sending a mail.

use std::{fmt, time::Duration};

use crate::{BoxFuture, error::Error, id::AgentId};

/// Work that every agent can order by name, whatever its class, with the queue, attempts and dead letters of a task. It runs
/// beside the turns, at least once.
pub trait Errand: fmt::Debug + Send + Sync + 'static {
    /// Its name among the tasks. It has a colon, which no task's name has.
    fn name(&self) -> &'static str;
    /// How long one attempt may take.
    fn timeout(&self) -> Duration;
    /// Does it for `agent`; `args` is a JSON array.
    fn run(&self, agent: AgentId, args: String) -> BoxFuture<Result<(), Failure>>;
}

/// Why an errand was not done.
#[derive(Debug)]
pub enum Failure {
    /// It may succeed another time.
    Again(Error),
    /// It will not: it is given up at once.
    Final(Error),
}
