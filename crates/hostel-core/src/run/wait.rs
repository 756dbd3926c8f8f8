//! Waits of a run that need no memory: for a moment, and for somebody else.

use std::{sync::Arc, time::Duration};

use futures_util::future::{Either, select};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::{
    host::{RunHost, Wait, Waited},
    read,
    track::{Counted, Place},
};
use crate::{BoxFuture, Cx, error::Result, host::Host};

/// A wait that is not longer is sat out in memory.
const SHORT: Duration = Duration::from_secs(2);

impl<A> Cx<A> {
    /// Has the run wait this long, for days if need be. It leaves memory meanwhile, and goes on from here.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # async fn demo<A>(cx: &hostel_core::Cx<A>) -> hostel_core::Result<()> {
    /// cx.pause("cool down", Duration::from_secs(3 * 24 * 60 * 60)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `not_a_run` outside a run, `step_mismatch`, `invalid_arguments` for a moment beyond the calendar, or a storage code.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: the moment stays.
    pub fn pause(&self, name: &str, duration: Duration) -> BoxFuture<Result<()>> {
        let at = self.host().now().checked_add(duration).map_err(Into::into);
        self.wait(name, at.map(Wait::While), |_, _| Ok(()))
    }

    /// Has the run wait until then; see [`Cx::pause`].
    ///
    /// # Errors
    /// Those of [`Cx::pause`].
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub fn sleep_until(&self, name: &str, at: Timestamp) -> BoxFuture<Result<()>> {
        self.wait(name, Ok(Wait::Until(at)), |_, _| Ok(()))
    }

    /// Has the run wait for [`Runs::send`](super::Runs::send) of this event; `None` if `timeout` passes without it. What
    /// was sent before is kept, and handed out in its order, each to one wait.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # async fn demo<A>(cx: &hostel_core::Cx<A>) -> hostel_core::Result<()> {
    /// let paid: Option<u64> = cx.wait_for("paid", Duration::from_secs(24 * 60 * 60)).await?;
    /// # let _ = paid; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `not_a_run` outside a run, `step_mismatch` (also if what was sent is no `T`), or a storage code.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: the wait, and what comes, is kept.
    pub fn wait_for<T: DeserializeOwned + Send + 'static>(
        &self,
        event: &str,
        timeout: impl Into<Option<Duration>>,
    ) -> BoxFuture<Result<Option<T>>> {
        let until = self.until(timeout.into());
        let wait = until.map(|until| Wait::Event(event.to_owned(), until));
        self.wait(event, wait, |place, json| json.map(|json| read(place, &json)).transpose())
    }

    pub(super) fn until(&self, timeout: Option<Duration>) -> Result<Option<Timestamp>> {
        timeout.map(|timeout| self.host().now().checked_add(timeout).map_err(Into::into)).transpose()
    }

    /// The place is taken when this is called.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        name: &str,
        wait: Result<Wait>,
        finish: fn(&Place, Option<String>) -> Result<T>,
    ) -> BoxFuture<Result<T>> {
        let host = Arc::clone(self.host());
        let at = host.run().and_then(|run| {
            let place = run.track().place(name)?;
            Ok((run, place, wait?))
        });
        Box::pin(async move {
            let (run, place, wait) = at?;
            let over = sit_out(&*host, &run, &place, &wait).await?;
            finish(&place, over)
        })
    }
}

async fn sit_out(host: &dyn Host, run: &Arc<dyn RunHost>, place: &Place, wait: &Wait) -> Result<Option<String>> {
    loop {
        let nudged = run.nudged();
        let until = match run.wait(place, wait)? {
            Waited::Over(value) => return Ok(value),
            Waited::Still(until) => until,
        };
        let left = until.map(|until| left(host.now(), until));
        let _parked = left.is_none_or(|left| left > SHORT).then(|| Counted::parked(run));
        match left {
            None => nudged.await,
            Some(left) => match select(nudged, host.sleep(left)).await {
                Either::Left(_) | Either::Right(_) => {}
            },
        }
    }
}

fn left(now: Timestamp, until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or_default()
}
