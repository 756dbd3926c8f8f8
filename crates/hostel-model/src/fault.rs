//! Why a model did not answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why a model did not answer, or not to the end.
///
/// The message is for whoever chats: a sentence that says what to do. It never holds a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Fault {
    /// What kind of failure.
    pub kind: FaultKind,
    /// What happened, and what to do.
    pub message: String,
    /// When asking again makes sense, where the provider says so.
    pub retry_after: Option<Duration>,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
}

impl Fault {
    /// A failure with its sentence.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None, status: None }
    }

    /// With the time after which asking again makes sense.
    #[must_use]
    pub fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after;
        self
    }

    /// With the HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }
}

/// Kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultKind {
    /// There is no model, or no key for it.
    NotConfigured,
    /// The provider does not take the key.
    Auth,
    /// The provider wants money first.
    Quota,
    /// Too many requests.
    RateLimited,
    /// The provider has too much to do.
    Overloaded,
    /// The provider failed.
    Provider,
    /// The provider does not know the model.
    UnknownModel,
    /// The provider does not take the request.
    BadRequest,
    /// The conversation is longer than the model takes.
    ContextTooLong,
    /// The provider cannot be reached.
    Unreachable,
    /// The provider did not begin to answer in time.
    TimedOut,
    /// The answer stopped in the middle, the connection being open.
    Stalled,
    /// The connection ended in the middle of the answer.
    Cut,
    /// What came is not what the provider's documentation says.
    Malformed,
    /// The answer is larger than is taken.
    TooLarge,
    /// The provider or the model will not answer this.
    Refused,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 16] = [
        Self::NotConfigured,
        Self::Auth,
        Self::Quota,
        Self::RateLimited,
        Self::Overloaded,
        Self::Provider,
        Self::UnknownModel,
        Self::BadRequest,
        Self::ContextTooLong,
        Self::Unreachable,
        Self::TimedOut,
        Self::Stalled,
        Self::Cut,
        Self::Malformed,
        Self::TooLarge,
        Self::Refused,
    ];

    /// A stable word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotConfigured => "not_configured",
            Self::Auth => "auth",
            Self::Quota => "quota",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Provider => "provider",
            Self::UnknownModel => "unknown_model",
            Self::BadRequest => "bad_request",
            Self::ContextTooLong => "context_too_long",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Stalled => "stalled",
            Self::Cut => "cut",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Refused => "refused",
        }
    }

    /// The kind with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether the same request, asked anew, may well be answered. A stream that began and broke is among these: whoever
    /// asks again has to take back what was shown.
    pub fn is_transient(self) -> bool {
        self.is_transient_before_the_first_event() || matches!(self, Self::TimedOut | Self::Stalled)
    }

    /// Whether the request is asked again by itself as long as nothing of an answer was seen.
    pub(crate) fn is_transient_before_the_first_event(self) -> bool {
        matches!(self, Self::RateLimited | Self::Overloaded | Self::Provider | Self::Unreachable | Self::Cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_word() {
        for kind in FaultKind::ALL {
            assert_eq!(FaultKind::parse(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
