//! A tool for one turn: it knows its agent, and nobody needs to know the agent's type any more.

use std::{fmt, sync::Arc, time::Duration};

use hostel::{BoxFuture, Result};
use hostel_model::ToolSpec;
use serde_json::Value;

use super::{Asks, Check, Preview, cx::CallInfo};

type RunBound = Arc<dyn Fn(CallInfo, Value) -> BoxFuture<Result<Value>> + Send + Sync>;
pub(crate) type ShowsBound = Arc<dyn Fn(CallInfo, Value) -> BoxFuture<Result<Preview>> + Send + Sync>;

/// Who does what a tool does.
#[derive(Clone)]
pub(crate) enum Does {
    /// This function.
    Run(RunBound),
    /// A page.
    Client,
}

/// A tool for one turn.
#[derive(Clone)]
pub(crate) struct Bound {
    pub(crate) spec: ToolSpec,
    pub(crate) does: Does,
    pub(crate) check: Option<Check>,
    pub(crate) asks: Option<Asks>,
    pub(crate) shows: Option<ShowsBound>,
    pub(crate) repeatable: bool,
    pub(crate) resumable: bool,
    pub(crate) timeout: Duration,
    pub(crate) pin: Option<String>,
    /// Whether the model is told of it.
    pub(crate) listed: bool,
}

impl Bound {
    /// A tool of the page's own.
    pub(crate) fn of_client(spec: ToolSpec) -> Self {
        Self {
            spec,
            does: Does::Client,
            check: None,
            asks: None,
            shows: None,
            repeatable: false,
            resumable: false,
            timeout: super::TIMEOUT,
            pin: None,
            listed: true,
        }
    }

    pub(crate) fn is_client(&self) -> bool {
        matches!(self.does, Does::Client)
    }

    /// Whether somebody has to say yes to this input.
    pub(crate) fn asks(&self, input: &Value) -> bool {
        self.asks.as_ref().is_some_and(|asks| asks(input))
    }

    /// Whether the input fits.
    pub(crate) fn check(&self, input: &Value) -> Result<()> {
        self.check.as_ref().map_or(Ok(()), |check| check(input))
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bound").field(&self.spec.name).finish()
    }
}
