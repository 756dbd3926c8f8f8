//! Calls and the parts of their answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hostel_protocol::server::RpcOutcome;
use parking_lot::Mutex;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::client::Shared;
use crate::{Error, Reason};

/// A call to be made.
#[derive(Debug, Clone)]
pub struct Call {
    pub(crate) method: String,
    pub(crate) args: Vec<Value>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) idempotency_key: Option<String>,
}

impl Call {
    /// A call of `method` with its arguments in order.
    pub fn new(method: impl Into<String>, args: Vec<Value>) -> Self {
        Self { method: method.into(), args, timeout: None, idempotency_key: None }
    }

    /// How long to wait for the answer, in a stream for each part of it.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// A key under which a Hostel server remembers the answer, so that repeating the call
    /// does not do its work twice.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }
}

/// One part of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// A piece of a stream; more follow.
    Chunk(Value),
    /// The end; `None` is JavaScript's `undefined`.
    Done(Option<Value>),
}

/// The calls that wait for an answer; `None` once the connection has ended.
#[derive(Debug)]
pub(crate) struct Waiting(Mutex<Option<HashMap<String, mpsc::UnboundedSender<RpcOutcome>>>>);

impl Default for Waiting {
    fn default() -> Self {
        Self(Mutex::new(Some(HashMap::new())))
    }
}

impl Waiting {
    /// Waits for the answers to a call. After the end of the connection there are none.
    pub(crate) fn add(&self, id: &str) -> mpsc::UnboundedReceiver<RpcOutcome> {
        let (sender, receiver) = mpsc::unbounded_channel();
        if let Some(calls) = &mut *self.0.lock() {
            calls.insert(id.to_owned(), sender);
        }
        receiver
    }

    pub(crate) fn deliver(&self, id: &str, outcome: RpcOutcome) {
        let mut calls = self.0.lock();
        let Some(calls) = &mut *calls else { return };
        let last = !matches!(outcome, RpcOutcome::Chunk(_));
        if let Some(call) = calls.get(id) {
            // Nobody listens any more if the receiver is gone; its guard removes the entry.
            let _ = call.send(outcome);
        }
        if last {
            calls.remove(id);
        }
    }

    fn forget(&self, id: &str) {
        if let Some(calls) = &mut *self.0.lock() {
            calls.remove(id);
        }
    }

    /// The connection has ended: whoever waits, or begins to, hears so.
    pub(crate) fn forget_all(&self) {
        *self.0.lock() = None;
    }
}

#[cfg(test)]
mod waiting_tests {
    use super::*;

    #[tokio::test]
    async fn a_call_that_begins_after_the_end_of_the_connection_does_not_wait() {
        let waiting = Waiting::default();
        let mut before = waiting.add("1");
        waiting.forget_all();
        let mut after = waiting.add("2");
        assert!(before.recv().await.is_none());
        assert!(after.recv().await.is_none());
    }
}

/// The answer to a call, part by part. Dropping it forgets the call; the server still ends it.
#[derive(Debug)]
pub struct Parts {
    pub(crate) id: String,
    pub(crate) what: String,
    pub(crate) timeout: Duration,
    pub(crate) outcomes: mpsc::UnboundedReceiver<RpcOutcome>,
    pub(crate) shared: Arc<Shared>,
}

impl Parts {
    /// The next part. After [`Part::Done`] or an error there is none.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// [`Error::Call`] if the call failed, [`Error::Timeout`], [`Error::Closed`].
    pub async fn next(&mut self) -> Result<Part, Error> {
        let deadline = Instant::now() + self.timeout;
        match tokio::time::timeout_at(deadline, self.outcomes.recv()).await {
            Err(_) => Err(Error::Timeout { what: self.what.clone(), after: self.timeout }),
            Ok(None) => Err(Error::Closed(self.shared.ended().await)),
            Ok(Some(RpcOutcome::Chunk(value))) => Ok(Part::Chunk(value.map_or(Value::Null, |raw| json(&raw)))),
            Ok(Some(RpcOutcome::Done(value))) => Ok(Part::Done(value.map(|raw| json(&raw)))),
            Ok(Some(RpcOutcome::Failed { error, code, fix })) => Err(Error::Call(Reason { message: error, code, fix })),
        }
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.shared.waiting.forget(&self.id);
    }
}

/// A value that was already checked to be JSON; one that serde cannot hold becomes its text.
pub(crate) fn json(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| Value::String(raw.get().to_owned()))
}
