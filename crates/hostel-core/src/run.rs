//! Durable runs: async tasks that survive crashes half-way through, and what they are made of.
//!
//! The code of a run may be run again from its beginning at any time. What is inside a [step](Cx::step) is done once: its
//! result is kept, and handed out again. So a run can be dropped from memory while it waits, for days, and go on from there.

mod approval;
mod branch;
mod host;
mod info;
mod runs;
mod step;
mod track;
mod wait;

use serde::{Serialize, de::DeserializeOwned};

use hostel_protocol::refusal::Code;

use crate::{
    Agent, Cx,
    error::{Error, Result},
};

pub use approval::{Answer, Answered, Decision};
pub use branch::Branch;
pub use host::{Begin, Begun, RunHost, Wait, Waited};
pub use info::{RunId, RunInfo, RunPage, RunStatus, StepInfo, StepState, UncertainStep, Verdict};
pub(crate) use runs::mixed_up;
pub use runs::{RunAnswer, RunAsk, RunQuery, Runs, Started};
pub use step::Step;
pub use track::{Place, Track};

impl<A> Cx<A> {
    /// The run whose code this is; `None` outside an async task, and in one that repeats.
    ///
    /// It is the same however often the code is run: a good beginning for a key that makes a payment unique.
    pub fn run_id(&self) -> Option<RunId> {
        self.host().run().ok().map(|run| run.id().clone())
    }

    /// The runs of this agent: look at them, send them something, end them.
    pub fn runs(&self) -> Runs {
        Runs::new(std::sync::Arc::clone(self.host()))
    }

    /// Puts a value aside for the run, in place of the one before. It is there again when the code is run again.
    ///
    /// # Errors
    /// `not_a_run` outside a run, `step_too_large`, or a storage code.
    pub fn stash(&self, value: &impl Serialize) -> Result<()> {
        self.host().run()?.stash(&serde_json::to_string(value)?)
    }

    /// What was put aside last.
    ///
    /// # Errors
    /// `not_a_run` outside a run, when it does not have the shape of `T`, or a storage code.
    pub fn stashed<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let stashed = self.host().run()?.stashed()?;
        Ok(stashed.map(|json| serde_json::from_str(&json)).transpose()?)
    }

    /// Says how far the run is: it is kept with the run, and every client is sent, once,
    /// `{"type": "progress", "workflowName": .., "workflowId": .., "timestamp": .., "progress": ..}`. Counts as a step.
    ///
    /// # Errors
    /// `not_a_run` outside a run, `step_mismatch`, `step_too_large`, or a storage code.
    pub fn progress(&self, progress: &impl Serialize) -> Result<()> {
        let run = self.host().run()?;
        let place = run.track().place("progress")?;
        run.progress(&place, &serde_json::to_string(progress)?)
    }
}

impl<A: Agent> Cx<A> {
    /// A step that changes the agent: the change and the fact that it was made are one transaction, so it is made exactly
    /// once, whenever the process dies.
    ///
    /// ```
    /// # use hostel_core::{Agent, Cx, Result};
    /// # fn demo<A: Agent>(cx: &Cx<A>, count: fn(&mut A) -> u32) -> Result<()> {
    /// let number = cx.step_turn("take a number", |me| count(me))?;
    /// # let _ = number; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `not_a_run` outside a run, `step_mismatch`, and those of [`Cx::update`]. Nothing was changed then, and the step is
    /// done the next time.
    pub fn step_turn<R>(&self, name: &str, work: impl FnOnce(&mut A) -> R) -> Result<R>
    where
        R: Serialize + DeserializeOwned,
    {
        self.try_step_turn(name, |me| Ok(work(me)))
    }

    /// Like [`Cx::step_turn`], undone when `work` returns an error.
    ///
    /// # Errors
    /// Those of `work`, and those of [`Cx::step_turn`].
    pub fn try_step_turn<R>(&self, name: &str, work: impl FnOnce(&mut A) -> Result<R>) -> Result<R>
    where
        R: Serialize + DeserializeOwned,
    {
        let run = self.host().run()?;
        let place = run.track().place(name)?;
        self.try_update(|me| match run.begin(&place, Begin::Turn)? {
            Begun::Done(json) => read(&place, &json),
            Begun::Go => {
                let made = work(me)?;
                run.finish(&place, Begin::Turn, &serde_json::to_string(&made)?)?;
                Ok(made)
            }
            Begun::Parked => Err(Error::coded(Code::StepMismatch, "a step that is a turn is never half done")),
        })
    }
}

/// The kept result of a step.
fn read<T: DeserializeOwned>(place: &Place, json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| {
        let message = format!("The kept result of the step {:?} is not what its code expects: {error}", place.name);
        Error::coded(Code::StepMismatch, message)
            .with_fix("let the code read what earlier versions kept, or restart the run")
    })
}
