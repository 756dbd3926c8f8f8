//! The agent that every server of the benchmark serves.

use hostel::prelude::*;

/// A counter that echoes whatever else it is sent.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct CounterAgent {
    count: i64,
}

#[agent]
impl CounterAgent {
    /// Answers, and touches nothing.
    #[callable]
    fn ping(&self) -> &'static str {
        "pong"
    }

    /// Adds one, durably, and returns the new count.
    #[callable]
    fn increment(&mut self) -> i64 {
        self.count += 1;
        self.count
    }

    fn on_message(&self, connection: &Connection, message: Message) {
        connection.send(message);
    }
}
