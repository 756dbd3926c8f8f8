//! Small agents: without a state, without an identity frame, and one that never starts.

use hostel::prelude::*;
use serde_json::Value;

/// No methods, no hooks, and no state until a client sets one.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlainAgent(Value);

#[agent]
impl PlainAgent {}

/// Does not tell its clients whom they reached.
#[derive(Debug, Serialize, Deserialize)]
pub struct NoIdAgent {
    s: Value,
}

impl Default for NoIdAgent {
    fn default() -> Self {
        Self { s: 1.into() }
    }
}

#[agent(send_identity_on_connect = false)]
impl NoIdAgent {}

/// Cannot be started.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StartFailAgent(Value);

#[agent]
impl StartFailAgent {
    fn on_start(&self) -> Result<()> {
        Err(Error::msg("start boom"))
    }
}
