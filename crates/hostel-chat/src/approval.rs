//! Approvals: what a tool is to be run with, kept until somebody has said yes or no, once.

mod desk;
mod policy;
mod room;
mod rows;
mod rules;

use std::{fmt, str::FromStr};

use hostel::Code;
use hostel::{Error, Result, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::tool::Preview;

pub(crate) use self::{
    desk::{Desk, Question},
    room::{expire, heard, is_open},
    rows::{EXPIRE, Rows, RowsDesk},
};
pub use self::{
    policy::{ApprovalPolicy, Standing},
    rules::{Always, Rules, Ruling, ToolCall},
};

/// A call of a tool that somebody has to allow: exactly this tool, with exactly this input.
///
/// Kept in the agent's own database, so that it outlives restarts and sleep. What is run after a yes is the input kept
/// here, whatever has become of the message since.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Approval {
    /// Its id.
    pub id: String,
    /// The turn that asks.
    pub turn_id: String,
    /// The message of the answer in which the call stands.
    pub message_id: String,
    /// The call.
    pub tool_call_id: String,
    /// The tool.
    pub tool: String,
    /// What it would be run with.
    pub input: Value,
    /// SHA-256 of the input as it is stored: JSON without spaces, in hex.
    pub input_sha256: String,
    /// What the tool was like when it was asked for, if others describe it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// What it would do, as it was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// Whose message led to it, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<String>,
    /// Until when it can be answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What became of it.
    pub state: ApprovalState,
    /// When it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Timestamp>,
    /// Who answered, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When what was decided was carried out: the tool has ended, or the model was told of the no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Timestamp>,
}

impl Approval {
    /// Whether somebody may still answer.
    pub fn is_waiting(&self) -> bool {
        self.state == ApprovalState::Waiting
    }

    /// Whether the input is the one that was asked for.
    pub(crate) fn is_intact(&self) -> bool {
        self.input_sha256 == digest(&self.input)
    }
}

/// The hash an approval is bound to.
pub(crate) fn digest(input: &Value) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(input.to_string().as_bytes()))
}

/// What became of an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApprovalState {
    /// Nobody has answered.
    Waiting,
    /// Somebody said yes.
    Approved,
    /// Somebody said no.
    Denied,
    /// Nobody answered in time.
    Expired,
    /// It is not asked for any more: the conversation went on without it, or its answer was stopped or deleted.
    Withdrawn,
}

impl ApprovalState {
    /// As it is stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl FromStr for ApprovalState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [Self::Waiting, Self::Approved, Self::Denied, Self::Expired, Self::Withdrawn];
        let found = all.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| Error::msg(format!("{text:?} is no state of an approval")))
    }
}

impl fmt::Display for ApprovalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An answer to an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answering {
    /// Yes or no.
    pub approve: bool,
    /// Who answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why. The model is told the reason of a no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// With a yes: from now on, this tool of this agent needs none.
    #[serde(default)]
    pub always: bool,
}

impl Answering {
    /// Yes.
    pub fn yes() -> Self {
        Self { approve: true, by: None, reason: None, always: false }
    }

    /// No.
    pub fn no() -> Self {
        Self { approve: false, ..Self::yes() }
    }

    /// Says who answers.
    #[must_use]
    pub fn by(mut self, who: impl Into<String>) -> Self {
        self.by = Some(who.into());
        self
    }

    /// Says why.
    #[must_use]
    pub fn reason(mut self, why: impl Into<String>) -> Self {
        self.reason = Some(why.into());
        self
    }

    /// From now on, this tool of this agent needs no yes.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.always = true;
        self
    }
}

/// What became of an answer: the first one counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    /// Whether this answer is the one that counts.
    pub accepted: bool,
    /// Whether it changed anything: an answer that came too late to count closes the question.
    #[serde(skip)]
    pub(crate) is_news: bool,
    /// The approval as it is now.
    pub approval: Approval,
}

/// There is no such approval.
pub(crate) fn unknown(id: &str) -> Error {
    let shown: String = id.chars().filter(|c| !c.is_control()).take(64).collect();
    Error::coded(Code::ApprovalUnknown, format!("The agent has no approval {shown:?}."))
        .with_fix("list those that wait, and use an id from there")
}
