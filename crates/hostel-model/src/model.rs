//! The trait, and what a model says about itself.

use futures_util::stream::BoxStream;

use crate::{Event, Fault, Price, Request};

/// Something that answers.
pub trait Model: Send + Sync {
    /// Asks, and streams the answer.
    ///
    /// The last item is an [`Event::Finish`] or the only `Err`; after it the stream is over. Dropping the stream ends the
    /// request; the provider may charge for what it had made by then.
    ///
    /// What is open when an `Err` comes (a text, a tool's input) is not closed before it.
    fn stream(&self, request: Request) -> BoxStream<'static, Result<Event, Fault>>;

    /// What it is.
    fn describe(&self) -> ModelInfo;
}

/// What a model is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelInfo {
    /// What the configuration calls it, such as `main`.
    pub name: String,
    /// Whose it is, such as `anthropic`.
    pub provider: String,
    /// What the provider calls it.
    pub model: String,
    /// How many tokens a request and its answer may have together, where known.
    pub context_tokens: Option<u64>,
    /// How many tokens an answer may have, where known.
    pub max_output_tokens: Option<u64>,
    /// What it takes besides text.
    pub abilities: Abilities,
    /// What it costs, where the configuration says so.
    pub price: Option<Price>,
}

impl ModelInfo {
    /// A model of which only the names are known, and which is thought to be able to do everything.
    pub fn new(name: impl Into<String>, provider: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            provider: provider.into(),
            model: model.into(),
            context_tokens: None,
            max_output_tokens: None,
            abilities: Abilities::default(),
            price: None,
        }
    }
}

/// What a model takes besides text. What it cannot take is to be left out of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Abilities {
    /// It calls tools.
    pub tools: bool,
    /// It sees images.
    pub images: bool,
    /// It reads files.
    pub files: bool,
}

impl Default for Abilities {
    fn default() -> Self {
        Self { tools: true, images: true, files: true }
    }
}
