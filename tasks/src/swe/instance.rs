//! One line of a file of tasks.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Deserializer, de::Error as _};

/// One line of a file of tasks, with the names that SWE-bench gives its fields. Others are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Instance {
    /// What it is called.
    pub instance_id: String,
    /// `owner/name`.
    pub repo: String,
    /// The commit to begin at.
    pub base_commit: String,
    /// What the agent is asked.
    pub problem_statement: String,
    /// What was done then; only the scripted model sees it.
    #[serde(default)]
    pub patch: String,
    /// The tests that decide, as a unified diff.
    pub test_patch: String,
    /// Tests that fail before, and have to pass after.
    #[serde(rename = "FAIL_TO_PASS", deserialize_with = "names")]
    pub fail_to_pass: Vec<String>,
    /// Tests that pass before, and have to pass after.
    #[serde(rename = "PASS_TO_PASS", deserialize_with = "names", default)]
    pub pass_to_pass: Vec<String>,
}

impl Instance {
    /// All of a file.
    ///
    /// # Errors
    /// The line that cannot be read.
    pub fn all(file: &Path) -> Result<Vec<Self>> {
        let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let read = |(at, line)| serde_json::from_str(line).with_context(|| format!("{}:{}", file.display(), at + 1));
        lines.map(read).collect()
    }
}

/// A list, or a text that is one: both are in use.
fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        List(Vec<String>),
        Text(String),
    }
    match Either::deserialize(deserializer)? {
        Either::List(list) => Ok(list),
        Either::Text(text) => serde_json::from_str(&text).map_err(D::Error::custom),
    }
}
