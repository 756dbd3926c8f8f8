//! One step of a run: done once, its result kept.

use std::{
    fmt,
    future::{IntoFuture, pending},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use futures_util::future::{Either, select};
use hostel_protocol::refusal::Code;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    host::{Begin, Begun, RunHost},
    read,
    track::{Counted, Marked, Place},
};
use crate::{
    Cx,
    error::{Error, Result},
    host::Host,
};

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;
type Work<'a, T> = Box<dyn FnOnce() -> Answer<'a, T> + Send + 'a>;

/// A step that has not begun; await it.
#[must_use = "a step is done when it is awaited"]
pub struct Step<'a, T> {
    host: Arc<dyn Host>,
    at: Result<(Arc<dyn RunHost>, Place)>,
    work: Work<'a, T>,
    how: Begin,
    timeout: Option<Duration>,
}

impl<A> Cx<A> {
    /// A step of a run: `work` is done once, and its result is kept. When the code is run again, the kept result is
    /// handed out instead.
    ///
    /// ```
    /// # use hostel_core::{Cx, Result};
    /// # async fn charge(_: u64, _: &str) -> Result<String> { Ok(String::new()) }
    /// # async fn demo<A>(cx: &Cx<A>, amount: u64) -> Result<()> {
    /// let receipt: String = cx.step("charge", || async { charge(amount, "card").await }).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// Before `work` begins, the fact that it does is durable. If the process dies before the result is, nobody knows
    /// whether it was done: the run is held (`uncertain`) until somebody says, unless the step is
    /// [repeatable](Step::repeatable). An error of `work` is not kept: it has said that it was not done, and is done again
    /// when the code is run again.
    ///
    /// Steps are told apart by their order. Those that run at the same time may begin in any order that does not depend on
    /// chance; otherwise put them into [branches](Cx::branch).
    ///
    /// # Errors
    /// Those of `work`; `not_a_run` outside a run, `step_nested`, `step_mismatch`, `step_timeout`, `step_too_large`,
    /// `too_many_steps`, or a storage code.
    ///
    /// # Cancel safety
    /// Dropping the future while `work` is under way leaves the step begun, as a crash would.
    pub fn step<'a, F, Fut, T>(&self, name: &str, work: F) -> Step<'a, T>
    where
        F: FnOnce() -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
        T: Serialize + DeserializeOwned + Send + 'a,
    {
        let at = self.host().run().and_then(|run| {
            let place = run.track().place(name)?;
            Ok((run, place))
        });
        let work: Work<'a, T> = Box::new(move || Box::pin(async move { work().await }));
        Step { host: Arc::clone(self.host()), at, work, how: Begin::Once, timeout: None }
    }
}

impl<T> Step<'_, T> {
    /// Doing it twice does no harm: after a crash it is simply done again. Looking something up is like that, and
    /// whatever the other side recognises by a key.
    pub fn repeatable(mut self) -> Self {
        self.how = Begin::Repeatable;
        self
    }

    /// Breaks it off after this long. A repeatable step then fails with `step_timeout`; of any other nobody knows whether
    /// it was done, and the run asks.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }
}

impl<'a, T: Serialize + DeserializeOwned + Send + 'a> IntoFuture for Step<'a, T> {
    type Output = Result<T>;
    type IntoFuture = Answer<'a, T>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.done())
    }
}

impl<T: Serialize + DeserializeOwned + Send> Step<'_, T> {
    async fn done(self) -> Result<T> {
        let Self { host, at, work, how, timeout } = self;
        let (run, place) = at?;
        match run.begin(&place, how)? {
            Begun::Done(json) => return read(&place, &json),
            Begun::Parked => return pending().await,
            Begun::Go => {}
        }
        let under_way = Counted::under_way(&run);
        // That it begins, and what every step before it returned: no more than one step can have been done in vain.
        host.durable().await?;
        let inner = Marked::step(&run, work());
        let outcome = match timeout {
            None => inner.await,
            Some(limit) => match select(inner, host.sleep(limit)).await {
                Either::Left((outcome, _)) => outcome,
                Either::Right(((), _)) if how == Begin::Repeatable => return Err(timed_out(&place, limit)),
                Either::Right(((), _)) => {
                    run.give_up_on(&place, &format!("it did not end within {limit:?}"));
                    drop(under_way);
                    return pending().await;
                }
            },
        };
        match outcome {
            Ok(value) => {
                run.finish(&place, how, &serde_json::to_string(&value)?)?;
                Ok(value)
            }
            Err(error) => {
                run.take_back(&place)?;
                Err(error)
            }
        }
    }
}

fn timed_out(place: &Place, limit: Duration) -> Error {
    let message = format!("The step {:?} did not end within {limit:?}.", place.name);
    Error::coded(Code::StepTimeout, message).with_fix("the run is tried again; give the step more time if it needs it")
}

impl<T> fmt::Debug for Step<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step").field("place", &self.at.as_ref().map(|(_, place)| place)).finish_non_exhaustive()
    }
}
