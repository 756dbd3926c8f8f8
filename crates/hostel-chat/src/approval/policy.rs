//! What needs no asking, and how long questions stand.

use std::{sync::Arc, time::Duration};

use hostel::Timestamp;
use serde::{Deserialize, Serialize};

use super::rules::{Ruler, Rules};

/// How an agent asks.
///
/// ```
/// use std::time::Duration;
/// use hostel_chat::ApprovalPolicy;
///
/// let policy = ApprovalPolicy::new().expires(Duration::from_secs(60 * 60)).allow("read_file");
/// # let _ = policy;
/// ```
#[derive(Debug, Clone)]
pub struct ApprovalPolicy {
    pub(crate) expires: Option<Duration>,
    pub(crate) allowed: Vec<String>,
    pub(crate) always: Vec<String>,
    pub(crate) rules: Option<Ruler>,
}

impl ApprovalPolicy {
    /// Questions stand for a week.
    pub fn new() -> Self {
        Self {
            expires: Some(Duration::from_secs(7 * 24 * 60 * 60)),
            allowed: Vec::new(),
            always: Vec::new(),
            rules: None,
        }
    }

    /// How long a question stands. After that it counts as a no, and the model is told so.
    #[must_use]
    pub fn expires(mut self, after: Duration) -> Self {
        self.expires = Some(after);
        self
    }

    /// Questions stand until they are answered.
    #[must_use]
    pub fn never_expires(mut self) -> Self {
        self.expires = None;
        self
    }

    /// This tool needs no yes, whatever it says itself.
    #[must_use]
    pub fn allow(mut self, tool: impl Into<String>) -> Self {
        self.allowed.push(tool.into());
        self
    }

    /// This tool needs a yes each time, whatever it says itself, and no standing permission counts for it.
    #[must_use]
    pub fn always_ask(mut self, tool: impl Into<String>) -> Self {
        self.always.push(tool.into());
        self
    }

    /// Has these decide first.
    #[must_use]
    pub fn ruled_by(mut self, rules: impl Rules) -> Self {
        self.rules = Some(Ruler(Arc::new(rules)));
        self
    }
}

impl Default for ApprovalPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// A standing permission: "always allow this tool in this agent".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The tool.
    pub tool: String,
    /// Since when.
    pub since: Timestamp,
    /// Who gave it, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What the tool was like then, if others describe it: it holds only as long as that is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
}
