//! The runs of an agent: started, looked at, answered and ended.

use std::{fmt, sync::Arc};

use hostel_protocol::refusal::Code;
use serde::{Deserialize, Serialize};

use super::{
    approval::{Answer, Answered},
    info::{RunId, RunInfo, RunPage, RunStatus, Verdict},
};
use crate::{
    error::{Error, Result},
    host::Host,
    task::Order,
};

/// A run that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Its name.
    pub id: RunId,
    /// Whether it is new. `false`: it was started under the same key before, and this is that run.
    pub accepted: bool,
}

/// Which runs are meant.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RunQuery {
    /// Only those that stand like this.
    pub status: Option<RunStatus>,
    /// Only those of this task.
    pub task: Option<String>,
    /// Only those older than the one with this number.
    pub before: Option<i64>,
    /// At most so many; 50 without, 1,000 at most.
    pub limit: Option<usize>,
}

/// What can be asked of a host about runs.
#[derive(Debug, Clone)]
pub enum RunAsk {
    /// Begin one.
    Start(Order),
    /// Some of them.
    List(RunQuery),
    /// One, with its steps.
    Get(RunId),
    /// The one that was started under a key, with its steps.
    ByKey(String),
    /// Send it an event: its name, and a value as JSON.
    Send(RunId, String, String),
    /// Answer a request for approval, by its name.
    Answer(RunId, String, Answer),
    /// Say what became of the step that it asks about.
    Resolve(RunId, Verdict),
    /// End it, with a reason.
    Cancel(RunId, Option<String>),
    /// Put it off.
    Pause(RunId),
    /// Have it go on.
    Resume(RunId),
    /// Have it begin anew.
    Restart(RunId),
    /// Forget it.
    Delete(RunId),
}

impl RunAsk {
    /// One word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::List(_) | Self::Get(_) | Self::ByKey(_) => "",
            Self::Send(..) => "send",
            Self::Answer(..) => "answer",
            Self::Resolve(..) => "resolve",
            Self::Cancel(..) => "cancel",
            Self::Pause(_) => "pause",
            Self::Resume(_) => "resume",
            Self::Restart(_) => "restart",
            Self::Delete(_) => "delete",
        }
    }

    /// Whether nothing changes by it.
    pub fn only_looks(&self) -> bool {
        self.name().is_empty()
    }
}

/// What is answered to [`RunAsk`].
#[derive(Debug, Clone)]
pub enum RunAnswer {
    /// To `Start`.
    Started(Started),
    /// To `List`.
    Page(RunPage),
    /// To `Get` and `ByKey`, and to what changes a run: the run as it is then.
    Run(Option<Box<RunInfo>>),
    /// To `Answer`.
    Answered(Answered),
}

/// The runs of an agent. Within a turn, what is done through it belongs to the turn.
#[derive(Clone)]
pub struct Runs(Arc<dyn Host>);

impl Runs {
    pub(super) fn new(host: Arc<dyn Host>) -> Self {
        Self(host)
    }

    /// The runs there are, newest first. What has ended is kept for a while.
    ///
    /// # Errors
    /// A storage code.
    pub fn list(&self, query: RunQuery) -> Result<RunPage> {
        match self.0.runs(RunAsk::List(query))? {
            RunAnswer::Page(page) => Ok(page),
            _ => Err(mixed_up()),
        }
    }

    /// One run, with its steps.
    ///
    /// # Errors
    /// A storage code.
    pub fn get(&self, id: &RunId) -> Result<Option<RunInfo>> {
        self.run(RunAsk::Get(id.clone()))
    }

    /// The run that was started under `key`, with its steps.
    ///
    /// # Errors
    /// A storage code.
    pub fn by_key(&self, key: &str) -> Result<Option<RunInfo>> {
        self.run(RunAsk::ByKey(key.to_owned()))
    }

    /// Sends a run an event, for [`Cx::wait_for`](crate::Cx::wait_for). If it does not wait for it yet, it is kept.
    ///
    /// # Errors
    /// `run_unknown`, `run_over`, `step_too_large`, `too_many_events`, or a storage code.
    pub fn send(&self, id: &RunId, event: &str, value: &impl Serialize) -> Result<()> {
        self.run(RunAsk::Send(id.clone(), event.to_owned(), serde_json::to_string(value)?)).map(drop)
    }

    /// Answers a request for approval. The first answer wins; whoever comes later is told which that was.
    ///
    /// # Errors
    /// `run_unknown`, `not_asked` if there is no such request or it has expired, or a storage code.
    pub fn answer(&self, id: &RunId, request: &str, answer: Answer) -> Result<Answered> {
        match self.0.runs(RunAsk::Answer(id.clone(), request.to_owned(), answer))? {
            RunAnswer::Answered(answered) => Ok(answered),
            _ => Err(mixed_up()),
        }
    }

    /// Says what became of the step that a run asks about.
    ///
    /// # Errors
    /// `run_unknown`, `not_asked` if it asks nothing, or a storage code.
    pub fn resolve(&self, id: &RunId, verdict: Verdict) -> Result<()> {
        self.run(RunAsk::Resolve(id.clone(), verdict)).map(drop)
    }

    /// Ends a run: its code is dropped at its next wait, steps that were done stay done, and `on_run_ended` hears of it.
    ///
    /// # Errors
    /// `run_unknown`, `run_over`, or a storage code.
    pub fn cancel(&self, id: &RunId, reason: Option<&str>) -> Result<()> {
        self.run(RunAsk::Cancel(id.clone(), reason.map(str::to_owned))).map(drop)
    }

    /// Puts a run off until it is resumed. One that is running stops before its next step.
    ///
    /// # Errors
    /// `run_unknown`, `run_over`, or a storage code.
    pub fn pause(&self, id: &RunId) -> Result<()> {
        self.run(RunAsk::Pause(id.clone())).map(drop)
    }

    /// Has a run go on that was put off, or that has failed: what it has done stays done.
    ///
    /// # Errors
    /// `run_unknown`, `run_over`, or a storage code.
    pub fn resume(&self, id: &RunId) -> Result<()> {
        self.run(RunAsk::Resume(id.clone())).map(drop)
    }

    /// Has a run that is not running begin anew: what it has done is forgotten, and done again.
    ///
    /// # Errors
    /// `run_unknown`, `run_busy`, or a storage code.
    pub fn restart(&self, id: &RunId) -> Result<()> {
        self.run(RunAsk::Restart(id.clone())).map(drop)
    }

    /// Forgets a run that is over.
    ///
    /// # Errors
    /// `run_unknown`, `run_busy` if it is not over, or a storage code.
    pub fn delete(&self, id: &RunId) -> Result<()> {
        self.run(RunAsk::Delete(id.clone())).map(drop)
    }

    fn run(&self, ask: RunAsk) -> Result<Option<RunInfo>> {
        match self.0.runs(ask)? {
            RunAnswer::Run(run) => Ok(run.map(|run| *run)),
            _ => Err(mixed_up()),
        }
    }
}

pub(crate) fn mixed_up() -> Error {
    Error::coded(Code::Internal, "the host answered something else than was asked")
}

impl fmt::Debug for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Runs").field(self.0.id()).finish()
    }
}
