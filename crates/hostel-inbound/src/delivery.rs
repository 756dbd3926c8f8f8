//! A webhook as an agent is handed it.

use std::collections::BTreeMap;

use hostel_core::Result;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// A webhook that was signed as it should be. It is the argument of the task that handles it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// The name of the webhook, as in `/hooks/{name}`.
    pub hook: String,
    /// What its sender calls it; a digest of its body where the sender gives no name.
    pub id: String,
    /// What kind of event it says it is: GitHub's `X-GitHub-Event`, or the `type` within the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Its headers, by their names in lower case; without signatures and credentials.
    pub headers: BTreeMap<String, String>,
    /// The body as JSON; a text if it is none.
    pub body: Value,
    /// When it came.
    pub received_at: Timestamp,
}

impl Delivery {
    /// The body as your own type.
    ///
    /// # Errors
    /// When the body does not have its shape.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(T::deserialize(&self.body)?)
    }

    /// A text or number within the body, by a JSON pointer such as `/repository/full_name`.
    pub fn pointer(&self, pointer: &str) -> Option<String> {
        match self.body.pointer(pointer)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}
