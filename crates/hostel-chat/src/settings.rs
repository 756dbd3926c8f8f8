//! What is set for one conversation alone: model, system prompt, temperature, title.

use hostel::{Result, host::Host};
use serde::{Deserialize, Serialize};

const CREATE: &str = "/*hostel*/ CREATE TABLE IF NOT EXISTS hostel_chat_settings
    (one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT NOT NULL)";
const EXISTS: &str =
    "/*hostel*/ SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'hostel_chat_settings'";
const GET: &str = "/*hostel*/ SELECT body FROM hostel_chat_settings";
const PUT: &str = "/*hostel*/ INSERT OR REPLACE INTO hostel_chat_settings (one, body) VALUES (1, ?1)";

/// What is set for one conversation alone. It counts before what the agent class says.
///
/// ```
/// use hostel_chat::Settings;
///
/// let settings = Settings { model: Some("small".into()), ..Settings::default() };
/// assert_eq!(serde_json::to_value(&settings)?, serde_json::json!({"model": "small"}));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// The model, by its name in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What stands above the conversation, in place of what the class says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// How much chance there is in the answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// What the conversation is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

impl Settings {
    pub(crate) fn of(host: &dyn Host) -> Result<Self> {
        if host.own_sql(EXISTS, &[])?.value::<i64>()?.unwrap_or(0) == 0 {
            return Ok(Self::default());
        }
        let body: Option<String> = host.own_sql(GET, &[])?.value()?;
        body.map_or_else(|| Ok(Self::default()), |body| Ok(serde_json::from_str(&body)?))
    }

    pub(crate) fn keep(&self, host: &dyn Host) -> Result<()> {
        host.own_sql(CREATE, &[])?;
        host.own_sql(PUT, &[serde_json::to_string(self)?.into()]).map(drop)
    }
}
