//! What a model's stream is made of.

use std::{borrow::Cow, time::Duration};

use serde_json::Value;

use crate::{Data, Usage};

/// One step of an answer.
///
/// Texts and thoughts are blocks: a start, deltas, an end, with one id that is unique within the answer. Blocks do not
/// overlap, except the inputs of tools that are called side by side.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A text begins.
    TextStart {
        /// Which.
        id: String,
    },
    /// A text goes on.
    TextDelta {
        /// Which.
        id: String,
        /// With these words, never none.
        delta: String,
    },
    /// A text is complete.
    TextEnd {
        /// Which.
        id: String,
    },
    /// A thought begins.
    ReasoningStart {
        /// Which.
        id: String,
    },
    /// A thought goes on.
    ReasoningDelta {
        /// Which.
        id: String,
        /// With these words.
        delta: String,
    },
    /// A thought is complete.
    ReasoningEnd {
        /// Which.
        id: String,
        /// What the provider wants back with it in the next request.
        signature: Option<String>,
    },
    /// The input of a call begins.
    ToolInputStart {
        /// Which call.
        id: String,
        /// Of which tool.
        name: String,
    },
    /// The input of a call goes on.
    ToolInputDelta {
        /// Which call.
        id: String,
        /// With this part of its JSON.
        delta: String,
    },
    /// A call is complete. Each [`Event::ToolInputStart`] is followed by one of these, or the answer ends with a fault.
    ToolCall {
        /// Which call.
        id: String,
        /// Of which tool.
        name: String,
        /// Its input; or, where that is no JSON, what came instead.
        input: Result<Value, String>,
        /// What the provider wants back with it in the next request.
        signature: Option<String>,
    },
    /// Where something in the answer comes from.
    Source {
        /// An address.
        url: String,
        /// What is there.
        title: Option<String>,
    },
    /// A file the model made.
    File {
        /// Such as `image/png`.
        media_type: String,
        /// The file itself, or where it is.
        data: Data,
    },
    /// The provider could not answer and is asked again. Comes before anything else of an answer, if at all.
    Retrying {
        /// How long from now.
        after: Duration,
        /// Why, for people.
        why: String,
    },
    /// The answer is complete.
    Finish {
        /// Why it ends here.
        reason: FinishReason,
        /// What it took.
        usage: Usage,
    },
}

/// Why an answer ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FinishReason {
    /// It was complete.
    Stop,
    /// It became too long.
    Length,
    /// The model waits for its tools.
    ToolCalls,
    /// The provider or the model would not go on.
    ContentFilter,
    /// Something else, as the provider writes it.
    Other(String),
}

impl FinishReason {
    /// As chat clients know it: `stop`, `length`, `tool-calls`, `content-filter`, `other`.
    ///
    /// ```
    /// assert_eq!(hostel_model::FinishReason::ToolCalls.as_str(), "tool-calls");
    /// ```
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool-calls",
            Self::ContentFilter => "content-filter",
            Self::Other(_) => "other",
        }
    }

    /// The same for people.
    pub fn describe(&self) -> Cow<'_, str> {
        match self {
            Self::Stop => "the answer is complete".into(),
            Self::Length => "the answer reached its greatest length".into(),
            Self::ToolCalls => "the model waits for its tools".into(),
            Self::ContentFilter => "the model or its provider would not go on".into(),
            Self::Other(reason) => format!("the provider says {reason:?}").into(),
        }
    }
}
