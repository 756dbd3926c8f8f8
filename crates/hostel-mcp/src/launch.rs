//! Programs that agents themselves name: an application that has a place in which they can do no harm starts them.

use std::sync::Arc;

use hostel_core::{AgentId, BoxFuture, Result};
use serde_json::Value;
use tokio::io::DuplexStream;

/// Starts programs that agents name by [`Server::launched`](crate::Server::launched).
///
/// The programs of [`McpSettings::programs`](crate::McpSettings::programs) are the operator's, and run like the server itself.
/// These are not: whoever implements this keeps them away from everything that is not the agent's.
pub trait Launcher: Send + Sync {
    /// Starts what an agent has registered.
    ///
    /// # Errors
    /// In words for people: they are shown as the reason why the server cannot be used.
    fn launch(self: Arc<Self>, agent: AgentId, program: Value) -> BoxFuture<Result<Launched>>;
}

/// A program that runs. Once its input is dropped it has nothing left to do, and is to be ended if it goes on.
#[derive(Debug)]
pub struct Launched {
    /// What it reads.
    pub input: DuplexStream,
    /// What it writes.
    pub output: DuplexStream,
    /// What it says beside the protocol.
    pub errors: DuplexStream,
}
