//! What the loop needs of a turn of chat, free of the agent's type.

use std::time::Duration;

use hostel::protocol::chat::{Chunk, UiMessage};
use hostel::{BoxFuture, Result};
use serde_json::Value;

/// A turn of chat, as the loop sees it.
pub(crate) trait Turn: Send + Sync {
    /// Its id.
    fn id(&self) -> &str;
    /// The conversation, without the answer under way.
    fn before(&self) -> Result<Vec<UiMessage>>;
    /// The answer under way, as far as it is known.
    fn message(&self) -> Result<UiMessage>;
    /// What this turn had said before a crash, or before it waited.
    fn logged(&self) -> Result<Vec<Chunk>>;
    /// Says something: kept, then shown.
    fn emit(&self, chunks: Vec<Chunk>) -> Result<()>;
    /// Keeps something that is not shown.
    fn note(&self, kind: &str, value: Value) -> Result<()>;
    /// Both at once: both are kept, or neither.
    fn note_and_emit(&self, kind: &str, value: Value, chunks: Vec<Chunk>) -> Result<()>;
    /// What was noted, oldest first.
    fn notes(&self) -> Result<Vec<(String, Value)>>;
    /// Resolves when everything so far survives a power cut.
    fn durable(&self) -> BoxFuture<Result<()>>;
    /// Waits by the host's clock.
    fn sleep(&self, duration: Duration) -> BoxFuture<()>;
    /// Resolves when the turn is cancelled.
    fn cancelled(&self) -> BoxFuture<()>;
    /// Ends this run of the turn; it goes on when somebody answers.
    fn suspend(&self) -> Result<()>;
}
