//! How much of a conversation a model sees, and what becomes of the rest.

/// How much of a conversation a model sees.
///
/// ```
/// use hostel_chat::Context;
///
/// let context = Context::new().tokens(32_000).tool_output(8_000).titles(true);
/// # let _ = context;
/// ```
#[derive(Debug, Clone)]
pub struct Context {
    pub(crate) tokens: Option<u64>,
    pub(crate) tool_output: usize,
    pub(crate) summaries: bool,
    pub(crate) titles: Option<bool>,
}

impl Context {
    /// As much as the model takes; 16,000 bytes of a tool's output; summaries by the small model of what does not fit.
    pub fn new() -> Self {
        Self { tokens: None, tool_output: 16_000, summaries: true, titles: None }
    }

    /// About how many tokens a request may have. Without this: what the model is known to take, or 100,000.
    #[must_use]
    pub fn tokens(mut self, tokens: u64) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// How many bytes of one tool's output the model sees. People see all of it.
    #[must_use]
    pub fn tool_output(mut self, bytes: usize) -> Self {
        self.tool_output = bytes;
        self
    }

    /// Whether what does not fit is summed up, rather than only left out.
    #[must_use]
    pub fn summaries(mut self, on: bool) -> Self {
        self.summaries = on;
        self
    }

    /// Whether a new conversation gets a title from the small model. Without this: if there is a small model.
    #[must_use]
    pub fn titles(mut self, on: bool) -> Self {
        self.titles = Some(on);
        self
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::new()
    }
}
