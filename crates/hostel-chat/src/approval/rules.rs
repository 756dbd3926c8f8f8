//! Rules of an agent's own over the calls of its tools.

use std::{fmt, sync::Arc};

use hostel::Result;
use serde_json::Value;

/// A call of a tool that is about to be carried out.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ToolCall<'a> {
    /// The turn.
    pub turn_id: &'a str,
    /// The call.
    pub id: &'a str,
    /// The tool.
    pub tool: &'a str,
    /// What it would be run with.
    pub input: &'a Value,
    /// Whether the tool itself would have somebody asked.
    pub asks: bool,
    /// How the tool is described, as a fingerprint, where others describe it, as MCP servers do: a yes to it is a yes to that.
    pub pin: Option<&'a str>,
}

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// It is run; nobody is asked.
    Run,
    /// Somebody is asked, whatever permissions stand.
    Ask,
    /// It is not run, and the model is told why.
    Refuse(String),
}

/// What "always" would allow, said to a call that is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Always {
    /// The whole tool.
    Tool,
    /// This, in words.
    This(String),
    /// Nothing: it is asked about each time.
    Never,
}

/// Rules of an agent's own over the calls of its tools: see [`ApprovalPolicy::ruled_by`](crate::ApprovalPolicy::ruled_by).
pub trait Rules: Send + Sync + 'static {
    /// What becomes of a call; nothing to have it decided as without rules. It is asked again, when somebody has said yes, whether
    /// it still refuses.
    ///
    /// # Errors
    /// With one, the turn ends in it.
    fn rule(&self, call: &ToolCall<'_>) -> Result<Option<Ruling>>;

    /// What "always" would allow, for whoever is asked.
    fn always(&self, call: &ToolCall<'_>) -> Always {
        let _ = call;
        Always::Tool
    }
}

/// Rules, as a policy holds them.
#[derive(Clone)]
pub(crate) struct Ruler(pub(crate) Arc<dyn Rules>);

impl fmt::Debug for Ruler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ruler")
    }
}
