//! Asking a person: a request that is kept until it is answered, once.

use std::time::Duration;

use hostel_protocol::refusal::Code;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{host::Wait, read, track::Place};
use crate::{
    BoxFuture, Cx,
    error::{Error, Result},
};

/// How a request was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Yes or no.
    pub approved: bool,
    /// Who answered, in the words of whoever passed it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Answer {
    /// Yes.
    pub fn approve() -> Self {
        Self { approved: true, by: None, reason: None }
    }

    /// No.
    pub fn deny() -> Self {
        Self { approved: false, by: None, reason: None }
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
}

/// What became of an answer: the first wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answered {
    /// Whether this answer is the one that counts.
    pub accepted: bool,
    /// The one that does.
    pub answer: Answer,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Somebody said yes or no.
    Answered(Answer),
    /// Nobody did in time.
    Expired,
}

impl Decision {
    /// Whether somebody said yes.
    pub fn is_approved(&self) -> bool {
        matches!(self, Self::Answered(answer) if answer.approved)
    }

    /// Goes on only after a yes.
    ///
    /// # Errors
    /// `not_approved`, with who said no and why.
    pub fn approved(self) -> Result<Answer> {
        match self {
            Self::Answered(answer) if answer.approved => Ok(answer),
            Self::Answered(Answer { by, reason, .. }) => {
                let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
                let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                Err(Error::coded(Code::NotApproved, format!("It was denied{by}{reason}.")))
            }
            Self::Expired => Err(Error::coded(Code::NotApproved, "Nobody approved it in time.")),
        }
    }
}

impl<A> Cx<A> {
    /// Asks for approval: the request is kept with its payload, listed with the run, and answered once, by
    /// [`Runs::answer`](super::Runs::answer), the command line or HTTP. The run needs no memory meanwhile.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # async fn demo<A>(cx: &hostel_core::Cx<A>, amount: u64) -> hostel_core::Result<()> {
    /// let decision = cx.approval("refund", &amount, Duration::from_secs(7 * 24 * 60 * 60)).await?;
    /// let answer = decision.approved()?;
    /// # let _ = answer; Ok(()) }
    /// ```
    ///
    /// What was approved is what was asked: if the code asks for something else when it is run again, that is a
    /// `step_mismatch`.
    ///
    /// # Errors
    /// `not_a_run` outside a run, `step_mismatch`, `step_too_large`, or a storage code.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: the request, and its answer, is kept.
    pub fn approval<P: Serialize>(
        &self,
        name: &str,
        payload: &P,
        expires: impl Into<Option<Duration>>,
    ) -> BoxFuture<Result<Decision>> {
        let until: Result<Option<Timestamp>> = self.until(expires.into());
        let wait = until.and_then(|until| Ok(Wait::Approval(serde_json::to_string(payload)?, until)));
        self.wait(name, wait, decision)
    }
}

fn decision(place: &Place, json: Option<String>) -> Result<Decision> {
    json.map_or(Ok(Decision::Expired), |json| read(place, &json).map(Decision::Answered))
}
