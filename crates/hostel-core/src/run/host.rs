//! What the code of a run asks of its host.

use jiff::Timestamp;

use super::{
    info::RunId,
    track::{Place, Track},
};
use crate::{BoxFuture, error::Result};

/// How a step is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// It does something outside, and nobody knows whether it did if the process dies meanwhile.
    Once,
    /// The same, and doing it again does no harm.
    Repeatable,
    /// It is a turn, and is kept with it.
    Turn,
}

/// What is to be done about a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Nothing: this is its result, as JSON.
    Done(String),
    /// It is to be done.
    Go,
    /// Somebody has to say what became of it: the run is on its way out of memory.
    Parked,
}

/// What a run waits for.
#[derive(Debug, Clone, PartialEq)]
pub enum Wait {
    /// The end of a while, which is then.
    While(Timestamp),
    /// A moment on the calendar.
    Until(Timestamp),
    /// An event of this name, until then.
    Event(String, Option<Timestamp>),
    /// An answer to a request with this payload (JSON), until then.
    Approval(String, Option<Timestamp>),
}

/// How a wait stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waited {
    /// It is over, with this (JSON), or because its time is over.
    Over(Option<String>),
    /// It goes on, until then at most.
    Still(Option<Timestamp>),
}

/// The run whose code is being polled. Methods belong to the turn under way, or are turns of their own.
pub trait RunHost: Send + Sync + 'static {
    /// Which run.
    fn id(&self) -> &RunId;
    /// How far its code has come.
    fn track(&self) -> &Track;
    /// Looks a step up; one that has not been done is noted as begun.
    ///
    /// # Errors
    /// `step_mismatch`, `too_many_steps`, or a storage code.
    fn begin(&self, place: &Place, how: Begin) -> Result<Begun>;
    /// Keeps the result of a step, as JSON.
    ///
    /// # Errors
    /// `step_too_large`, or a storage code.
    fn finish(&self, place: &Place, how: Begin, result: &str) -> Result<()>;
    /// A step has failed in the words of its own code: it is as if it had not been begun.
    ///
    /// # Errors
    /// A storage code.
    fn take_back(&self, place: &Place) -> Result<()>;
    /// Nobody knows what became of a step: the run is on its way out of memory, and asks.
    fn give_up_on(&self, place: &Place, why: &str);
    /// Looks whether a wait is over; one that is new begins.
    ///
    /// # Errors
    /// `step_mismatch`, `too_many_steps`, `step_too_large`, or a storage code.
    fn wait(&self, place: &Place, wait: &Wait) -> Result<Waited>;
    /// Resolves when something has come for the run since this was called.
    fn nudged(&self) -> BoxFuture<()>;
    /// Puts JSON aside.
    ///
    /// # Errors
    /// `step_too_large`, or a storage code.
    fn stash(&self, json: &str) -> Result<()>;
    /// What was put aside.
    ///
    /// # Errors
    /// A storage code.
    fn stashed(&self) -> Result<Option<String>>;
    /// Keeps how far the run is, as JSON, and tells the clients.
    ///
    /// # Errors
    /// `step_mismatch`, `too_many_steps`, `step_too_large`, or a storage code.
    fn progress(&self, place: &Place, json: &str) -> Result<()>;
}
