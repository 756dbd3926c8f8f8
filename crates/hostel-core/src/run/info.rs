//! What is known of a run and its steps.

use std::{borrow::Cow, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{error::Result, task::ScheduleId};

/// The name of a run, unique within its agent, the same however often its code is run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// Made by hosts, and of what a caller sent.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<ScheduleId> for RunId {
    /// A task that was ordered once is a run of the same name, as soon as it does its first step.
    fn from(id: ScheduleId) -> Self {
        Self::new(id.as_str())
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// It is to be run, for the first time or again.
    Queued,
    /// It is being run.
    Running,
    /// It waits for a moment, an event or an approval; it is not in memory.
    Waiting,
    /// Somebody has put it off until it is resumed.
    Paused,
    /// A step was under way when the process died, and somebody has to say what became of it.
    Uncertain,
    /// It has ended well.
    Completed,
    /// It has failed.
    Failed,
    /// Somebody has ended it.
    Cancelled,
}

impl RunStatus {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Running,
        Self::Waiting,
        Self::Paused,
        Self::Uncertain,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Uncertain => "uncertain",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// As [`RunStatus::as_str`] writes it.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether nothing more happens by itself or by an answer.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// A run, as it stands.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunInfo {
    /// Its name.
    pub id: RunId,
    /// Its number among the agent's runs: the newest has the highest.
    pub number: i64,
    /// The task.
    pub task: Cow<'static, str>,
    /// Its arguments, a JSON array.
    pub args: Box<RawValue>,
    /// The key it was started under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How it stands.
    pub status: RunStatus,
    /// Failed attempts since it last came further.
    pub attempts: u32,
    /// When it goes on by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wakes_at: Option<Timestamp>,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// What it returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
    /// Why it failed, is held or was ended: a stable code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What its code put aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stash: Option<Box<RawValue>>,
    /// How far its code says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Box<RawValue>>,
    /// Its steps, in the order in which they began; only where one run was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepInfo>,
}

impl RunInfo {
    /// Whether a step of that name was done: what has to be undone after a failure, for instance.
    pub fn has_done(&self, step: &str) -> bool {
        self.steps.iter().any(|own| own.name == step && own.state == StepState::Done)
    }

    /// The last result of the step of that name.
    ///
    /// # Errors
    /// When it does not have the shape of `T`.
    pub fn result_of<T: serde::de::DeserializeOwned>(&self, step: &str) -> Result<Option<T>> {
        let found = self.steps.iter().rev().find(|own| own.name == step && own.state == StepState::Done);
        let value = found.and_then(|step| step.value.as_deref());
        Ok(value.map(|value| serde_json::from_str(value.get())).transpose()?)
    }
}

/// Some of an agent's runs.
#[derive(Debug, Clone, Serialize)]
pub struct RunPage {
    /// Newest first, without their steps.
    pub runs: Vec<RunInfo>,
    /// There are more: ask again for those before this number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    /// It was begun, and nobody knows more.
    Begun,
    /// The same, and the run asks about it.
    Uncertain,
    /// It is done; its value is its result.
    Done,
    /// The run waits here.
    Waiting,
    /// It was waited for in vain.
    Expired,
}

impl StepState {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Uncertain => "uncertain",
            Self::Done => "done",
            Self::Waiting => "waiting",
            Self::Expired => "expired",
        }
    }

    /// As [`StepState::as_str`] writes it.
    pub fn read(text: &str) -> Option<Self> {
        let all = [Self::Begun, Self::Uncertain, Self::Done, Self::Waiting, Self::Expired];
        all.into_iter().find(|state| state.as_str() == text)
    }
}

/// A step of a run, as it stands.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepInfo {
    /// What its code calls it.
    pub name: String,
    /// The how-manieth of that name, from 0.
    pub occurrence: u32,
    /// The branch it is in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub branch: String,
    /// `step`, `turn`, `progress`, `pause`, `event` or `approval`.
    pub kind: String,
    /// How it stands.
    #[serde(serialize_with = "by_name")]
    pub state: StepState,
    /// Its result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Box<RawValue>>,
    /// What an approval is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Box<RawValue>>,
    /// Until when it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// When it began.
    pub begun_at: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

fn by_name<S: Serializer>(state: &StepState, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(state.as_str())
}

/// A step that was under way when the process died or that did not end in time, and its run.
#[derive(Debug, Clone)]
pub struct UncertainStep {
    /// The run, with all its steps.
    pub run: RunInfo,
    /// The step.
    pub step: StepInfo,
}

/// What is to become of a step of which nobody knows whether it was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Somebody else has to say: the run is held.
    Ask,
    /// It was not done: it is done now.
    Again,
    /// It was done, and this (JSON) is its result.
    Done(String),
    /// The run fails, with this reason.
    Fail(String),
}

impl Verdict {
    /// It was done, and `value` is its result.
    ///
    /// # Errors
    /// When serde refuses the value.
    pub fn done(value: &impl Serialize) -> Result<Self> {
        Ok(Self::Done(serde_json::to_string(value)?))
    }
}
