//! What an agent has on order, out of its database alone: for somebody who runs none of its code.

use hostel_core::{
    Result, RunId, RunInfo, RunPage, RunQuery,
    run::{RunAnswer, RunAsk},
    task::{DeadLetter, Schedule},
};
use hostel_store::AgentDb;

use super::{runs, tasks};

/// What waits for its time, soonest first; then the queue, in its order.
///
/// # Errors
/// A storage code, or a sentence about what cannot be read.
pub fn schedules(db: &AgentDb) -> Result<Vec<Schedule>> {
    tasks::stored(db)
}

/// The runs that were given up, newest first.
///
/// # Errors
/// As [`schedules`].
pub fn dead_letters(db: &AgentDb) -> Result<Vec<DeadLetter>> {
    tasks::stored_letters(db)
}

/// A page of durable runs, newest first.
///
/// # Errors
/// As [`schedules`].
pub fn runs(db: &AgentDb, query: RunQuery) -> Result<RunPage> {
    match runs::stored(db, &RunAsk::List(query))? {
        RunAnswer::Page(page) => Ok(page),
        _ => Ok(RunPage { runs: Vec::new(), next: None }),
    }
}

/// A durable run with its steps.
///
/// # Errors
/// As [`schedules`].
pub fn run(db: &AgentDb, id: RunId) -> Result<Option<RunInfo>> {
    match runs::stored(db, &RunAsk::Get(id))? {
        RunAnswer::Run(run) => Ok(run.map(|run| *run)),
        _ => Ok(None),
    }
}
