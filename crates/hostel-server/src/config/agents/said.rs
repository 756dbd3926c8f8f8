//! What agents are told when, and the hosts whose pages they may read.

use hostel::Cron;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// `[[agents.CLASS.schedule]]`: what an agent is told, and when.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleSection {
    /// When, as a cron expression.
    pub cron: CronText,
    /// In which time zone. Default UTC.
    pub zone: Option<String>,
    /// What it is told.
    pub prompt: String,
    /// Which agent of the class. Default `default`.
    #[serde(default = "default_name")]
    pub agent: String,
}

fn default_name() -> String {
    "default".to_owned()
}

/// An error with its fix.
pub(super) fn spoken(error: &hostel::Error) -> String {
    let fix = error.fix().map(|fix| format!("; {fix}")).unwrap_or_default();
    format!("{}{fix}", error.message())
}

/// A cron expression that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronText(pub String);

impl<'de> Deserialize<'de> for CronText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Cron::parse(&text, None).map_err(|error| D::Error::custom(spoken(&error)))?;
        Ok(Self(text))
    }
}

/// A host that may be reached: `name`, `*.name`, each with or without a port, or `*` for the whole public internet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern(pub String);

impl<'de> Deserialize<'de> for HostPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.contains('/') || text.trim().is_empty() {
            true => Err(D::Error::custom(format!("{text:?} is no host: write docs.example.com or *.example.com"))),
            false => Ok(Self(text.trim().to_ascii_lowercase())),
        }
    }
}
