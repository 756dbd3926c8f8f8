//! Calls to other agents: values that do nothing until awaited.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    BoxFuture,
    body::{Request, Response},
    error::Result,
    host::{Caller, OutgoingCall},
    id::AgentId,
    reply::Reply,
};

/// An untyped handle to an agent; generated stubs wrap it, one method a callable.
#[derive(Clone)]
pub struct Stub {
    target: AgentId,
    caller: Arc<dyn Caller>,
}

impl Stub {
    /// A handle to `target`, reached through `caller`. Nothing is sent yet.
    pub fn new(target: AgentId, caller: Arc<dyn Caller>) -> Self {
        Self { target, caller }
    }

    /// Whom it reaches.
    pub fn id(&self) -> &AgentId {
        &self.target
    }

    /// A call by the method's wire name; `args` must serialise to a JSON array.
    pub fn call<T>(&self, method: &str, args: &impl Serialize) -> Call<T> {
        Call {
            caller: Arc::clone(&self.caller),
            target: self.target.clone(),
            method: method.to_owned(),
            args: serde_json::to_string(args).map_err(Into::into),
            timeout: None,
            idempotency_key: None,
            cancel_on_drop: false,
            _result: PhantomData,
        }
    }

    /// Hands an HTTP request to the agent's `on_request`, under any path.
    ///
    /// # Errors
    /// When the agent cannot be reached; a failing handler is a response with status 500.
    pub async fn fetch(&self, request: Request) -> Result<Response> {
        self.caller.fetch(self.target.clone(), request).await
    }
}

impl fmt::Debug for Stub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stub").field(&self.target).finish()
    }
}

/// A call that has not happened yet. Await it to make it.
///
/// Dropping the future after it was polled does not cancel what the other agent began, unless the method is marked
/// `#[callable(cancel_on_disconnect)]` or the call asked for it with [`Call::cancel_on_drop`].
#[must_use = "a call does nothing until it is awaited"]
pub struct Call<T> {
    caller: Arc<dyn Caller>,
    target: AgentId,
    method: String,
    args: Result<String>,
    timeout: Option<Duration>,
    idempotency_key: Option<String>,
    cancel_on_drop: bool,
    _result: PhantomData<fn() -> T>,
}

impl<T> Call<T> {
    /// Gives up waiting after `timeout`; the call itself goes on. The other agent is told: `cx.deadline()`.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Makes a retry safe: with the same key, the stored result of the first call comes back.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Cancels an async method at its next wait when this call is no longer waited for: its future is dropped, it takes
    /// longer than its [`Call::timeout`], or this agent is broken off. A call that has not begun by then does not begin.
    ///
    /// What the method changed before stays, as after any of its waits. A call with an idempotency key that somebody else
    /// waits for as well goes on.
    pub fn cancel_on_drop(mut self) -> Self {
        self.cancel_on_drop = true;
        self
    }

    /// Makes the call and returns its answer unparsed.
    ///
    /// # Errors
    /// The other agent's error, or why it could not be reached.
    pub async fn reply(self) -> Result<Reply> {
        let call = OutgoingCall {
            target: self.target,
            method: self.method,
            args: self.args?,
            timeout: self.timeout,
            idempotency_key: self.idempotency_key,
            cancel_on_drop: self.cancel_on_drop,
            tap: None,
            back: None,
        };
        self.caller.call(call).await
    }
}

impl<T: DeserializeOwned + 'static> IntoFuture for Call<T> {
    type Output = Result<T>;
    type IntoFuture = BoxFuture<Result<T>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.reply().await?.parse() })
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("target", &self.target).field("method", &self.method).finish_non_exhaustive()
    }
}
