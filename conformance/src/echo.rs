//! An agent that sends every message back: the target of suites that test WebSocket itself.

use hostel::prelude::*;

/// Echoes text and binary messages unchanged, and says nothing on its own.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct EchoAgent;

#[agent]
impl EchoAgent {
    fn should_send_protocol_messages(&self) -> bool {
        false
    }

    fn on_message(&self, connection: &Connection, message: &Message) {
        connection.send(message.clone());
    }
}
