//! Tries again to reach an agent that is just going away.

use std::{sync::Arc, time::Duration};

use hostel_core::AgentId;
use hostel_protocol::refusal::Code;
use hostel_runtime::Node;
use serde_json::Value;

/// How often reaching an agent is tried, and how long to wait between: `min(max, base * 2^n)`, times a random fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoutingRetry {
    /// Attempts in all; 1 means no retry. Default 3.
    pub max_attempts: u32,
    /// The first wait at most. Default 100 ms.
    pub base_delay: Duration,
    /// Any wait at most. Default 800 ms.
    pub max_delay: Duration,
}

impl Default for RoutingRetry {
    fn default() -> Self {
        Self { max_attempts: 3, base_delay: Duration::from_millis(100), max_delay: Duration::from_millis(800) }
    }
}

impl RoutingRetry {
    /// No retries.
    pub const OFF: Self = Self { max_attempts: 1, base_delay: Duration::ZERO, max_delay: Duration::ZERO };

    /// Wakes the agent, again if it was just going away, and says whether it is awake. Why it is not is said to whoever
    /// uses it next.
    pub(super) async fn wake(&self, node: &Node, agent: &AgentId, props: Option<Arc<Value>>) -> bool {
        for attempt in 1..=self.max_attempts.max(1) {
            match node.wake(agent, props.clone()).await {
                Err(error) if error.code() == Some(Code::AgentUnavailable) && attempt < self.max_attempts => {
                    tracing::info!(agent = %agent, attempt, "an agent was going away; trying again");
                    tokio::time::sleep(self.pause(attempt)).await;
                }
                outcome => return outcome.is_ok(),
            }
        }
        false
    }

    fn pause(&self, attempt: u32) -> Duration {
        let longest = self.base_delay.saturating_mul(1 << (attempt - 1).min(16)).min(self.max_delay);
        let fraction = hostel_runtime::nanoid(2).bytes().map(u32::from).sum::<u32>() % 100;
        longest * fraction / 100
    }
}
